// Change streams beside the exchanges: Debezium's topics are read, joined, remembered and marked.
#include <nlohmann/json.hpp>

#include "arbiter/rebuild.hpp"
#include "arbiter/shard.hpp"
#include "core/events/sqlite_database.hpp"
#include "debezium_records.hpp"
#include "fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using namespace phoenix::arbiter_test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

std::string row(const Emitted& at) {
  return debezium_row(at, 7, "1.00", "2.00");
}

std::string message(const Emitted& at) {
  return debezium_message(at, R"({"exchange_id":"a"})");
}

}  // namespace

TEST_CASE("Debezium's topics: a row waits for its message across a restart, what cannot be read is set aside") {
  ScratchDatabase results("state");
  Connector legacy("legacy"), modern("modern");
  Bench bench(results.url());
  read_debezium(bench.config.arbiter, legacy, modern);
  const auto position = [&](const std::string& topic) {
    return results.value("SELECT next FROM arbiter.positions WHERE topic = '" + topic + "'");
  };
  {
    const ArbiterService service(bench.config);
    bench.publish_raw("legacy.public.accounts", row({10, 12, 1}));
    bench.publish_raw("legacy.message", message({10, 11, 1}));
    bench.publish_raw("legacy.message", R"({"op":"m")");
    bench.publish_raw("modern.public.accounts", R"({"op":"u","after":{"id":7)");
    CHECK(eventually([&] {
      return results.value("SELECT count(*) FROM arbiter.rejected WHERE topic = 'modern.public.accounts'") == "1";
    }));
    CHECK(eventually([&] { return position("modern.public.accounts") == "1"; }));
    CHECK(eventually(
        [&] { return results.value("SELECT count(*) FROM arbiter.rejected WHERE topic = 'legacy.message'") == "1"; }));
    // A second message of its transaction could still come before the row: both are read again after a restart.
    CHECK(eventually([&] { return position("legacy.message") == "0"; }));
    CHECK(position("legacy.public.accounts") == "0");
  }
  {
    VerdictStore store(results.url(), 1, [](const std::string&) { return 0; });
    store.connect();
    const auto log = open_event_log(bench.config);
    const auto producer = log->make_producer();
    const SystemClock clock;
    Shard shard(bench.config, 0, store, *producer, clock, Shard::Purpose::recompute);
    shard.offer(kExchanges, {topics::kShadowRequests, 0, 0, 0, "", encode(deposits(1, 1, 0).front())});
    CHECK_FALSE(shard.step({true, true, true}));  // the log has not told of Debezium's topics yet
    CHECK(shard.position(kExchanges) == ConsumerOptions::kBeginning);
  }
  const ArbiterService service(bench.config);
  bench.publish_raw("legacy.message", message({20, 21, 2}));
  CHECK(eventually([&] { return position("legacy.public.accounts") == "1"; }));
  CHECK(eventually([&] {
    return get(service.endpoint(), "/metrics").find("consumer_lag{topic=\"legacy.public.accounts\"} 0") !=
           std::string::npos;
  }));

  // What had been set aside stands among what was read again: it is not set aside twice.
  const json status = json::parse(get(service.endpoint(), "/status"));
  CHECK(status["rejected"] == json{{"legacy.message", 1}, {"modern.public.accounts", 1}});

  // Markers come when the slots are confirmed beyond them, and not before.
  const auto marked = [&](const std::string& side) -> json {
    for (const auto& record : bench.read_all(topics::kDbStateUpdates)) {
      const auto value = json::parse(record.value);
      if (value["op"] == "m" && value["source"]["name"] == side) return value;
    }
    return nullptr;
  };
  CHECK(marked("legacy").is_null());
  bench.publish(deposits(3, 1, 0));
  const bool both = eventually([&] {
    legacy.confirm();
    modern.confirm();
    return !marked("legacy").is_null() && !marked("modern").is_null();
  });
  REQUIRE(both);
  const json marker = marked("legacy");
  CHECK(marker["source"]["kind"] == "arbiter");
  CHECK(marker["offsets"] == json{{"legacy.public.accounts/0", 1}, {"legacy.message/0", 3}});
}

TEST_CASE("Debezium's topics: one that ends before what had been taken of it has lost records, and reading goes on") {
  ScratchDatabase results("state_short");
  Connector legacy("legacy"), modern("modern");
  Bench bench(results.url());
  read_debezium(bench.config.arbiter, legacy, modern);
  const auto progress = [&] { return results.value("SELECT stream_progress FROM arbiter.progress"); };
  const auto committed = [&](const std::string& of) { return progress().find(of) != std::string::npos; };
  {
    const ArbiterService service(bench.config);
    bench.publish_raw("legacy.message", message({10, 11, 1}));
    REQUIRE(eventually([&] { return committed("14:legacy.message 0 1 1 "); }));
  }
  REQUIRE(results
              .rows("UPDATE arbiter.progress SET stream_progress = replace(stream_progress, '14:legacy.message 0 1 "
                    "1 ', '14:legacy.message 0 9 9 ') RETURNING 1")
              .size() == 1);
  REQUIRE(committed("14:legacy.message 0 9 9 "));
  const auto not_swapped = [&](const std::string& why) {
    const RebuildReport report = rebuild(bench.config, true);
    CHECK_THAT(report.incomplete, Contains(why));
    CHECK(report.kept.empty());
  };
  not_swapped("legacy.message/0 has no records from offset 1 up to 9");
  {
    const ArbiterService service(bench.config);
    bench.publish_raw("legacy.public.accounts", row({10, 12, 1}));
    bench.publish_raw("legacy.message", message({20, 21, 2}));
    CHECK(eventually([&] { return committed("14:legacy.message 0 2 2 "); }));
  }
  events::SqliteDatabase log(bench.config.event_log.sqlite.path);  // retention takes the whole topic
  log.prepare("DELETE FROM records WHERE topic = 'legacy.message'").run();
  log.prepare("UPDATE topics SET low_water = next_offset WHERE topic = 'legacy.message'").run();
  not_swapped("legacy.message/0 has no records from offset 0 up to 2");
}
