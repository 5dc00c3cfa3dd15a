// The arbiter as one running service: what it writes, publishes and shows.
#include <fmt/format.h>

#include "arbiter/verdict_store.hpp"
#include "core/events/control_events.hpp"
#include "fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/exchange_builder.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using namespace phoenix::arbiter_test;
using Catch::Matchers::Contains;

namespace {

const char* const kReceived = "SELECT coalesce(sum(n), 0) FROM arbiter.counters WHERE verdict = 'received'";
const char* const kPosition = "SELECT next FROM arbiter.positions WHERE topic = 'shadow-requests'";
const char* const kVerdictRows =
    "SELECT id, account, slice, route, verdict, detail, event_time, rung FROM arbiter.verdicts ORDER BY id";

}  // namespace

TEST_CASE("verdicts, evidence, counters and positions; scores and verdicts are published") {
  const ScratchDatabase database("service", false);  // the arbiter creates it
  Bench bench(database.url());
  const ArbiterService service(bench.config);
  bench.publish(deposits(1'000, 50, 100));
  REQUIRE(eventually([&] { return database.value(kPosition) == "1000"; }));

  CHECK(database.value(kReceived) == "1000");
  CHECK(database.value("SELECT n FROM arbiter.counters WHERE verdict = 'match'") == "990");
  CHECK(database.value("SELECT count(*) FROM arbiter.verdicts WHERE verdict = 'mismatch'") == "10");
  CHECK(database.value("SELECT detail FROM arbiter.verdicts ORDER BY id LIMIT 1") ==
        "/fee: legacy 0.10, modern 0.05; /balance: legacy 20, modern 20.05 (known gap 0.00)");
  CHECK(database.value(
            "SELECT convert_from(request_body, 'UTF8') || convert_from(modern_body, 'UTF8') FROM arbiter.exchanges "
            "ORDER BY exchange_id LIMIT 1") == R"({"amount":10.00}{"id":"modern-100","fee":0.05,"balance":20.05})");
  CHECK(database.value(
            "SELECT legacy_balance || ' ' || modern_balance FROM arbiter.exchanges ORDER BY exchange_id LIMIT 1") ==
        "20 20.05");
  CHECK(database.value("SELECT count(*) FROM arbiter.exchanges WHERE header::text LIKE '%secret%'") == "0");
  CHECK(database.value("SELECT (header->'differences'->0->>'kind') || ' ' || (header->'differences'->0->>'path') FROM "
                       "arbiter.exchanges ORDER BY exchange_id LIMIT 1") == "value /fee");
  CHECK(database.value("SELECT cause || ': ' || cause_detail FROM arbiter.verdicts ORDER BY id LIMIT 1") ==
        "fee_tier: of /amount 10.00 legacy takes 1 %: 0.10, modern 0.5 %: 0.05");
  CHECK(database.value("SELECT cause || ' ' || path || ' ' || mismatches || ': ' || sentence FROM "
                       "arbiter.mismatch_groups") ==
        "fee_tier /fee 10: 10 mismatches on `deposits` (/fee, fee_tier); legacy - modern = 0.05 always");
  CHECK(database.value("SELECT sum(gap_minor) FROM arbiter.drift") == "50");
  CHECK(database.value("SELECT score->>'received' FROM arbiter.scores WHERE slice = 'payments'") == "1000");

  std::vector<LogRecord> scores;
  REQUIRE(eventually([&] {
    scores = bench.read_all(topics::kConsistencyScores);
    return !scores.empty() && decode_score_event(scores.back().value)->received == 1'000;
  }));
  const auto score = decode_score_event(scores.back().value).value();
  CHECK(scores.back().key == "payments");
  CHECK(score.coverage == 1.0);
  CHECK(score.writes.exchanges == EvidenceCounts{1'000, 10});
  CHECK(score.writes.units.units == 50);
  CHECK(score.confirmed_balance_mismatches == 10);
  CHECK_FALSE(score.trip_reason.empty());
  CHECK(score.positions.at("shadow-requests/0") == 1'000);
  CHECK(bench.read_all(topics::kVerdicts).size() == 10);

  CHECK_FALSE(get(service.endpoint(), "/healthz").empty());
  CHECK_THAT(get(service.endpoint(), "/readyz"), Contains("true"));
  CHECK_THAT(get(service.endpoint(), "/status"), Contains("\"payments\""));
  const std::string metrics = get(service.endpoint(), "/metrics");
  CHECK_THAT(metrics, Contains(R"(phoenix_arbiter_verdicts_total{route="deposits",kind="match"} 990)"));
  CHECK_THAT(metrics, Contains(R"(phoenix_arbiter_causes_total{route="deposits",cause="fee_tier"} 10)"));
  CHECK_THAT(metrics, Contains(R"(phoenix_arbiter_drift_minor_units{slice="payments",currency="XXX"} 50)"));
  CHECK_THAT(metrics, Contains(R"(phoenix_arbiter_coverage_ratio{slice="payments"} 1)"));
  CHECK_THAT(metrics, Contains(R"(phoenix_arbiter_split_keys_total{slice="payments"} 0)"));

  auto elsewhere = deposit(1'001, "acc-1", 1);
  elsewhere.gateway = "gw-2";
  bench.publish({elsewhere});
  REQUIRE(eventually([&] { return database.value("SELECT count(*) FROM arbiter.split_keys") == "1"; }));
  CHECK(database.value("SELECT key || ' ' || first_gateway || ' ' || second_gateway FROM arbiter.split_keys") ==
        "acc-1 gw-1 gw-2");
  REQUIRE(eventually([&] { return bench.read_all(topics::kVerdicts).size() == 11; }));
  const auto notice = decode_split_key_notice(bench.read_all(topics::kVerdicts).back().value);
  REQUIRE(notice.has_value());
  CHECK(notice->exchange_ids[1] == elsewhere.exchange_id);
  REQUIRE(eventually([&] {
    return get(service.endpoint(), "/metrics").find(R"(phoenix_arbiter_split_keys_total{slice="payments"} 1)") !=
           std::string::npos;
  }));
}

TEST_CASE("malformed records are counted, set aside with their position, and do not stop the arbiter") {
  const ScratchDatabase database("malformed");
  Bench bench(database.url());
  const ArbiterService service(bench.config);
  auto events = deposits(20, 3, 0);
  bench.publish({events.begin(), events.begin() + 10});
  bench.publish_raw(topics::kShadowRequests, "nonsense");
  bench.publish_raw(topics::kShadowRequests, std::string("\0\0\0\2{}\0\xff", 8));
  bench.publish_raw(topics::kShadowRequests, "");
  bench.publish_raw(topics::kDbStateUpdates, R"({"op":"r"})");
  auto hostile = events[10];
  hostile.route = std::string("a\0b\xff", 4);
  hostile.shadow.body = R"({"fee":"\u0000\ud800"})";
  hostile.keys = {{std::string("k\0\xfe", 3), 1}};
  hostile.shadow.headers.emplace_back("X-Odd", std::string("\0\xff", 2));
  bench.publish({hostile});
  bench.publish({events.begin() + 11, events.end()});
  REQUIRE(eventually([&] { return database.value(kPosition) == "23"; }));
  CHECK(database.value(kReceived) == "20");
  CHECK(database.rows("SELECT topic, \"offset\", length(value) FROM arbiter.rejected ORDER BY 1, 2") ==
        std::vector<std::string>{"db-state-updates|0|10", "shadow-requests|10|8", "shadow-requests|11|8",
                                 "shadow-requests|12|0"});
  CHECK_THAT(get(service.endpoint(), "/metrics"),
             Contains(R"(phoenix_arbiter_rejected_records_total{topic="shadow-requests"} 3)"));
}

TEST_CASE("replaying the log into a fresh database gives identical verdict rows, counters and score") {
  const ScratchDatabase first("first"), second("second");
  Bench bench(first.url());
  auto events = deposits(2'000, 20, 33);
  std::swap(events[100], events[120]);               // out of order for its key
  events.insert(events.begin() + 500, events[450]);  // delivered twice
  {
    const ArbiterService service(bench.config);
    for (std::size_t i = 0; i < events.size(); i += 87) {
      bench.publish(
          {events.begin() + static_cast<long>(i), events.begin() + static_cast<long>(std::min(i + 87, events.size()))});
    }
    REQUIRE(eventually([&] { return first.value(kPosition) == "2001"; }));
  }
  bench.config.arbiter.database = second.url();
  const ArbiterService service(bench.config);
  REQUIRE(eventually([&] { return second.value(kPosition) == "2001"; }));
  CHECK(first.rows(kVerdictRows).size() == 60);
  for (const auto* sql :
       {kVerdictRows, "SELECT * FROM arbiter.counters ORDER BY 1, 2, 3, 4", "SELECT * FROM arbiter.drift ORDER BY 1",
        "SELECT * FROM arbiter.windows", "SELECT slice, score FROM arbiter.scores"}) {
    CHECK(first.rows(sql) == second.rows(sql));
  }
}

TEST_CASE("a reader that was overtaken commits nothing") {
  const ScratchDatabase database("conflict");
  Bench bench(database.url());
  const auto all_in_one = [](const std::string&) { return 0; };
  VerdictStore one(database.url(), 1, all_in_one), other(database.url(), 1, all_in_one);
  const TopicPartition partition{topics::kShadowRequests, 0};
  const auto attempt = [&](VerdictStore& store, std::int64_t from, std::int64_t to) {
    DecisionCore core(bench.config, CoreState{});
    core.apply(test::record_of(deposit(1, "acc-1", 1), 0));
    return store.commit(0, core, core.take_changes(), {{partition, from}}, {{partition, to}});
  };
  one.connect();
  other.connect();
  CHECK(attempt(one, ConsumerOptions::kBeginning, 1));
  CHECK_FALSE(attempt(other, ConsumerOptions::kBeginning, 5));
  CHECK_FALSE(attempt(other, 0, 5));
  CHECK(database.value(kReceived) == "1");
  CHECK(database.value(kPosition) == "1");
  CHECK_FALSE(attempt(other, 1, 2));  // it has not seen what the first one wrote
  static_cast<void>(other.load(0));
  CHECK(attempt(other, 1, 2));
  CHECK(database.value(kPosition) == "2");
}

TEST_CASE("two that read different topics of a shard cannot both commit") {
  const ScratchDatabase database("fence");
  Bench bench(database.url());
  const auto all_in_one = [](const std::string&) { return 0; };
  VerdictStore owner(database.url(), 1, all_in_one), zombie(database.url(), 1, all_in_one);
  DecisionCore core(bench.config, CoreState{});
  const auto move = [&](VerdictStore& store, const char* topic, std::int64_t from, std::int64_t to) {
    const TopicPartition partition{topic, 0};
    return store.commit(0, core, core.take_changes(), {{partition, from}}, {{partition, to}});
  };
  owner.connect();
  zombie.connect();
  REQUIRE(move(owner, topics::kShadowRequests, ConsumerOptions::kBeginning, 1));
  static_cast<void>(zombie.load(0));
  CHECK(move(owner, topics::kShadowRequests, 1, 2));
  CHECK_FALSE(move(zombie, topics::kGatewayStatus, ConsumerOptions::kBeginning, 1));
  CHECK(move(owner, topics::kGatewayStatus, ConsumerOptions::kBeginning, 1));
}

TEST_CASE("an unreachable database at start is one clear line without the password") {
  Bench bench("postgresql://phoenix:secret@127.0.0.1:1/phoenix");
  try {
    const ArbiterService service(bench.config);
    FAIL("started without a database");
  } catch (const Failure& failure) {
    const std::string message = failure.what();
    CHECK_THAT(message, Contains("127.0.0.1:1/phoenix"));
    CHECK_THAT(message, !Contains("secret") && !Contains("\n"));
  }
}
