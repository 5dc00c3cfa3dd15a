// What may be confirmed: only what a log holds. On bytes, with a log that is told what to do.
#include <nlohmann/json.hpp>

#include "arbiter/capture/admin_page.hpp"
#include "arbiter/capture/change_publisher.hpp"
#include "arbiter/capture/slot_lag.hpp"
#include "tests/support/catch.hpp"
#include "wire.hpp"

using namespace phoenix;
using namespace phoenix::capture;
using namespace phoenix::capture_test;
using Catch::Matchers::Contains;
using std::chrono::milliseconds;

namespace {

class HeldProducer final : public Producer {
 public:
  bool publish_to(int partition, const char*, std::string key, std::string value) override {
    if (counts.queued >= capacity) {
      ++counts.refused;
      return false;
    }
    keys.push_back(std::move(key));
    partitions.push_back(partition);
    values.push_back(std::move(value));
    ++counts.accepted;
    ++counts.queued;
    counts.queued_bytes += values.back().size();
    return true;
  }
  bool flush(milliseconds) override {
    if (durable) settle(counts.acknowledged);
    return counts.queued == 0;
  }
  [[nodiscard]] ProducerStats stats() const override { return counts; }
  void lose() { settle(counts.failed); }

  ProducerStats counts;
  bool durable = true;
  std::size_t capacity = 1000;
  std::vector<std::string> keys, values;
  std::vector<int> partitions;

 private:
  void settle(std::uint64_t& as) {
    as += counts.queued;
    counts.queued = counts.queued_bytes = 0;
  }
};

struct World {
  HeldProducer producer;
  SideStatus status;
  ManualClock clock;
  std::function<void()> while_blocked = [] {};
  ChangePublisher publisher{"legacy", {"changes", 3}, {{"public.accounts", "id"}}, producer,
                            status,   clock,          [this] { while_blocked(); }};

  World() { publisher.restart("bank", 100, ""); }
  void take(std::uint64_t lsn, const std::string& payload) { publisher.take(wal_data(lsn, payload)); }
  void transaction(std::uint64_t commit_lsn) {
    take(commit_lsn - 3, begin(commit_lsn, 1));
    take(commit_lsn - 3, accounts());
    take(commit_lsn - 2, message(R"({"exchange_id":"e"})"));
    take(commit_lsn - 1, insert({"7", "1.00", "t", "x"}));
    take(commit_lsn, commit(commit_lsn, commit_lsn + 5));
  }
  Lsn settled() {
    publisher.settle(milliseconds(0));
    return publisher.confirmed();
  }
};

}  // namespace

TEST_CASE("a transaction is confirmed when it is whole and durable, not before") {
  World world;
  world.transaction(200);
  world.producer.durable = false;
  CHECK(world.settled() == 100);
  CHECK(world.status.get().unconfirmed_commit_us == kUnix2026);
  world.producer.durable = true;
  CHECK(world.settled() == 205);
  CHECK(world.status.get().unconfirmed_commit_us == 0);
  // Durable rows of a transaction that has not ended.
  world.take(300, begin(310, 2));
  world.take(301, insert({"7", "2.00", "t", "x"}));
  CHECK(world.settled() == 205);
  world.publisher.take(keepalive(400));
  CHECK(world.settled() == 205);
  world.take(310, commit(310, 315));
  CHECK(world.settled() == 315);
  const SideState state = world.status.get();
  CHECK(state.transactions == 2);
  CHECK(state.foreign_transactions == 1);
  CHECK(state.records.at({"public.accounts", 'c'}) == 2);
  CHECK(world.producer.keys == std::vector<std::string>{"7", "7"});
}

TEST_CASE("on a quiet database the keep-alive's position is confirmed, after what came before it") {
  World world;
  world.publisher.take(keepalive(5'000));
  CHECK(world.settled() == 5'000);
  world.transaction(6'000);
  world.producer.durable = false;
  world.publisher.take(keepalive(9'000, true));
  CHECK(world.settled() == 5'000);
  CHECK(world.publisher.reply_requested());
  CHECK_FALSE(world.publisher.reply_requested());
  CHECK(world.publisher.received() == 9'000);
  world.producer.durable = true;
  CHECK(world.settled() == 9'000);
}

TEST_CASE("records that the log gave up are never confirmed but read again") {
  World world;
  world.transaction(200);
  world.producer.lose();
  CHECK_THROWS_WITH(world.publisher.settle(milliseconds(0)), Contains("gave up 1 records") && Contains("0/64"));
  CHECK(world.publisher.confirmed() == 100);
  world.publisher.restart("bank", 100, "");
  // A reader that remembers how far it came must know that earlier records follow.
  CHECK_THAT(world.producer.values.back(), Contains("\"op\":\"gap\"") && Contains("gave up 1 records"));
  world.transaction(200);
  CHECK(world.settled() == 205);
  world.publisher.restart("bank", 205, "");
  CHECK(world.status.get().gaps == 1);
}

TEST_CASE("a full log is waited for; one that can never take the record is an error") {
  World world;
  world.producer.capacity = 1;
  world.transaction(200);
  world.producer.durable = false;
  int waits = 0;
  world.while_blocked = [&] {
    CHECK(world.status.get().log_blocked);
    if (++waits == 3) world.producer.durable = true;
  };
  world.transaction(300);
  CHECK(waits == 3);
  CHECK_FALSE(world.status.get().log_blocked);
  CHECK(world.producer.values.size() == 2);
  CHECK(world.settled() == 305);
  world.producer.capacity = 0;
  CHECK_THROWS_WITH(world.transaction(400), Contains("does not take a record of"));
}

TEST_CASE("unacknowledged bytes have a bound beyond which reading waits") {
  World world;
  CHECK_FALSE(world.publisher.full());
  // In a transaction that has not ended, with nothing to confirm.
  world.take(300, begin(310, 2));
  world.producer.durable = false;
  world.producer.counts.queued = 1;
  world.producer.counts.queued_bytes = ChangePublisher::kMaxUnacknowledgedBytes + 1;
  CHECK(world.publisher.full());
  CHECK(world.settled() == 100);
  world.clock.advance(std::chrono::seconds(5));
  CHECK(world.publisher.blocked());
  world.producer.durable = true;
  CHECK(world.settled() == 100);
  CHECK_FALSE(world.publisher.full());
  CHECK_FALSE(world.publisher.blocked());
}

TEST_CASE("a log slower than its source is waited for, so that something is confirmed; later Postgres is let go") {
  World world;
  world.transaction(200);
  world.producer.durable = false;
  CHECK(world.settled() == 100);
  CHECK_FALSE(world.publisher.full());
  world.clock.advance(milliseconds(250));
  CHECK(world.publisher.full());
  CHECK(world.settled() == 100);
  CHECK_FALSE(world.publisher.blocked());
  world.clock.advance(milliseconds(4'750));
  CHECK(world.settled() == 100);
  CHECK(world.publisher.blocked());
  world.publisher.drain(milliseconds(0));
  CHECK(world.publisher.blocked());
  world.producer.durable = true;
  world.publisher.drain(milliseconds(0));
  CHECK_FALSE(world.publisher.blocked());
  CHECK(world.settled() == 205);
  CHECK_FALSE(world.publisher.full());
}

TEST_CASE("a slot that moved without us is a gap in the log") {
  World world;
  world.transaction(200);
  CHECK(world.settled() == 205);
  world.publisher.restart("bank", 150, "");  // an older position is only read again
  CHECK(world.producer.values.size() == 1);
  world.transaction(200);
  CHECK(world.settled() == 205);
  world.publisher.restart("bank", 5'000, "");
  REQUIRE(world.producer.values.size() == 3);
  const auto gap = nlohmann::json::parse(world.producer.values[2]);
  CHECK(gap["op"] == "gap");
  CHECK(gap["source"]["name"] == "legacy");
  CHECK(gap["source"]["lsn"] == 5'000);
  CHECK_THAT(gap["reason"].get<std::string>(), Contains("advanced or recreated"));
  CHECK(world.status.get().gaps == 1);
  CHECK(world.publisher.confirmed() == 5'000);
}

TEST_CASE("frames that make no sense end the connection") {
  World world;
  CHECK_THROWS_AS(world.publisher.take("?"), Failure);
  CHECK_THROWS_AS(world.take(1, "?"), Failure);
  CHECK_THROWS_AS(world.take(1, commit(1, 2)), Failure);
}

TEST_CASE("lag in seconds is the age of the oldest log that is not confirmed") {
  SlotLag lag;
  const auto at = [](double seconds) { return kUnix2026 + static_cast<std::int64_t>(seconds * 1e6); };
  lag.observe(at(0), 1'000, 1'000, 0);
  CHECK(lag.bytes() == 0);
  CHECK(lag.seconds() == 0);
  lag.observe(at(1), 1'500, 1'000, 0);
  lag.observe(at(5), 2'000, 1'000, 0);
  CHECK(lag.bytes() == 1'000);
  CHECK(lag.seconds() == Approx(4));
  lag.observe(at(6), 2'000, 1'700, 0);
  CHECK(lag.seconds() == Approx(1));
  lag.observe(at(7), 2'000, 2'000, 0);
  CHECK(lag.seconds() == 0);
  // After a start the samples know nothing of what was already waiting; its commit does.
  lag.observe(at(100), 9'000, 2'000, at(40));
  CHECK(lag.seconds() == Approx(60));
  // A long outage does not grow the memory without bound and keeps its age.
  SlotLag outage;
  for (int i = 0; i < 5'000; ++i) outage.observe(at(i), 1'000 + static_cast<Lsn>(i), 10, 0);
  CHECK(outage.seconds() == Approx(4'999));
}

TEST_CASE("readiness names the side and what is wrong with it") {
  SideStates sides;
  CHECK(unready_reason({{"legacy", {}}}) == "legacy: starting");
  SideState good;
  good.streaming = true;
  good.problem.clear();
  sides["legacy"] = sides["modern"] = good;
  CHECK(unready_reason(sides).empty());
  sides["legacy"].slot_problem = "slot is behind";
  sides["modern"].log_blocked = true;
  CHECK(unready_reason(sides) == "legacy: slot is behind; modern: the event log takes no records; reading waits");
  const std::string page = metrics_text(sides);
  CHECK_THAT(page, Contains("phoenix_capture_up{side=\"legacy\"} 1"));
  CHECK_THAT(page, !Contains("slot_lag_bytes"));  // not known is not 0
  sides["legacy"].lag = SideState::Lag{12, 1.5, 99};
  sides["legacy"].records[{"public.accounts", 'u'}] = 3;
  CHECK_THAT(metrics_text(sides), Contains("phoenix_capture_slot_lag_bytes{side=\"legacy\"} 12") &&
                                      Contains("phoenix_capture_slot_lag_seconds{side=\"legacy\"} 1.5") &&
                                      Contains("records_total{side=\"legacy\",table=\"public.accounts\",op=\"u\"} 3"));
}

TEST_CASE("a marker is published when what stands before it is durable, and only this writer's") {
  World world;
  world.publisher.expect_markers_of("me");
  const auto mark = [&](std::uint64_t lsn, const std::string& writer, std::int64_t covers) {
    world.take(lsn - 1, begin(lsn, 9));
    world.take(lsn - 1, message(encode_marker_message({writer, covers})));
    world.take(lsn, commit(lsn, lsn + 5));
  };
  world.transaction(200);
  mark(300, "someone-before", 90);
  CHECK(world.settled() == 305);
  CHECK(world.producer.values.size() == 1);
  world.producer.durable = false;
  world.transaction(400);
  mark(500, "me", 7);
  world.settled();
  CHECK(world.producer.values.size() == 2);  // the second change alone
  world.producer.durable = true;
  CHECK(world.settled() == 505);
  REQUIRE(world.producer.values.size() == 3);
  const auto marker = nlohmann::json::parse(world.producer.values.back());
  CHECK(marker["op"] == "m");
  CHECK(marker["covers"] == 7);
  CHECK(marker["source"]["name"] == "legacy");
  CHECK(world.producer.keys.back().empty());
  const SideState state = world.status.get();
  CHECK(state.markers == 1);
  CHECK(state.transactions == 2);
  CHECK(state.foreign_transactions == 0);
  CHECK(state.malformed_messages == 0);
  CHECK(world.producer.partitions == std::vector<int>{3, 3, 3});
  // A change that the log gave up comes again: the marker behind it must not vouch for it.
  world.producer.durable = false;
  world.transaction(600);
  mark(700, "me", 8);
  world.producer.lose();
  CHECK_THROWS_WITH(world.settled(), Contains("gave up"));
  CHECK(world.status.get().markers == 1);
}

TEST_CASE("what an earlier run knew makes another slot and other columns a gap") {
  World world;
  world.transaction(200);
  world.settled();
  const auto shapes = world.publisher.shapes();
  REQUIRE(shapes.size() == 1);
  const auto reopened = [&](Lsn slot_at, const std::map<std::string, std::string>& known) {
    World next{};
    const std::size_t before = next.producer.values.size();
    next.publisher.take_up(205, known);
    next.publisher.restart("bank", slot_at, "");
    next.transaction(400);
    return next.producer.values.size() - before - 1;
  };
  CHECK(reopened(205, shapes) == 0);
  CHECK(reopened(150, shapes) == 0);  // Postgres crashed and begins earlier
  CHECK(reopened(206, shapes) == 1);
  CHECK(reopened(205, {{"public.accounts", "d id:20:-1:key"}}) == 1);
}
