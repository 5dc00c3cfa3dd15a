#include "arbiter/decision_core.hpp"

#include "core/events/control_events.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/deposits_config.hpp"
#include "tests/support/exchange_builder.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using phoenix::test::exchange;
using phoenix::test::json_leg;
using phoenix::test::record_of;

namespace {

config::Config make_config(bool ledgers = false) {
  config::Config config = phoenix::test::deposits_config();
  if (ledgers) config.arbiter.legacy_db.url = config.arbiter.modern_db.url = "postgresql:///unused";
  return config;
}

std::string body(const std::string& balance, const std::string& fee = "0.10") {
  return R"({"fee":)" + fee + R"(,"balance":)" + balance + "}";
}

struct Core {
  explicit Core(bool ledgers = false) : core(make_config(ledgers), CoreState{}) {}

  std::vector<std::pair<std::string, Verdict>> apply(const ExchangeEvent& event) {
    core.apply(record_of(event, offset++));
    return verdicts();
  }
  std::vector<std::pair<std::string, Verdict>> verdicts() {
    last = core.take_changes();
    std::vector<std::pair<std::string, Verdict>> result;
    for (const auto& verdict : last.verdicts) result.emplace_back(verdict.event.exchange_id, verdict.event.verdict);
    return result;
  }
  std::int64_t count(const std::string& what, const std::string& route = "deposits", std::uint64_t rung = 0) const {
    const auto at = core.counters().find({"payments", route, rung, what});
    return at == core.counters().end() ? 0 : at->second;
  }
  ScoreEvent score() const { return core.scores().front(); }

  DecisionCore core;
  CoreChanges last;
  std::int64_t offset = 0;
};

using Verdicts = std::vector<std::pair<std::string, Verdict>>;

}  // namespace

TEST_CASE("a match writes no row, a mismatch a row with its evidence") {
  Core core;
  CHECK(core.apply(exchange(1, body("10.00"), body("10.0"), {{"7", 1}})).empty());
  CHECK(core.count("match") == 1);
  CHECK(core.last.evidence.empty());
  const auto wrong = exchange(2, body("20.00", "0.26"), body("20.05", "0.21"), {{"7", 2}});
  CHECK(core.apply(wrong) == Verdicts{{wrong.exchange_id, Verdict::mismatch}});
  CHECK(core.last.verdicts[0].event.detail ==
        "/fee: legacy 0.26, modern 0.21; /balance: legacy 20, modern 20.05 (known gap 0.00)");
  REQUIRE(core.last.evidence.size() == 1);
  CHECK(core.last.evidence[0].exchange.request_body == wrong.request_body);
  CHECK(core.apply(exchange(3, body("30.00"), body("30.05"), {{"7", 3}})).empty());  // carries the gap
  CHECK(core.score().drift_minor_units.at("XXX") == 5);
  CHECK(core.score().confirmed_balance_mismatches == 1);
  CHECK_FALSE(core.score().trip_reason.empty());
}

TEST_CASE("a mismatch says why, and is grouped; a match teaches what is usual") {
  Core core;
  core.apply(exchange(1, body("10.00"), body("10.00"), {{"7", 1}}));
  CHECK(core.last.causes.groups.empty());
  CHECK(core.last.causes.state.contains("route/payments/deposits"));
  auto wrong = exchange(2, R"({"fee":2.50,"balance":20.00})", R"({"fee":2.00,"balance":20.50})", {{"7", 2}});
  wrong.request_headers = {{"Content-Type", "application/json"}};
  wrong.request_body = R"({"amount":100.00})";
  core.apply(wrong);
  REQUIRE(core.last.verdicts.size() == 1);
  CHECK(core.last.verdicts[0].event.cause == "fee_tier");
  CHECK(core.last.verdicts[0].event.cause_detail == "of /amount 100.00 legacy takes 2.5 %: 2.50, modern 2 %: 2.00");
  CHECK(core.count("cause_fee_tier") == 1);
  REQUIRE(core.last.causes.groups.size() == 1);
  CHECK(core.last.causes.groups[0].sentence == "1 mismatch on `deposits` (/fee, fee_tier); legacy - modern = 0.50");
}

TEST_CASE("a posting that is there twice shows in the balances") {
  Core core;
  const auto deposit = [&](std::uint64_t number, const std::string& legacy, const std::string& modern) {
    return core.apply(exchange(number, R"({"amount":5.00,"balance":)" + legacy + "}",
                               R"({"amount":5.00,"balance":)" + modern + "}", {{"7", number}}));
  };
  deposit(1, "10.00", "10.00");
  deposit(2, "15.00", "20.00");
  REQUIRE(core.last.verdicts.size() == 1);
  CHECK(core.last.verdicts[0].event.cause == "duplicate_posting");
  CHECK(core.last.verdicts[0].event.cause_detail == "legacy posted 5.00, modern 10.00: 2 times as much on modern");
  deposit(3, "20.00", "20.00");
  REQUIRE(core.last.verdicts.size() == 1);
  CHECK(core.last.verdicts[0].event.cause == "missing_posting");
}

TEST_CASE("an exchange delivered twice counts once") {
  Core core;
  const auto event = exchange(1, body("10.00"), body("11.00"), {{"7", 1}});
  CHECK(core.apply(event).size() == 1);
  CHECK(core.apply(event).empty());
  CHECK(core.count("received") == 1);
  CHECK(core.count("mismatch") == 1);
  CHECK(core.score().received == 1);
}

TEST_CASE("exchanges of a key that arrive out of order are judged in order") {
  Core core;
  const auto wrong = exchange(1, body("10.00"), body("10.05"), {{"7", 1}});
  const auto right = exchange(2, body("20.00"), body("20.05"), {{"7", 2}});
  const auto later = exchange(3, body("30.00"), body("30.05"), {{"7", 3}});
  CHECK(core.apply(later).empty());
  CHECK(core.apply(right).empty());
  CHECK(core.core.open_count() == 2);
  CHECK(core.score().pending == 2);
  CHECK(core.apply(wrong) == Verdicts{{wrong.exchange_id, Verdict::mismatch}});
  CHECK(core.core.open_count() == 0);
  CHECK(core.count("match") == 2);
}

TEST_CASE("a predecessor that never comes is waited for until settle, then the gap proves nothing") {
  Core core;
  core.apply(exchange(1, body("10.00"), body("10.00"), {{"7", 1}}));
  CHECK(core.apply(exchange(2, body("20.00"), body("20.05"), {{"7", 3}})).empty());
  auto other = exchange(3, body("1"), body("1"), {{"8", 1}});
  other.completed_at_us += 4'000'000;
  core.apply(other);
  CHECK(core.core.open_count() == 1);
  auto later = exchange(4, body("1"), body("1"), {{"8", 2}});
  later.completed_at_us += 6'000'000;
  const auto verdicts = core.apply(later);
  REQUIRE(verdicts.size() == 1);
  CHECK(verdicts[0].second == Verdict::unknown);
  CHECK(core.core.open_count() == 0);
  CHECK(core.apply(exchange(5, body("30.00"), body("30.05"), {{"7", 4}})).empty());  // the gap is known again
  const auto late = core.apply(exchange(6, body("9.00"), body("9.00"), {{"7", 2}}));
  REQUIRE(late.size() == 1);
  CHECK(late[0].second == Verdict::unknown);
}

TEST_CASE("what was left out waits as long as a slow shadow leg before it may take") {
  Core core;
  core.apply(exchange(1, body("10.00"), body("10.00"), {{"7", 1}}));
  auto left_out = exchange(3, body("20.00"), "", {{"7", 3}});
  left_out.write = false;
  left_out.excluded = "overlap";
  left_out.shadow = {};
  core.apply(left_out);
  auto other = exchange(4, body("1"), body("1"), {{"8", 1}});
  other.completed_at_us += 12'000'000;
  core.apply(other);
  auto slow = exchange(2, body("20.00"), body("20.05"), {{"7", 2}});
  slow.completed_at_us = other.completed_at_us;
  CHECK(core.apply(slow) == Verdicts{{slow.exchange_id, Verdict::mismatch}});
  CHECK(core.core.open_count() == 0);
}

TEST_CASE("a gateway that numbers a forgotten key from 1 again, or was restarted, is followed at once") {
  Core core;
  for (std::uint64_t i = 1; i <= 5; ++i) core.apply(exchange(i, body("1"), body("1"), {{"7", i}}));
  const auto wrong = exchange(6, body("2"), body("3"), {{"7", 1}});
  CHECK(core.apply(wrong) == Verdicts{{wrong.exchange_id, Verdict::mismatch}});
  CHECK(core.apply(exchange(7, body("2"), body("3"), {{"7", 2}})).empty());
  auto restarted = exchange(8, body("2"), body("3"), {{"7", 1}});
  restarted.incarnation = "second";
  CHECK(core.apply(restarted).empty());
  CHECK(core.core.open_count() == 0);
  CHECK(core.count("match") == 7);
}

TEST_CASE("events of an older incarnation that come before the new one's are in order") {
  Core core;
  auto first = exchange(1, body("1"), body("1"), {{"7", 1}});
  auto second = exchange(2, body("2"), body("3"), {{"7", 2}});  // published by the next incarnation, in its own name
  auto third = exchange(3, body("4"), body("5"), {{"7", 1}});
  third.incarnation = "second";
  CHECK(core.apply(first).empty());
  CHECK(core.apply(second) == Verdicts{{second.exchange_id, Verdict::mismatch}});
  CHECK(core.apply(third).empty());
  CHECK(core.core.open_count() == 0);
  CHECK(core.count("match") == 2);
}

TEST_CASE("an event of an older incarnation that comes after the new one's is late: no proof against modern") {
  Core core;
  core.apply(exchange(1, body("1"), body("1"), {{"7", 1}}));
  auto restarted = exchange(3, body("3"), body("4"), {{"7", 1}});
  restarted.incarnation = "second";
  CHECK(core.apply(restarted) == Verdicts{{restarted.exchange_id, Verdict::mismatch}});
  const auto late = exchange(2, body("2"), body("2"), {{"7", 2}});
  CHECK(core.apply(late) == Verdicts{{late.exchange_id, Verdict::unknown}});
  auto next = exchange(4, body("4"), body("5"), {{"7", 2}});
  next.incarnation = "second";
  CHECK(core.apply(next).empty());
  auto wrong = exchange(5, body("5"), body("7"), {{"7", 3}});
  wrong.incarnation = "second";
  CHECK(core.apply(wrong) == Verdicts{{wrong.exchange_id, Verdict::mismatch}});
}

TEST_CASE("an exchange that comes again from a later incarnation counts once") {
  Core core;
  auto event = exchange(1, body("10.00"), body("11.00"), {{"7", 1}});
  CHECK(core.apply(event).size() == 1);
  event.incarnation = "second";
  event.sequence = 900;
  event.keys = {{"7", 4}};
  event.dropped = "lost";  // what the next incarnation knows of it may be less
  CHECK(core.apply(event).empty());
  CHECK(core.count("received") == 1);
  CHECK(core.count("dropped") == 0);
  CHECK(core.core.open_count() == 0);
  // And its numbering there means nothing: what follows is not waited for.
  CHECK(core.apply(exchange(2, body("20.00"), body("21.00"), {{"7", 2}})).empty());
  CHECK(core.count("match") == 1);
}

TEST_CASE("ids are remembered for ten minutes of event time, and at most so many") {
  Core core;
  const auto event = exchange(1, body("1"), body("1"), {{"7", 1}});
  core.apply(event);
  auto later = exchange(2, body("1"), body("1"), {{"8", 1}});
  later.completed_at_us = event.completed_at_us + DecisionCore::kRememberIdsUs;
  core.apply(later);
  core.apply(event);
  CHECK(core.count("received") == 2);
  later = exchange(3, body("1"), body("1"), {{"8", 2}});
  later.completed_at_us = event.completed_at_us + DecisionCore::kRememberIdsUs + 1;
  core.apply(later);
  core.apply(event);
  CHECK(core.count("received") == 4);  // too long ago to be known
}

TEST_CASE("an exchange that died with its gateway is unknown, and what it posted proves nothing") {
  for (const bool write : {true, false}) {
    for (const std::string excluded : {"", "client_aborted"}) {
      INFO((write ? "write " : "read ") << excluded);
      Core core;
      core.apply(exchange(1, body("1"), body("1"), {{"7", 1}}));
      auto lost = exchange(2, "", "", {{"7", 2}});
      lost.write = write;
      lost.dropped = "lost";
      lost.excluded = excluded;
      lost.serving = lost.shadow = {};  // nobody knows how far it came
      const auto verdicts = core.apply(lost);
      if (excluded.empty()) {
        CHECK(verdicts == Verdicts{{lost.exchange_id, Verdict::unknown}});
        CHECK_THAT(core.last.verdicts[0].event.detail, Catch::Contains("lost with its gateway"));
      } else {
        CHECK(verdicts.empty());
      }
      CHECK(core.count("dropped") == 1);
      const auto next = exchange(3, body("9"), body("8"), {{"7", 3}});
      CHECK(core.apply(next) == Verdicts{{next.exchange_id, write ? Verdict::unknown : Verdict::mismatch}});
      CHECK(core.apply(exchange(4, body("19"), body("18"), {{"7", 4}})).empty());
    }
  }
}

TEST_CASE("a body that was cut is unknown and leaves the account as it was; another status is a mismatch") {
  Core core;
  core.apply(exchange(1, body("1"), body("1"), {{"7", 1}}));
  auto cut = exchange(2, body("2"), body("2"), {{"7", 2}});
  cut.shadow.cut = true;
  CHECK(core.apply(cut) == Verdicts{{cut.exchange_id, Verdict::unknown}});
  CHECK(core.apply(exchange(3, body("3"), body("3"), {{"7", 3}})).empty());
  cut = exchange(4, body("4"), body("4"), {{"7", 4}});
  cut.shadow.cut = true;
  cut.shadow.status = 404;
  CHECK(core.apply(cut) == Verdicts{{cut.exchange_id, Verdict::mismatch}});
}

TEST_CASE("what could not be compared stays unknown when the balance turns out well later") {
  auto config = make_config();
  config.gateway.routes[0].compare.headers = {"Set-Cookie"};
  DecisionCore core(config, CoreState{});
  auto overlapping = exchange(1, body("10.00"), body("9.00"), {{"7", 1}});
  overlapping.overlap = true;
  for (auto* leg : {&overlapping.serving, &overlapping.shadow}) leg->headers.emplace_back("Set-Cookie", "(redacted)");
  core.apply(record_of(overlapping, 0));
  CHECK(core.open_count() == 1);
  core.apply(record_of(exchange(2, body("20.00"), body("20.00"), {{"7", 2}}), 1));  // in order after all
  const auto changes = core.take_changes();
  REQUIRE(changes.verdicts.size() == 1);
  CHECK(changes.verdicts[0].event.verdict == Verdict::unknown);
  CHECK(changes.verdicts[0].event.detail == "header Set-Cookie is redacted");
}

TEST_CASE("a key that two gateways write is split: counted once a rung, told, and no verdict") {
  Core core;
  auto second = exchange(2, body("1"), body("1"), {{"7", 1}, {"8", 1}});
  second.gateway = "gw-2";
  core.apply(exchange(1, body("1"), body("1"), {{"7", 1}, {"9", 1}}));
  core.apply(second);
  REQUIRE(core.last.split_keys.size() == 1);
  const auto& notice = core.last.split_keys[0];
  CHECK(notice.key == "7");
  CHECK(notice.slice == "payments");
  CHECK(notice.gateways == std::array<std::string, 2>{"gw-1", "gw-2"});
  CHECK(notice.exchange_ids[1] == second.exchange_id);
  CHECK(core.last.verdicts.empty());
  core.apply(exchange(3, body("1"), body("1"), {{"7", 2}}));
  CHECK(core.last.split_keys.empty());
  CHECK(core.score().split_keys == 1);
  CHECK(core.score().trip_reason.empty());
  CHECK(core.count("split_key", "") == 1);

  auto risen = exchange(4, body("1"), body("1"), {{"7", 3}});
  risen.rung = 5;
  auto other = exchange(5, body("1"), body("1"), {{"8", 2}});
  other.rung = 5;
  core.apply(risen);
  CHECK(core.score().split_keys == 1);  // gw-2 wrote it a moment ago
  CHECK(core.last.split_keys[0].rung == 5);
  core.apply(other);
  CHECK(core.score().split_keys == 2);
  CHECK(core.count("split_key", "", 5) == 2);
}

TEST_CASE("reads, writes that were never sent and restarts of one gateway split nothing") {
  Core core;
  core.apply(exchange(1, body("1"), body("1"), {{"7", 1}}));
  auto read = exchange(2, body("1"), body("1"), {{"7", 1}});
  read.gateway = "gw-2";
  read.write = false;
  core.apply(read);
  auto refused = exchange(3, "", "", {{"7", 2}});
  refused.gateway = "gw-2";
  refused.excluded = "gate_wait";
  refused.serving = refused.shadow = {};
  core.apply(refused);
  auto restarted = exchange(4, body("1"), body("1"), {{"7", 1}});
  restarted.incarnation = "second";
  core.apply(restarted);
  CHECK(core.score().split_keys == 0);
  refused = exchange(5, "", "", {{"7", 3}});
  refused.gateway = "gw-2";
  refused.dropped = "lost";  // it may have been sent
  refused.serving = refused.shadow = {};
  core.apply(refused);
  CHECK(core.score().split_keys == 1);
}

TEST_CASE("a clock that is ahead does not stretch a write into the future") {
  Core core;
  auto ahead = exchange(1, body("1"), body("1"), {{"7", 1}});
  ahead.completed_at_us += 3'600'000'000;
  auto record = record_of(ahead, 1);
  record.timestamp_ms = ahead.received_at_us / 1'000;
  core.core.apply(record);
  auto later = exchange(2, body("1"), body("1"), {{"7", 1}});
  later.gateway = "gw-2";
  later.received_at_us += 600'000'000;
  later.completed_at_us += 600'000'000;
  core.apply(later);
  CHECK(core.score().split_keys == 0);
}

TEST_CASE("a write that was refused on both sides or never left moves no account") {
  Core core;
  auto refused = exchange(1, "", "", {{"7", 1}});
  refused.serving = json_leg(422, R"({"error":"funds"})");
  refused.shadow = {};
  refused.dropped = "shadow_queue_full";
  CHECK(core.apply(refused) == Verdicts{{refused.exchange_id, Verdict::unknown}});
  const auto wrong = exchange(2, body("1"), body("2"), {{"7", 2}});
  CHECK(core.apply(wrong) == Verdicts{{wrong.exchange_id, Verdict::mismatch}});
}

TEST_CASE("transfers wait for both of their accounts") {
  Core core;
  core.apply(exchange(3, body("3"), body("3"), {{"7", 2}, {"8", 2}}));
  core.apply(exchange(1, body("1"), body("1"), {{"7", 1}}));
  CHECK(core.core.open_count() == 1);
  core.apply(exchange(2, body("2"), body("2"), {{"8", 1}}));
  CHECK(core.core.open_count() == 0);
  CHECK(core.count("match") == 3);
}

TEST_CASE("what was left out beforehand, what was lost through us, and what is uncertain") {
  Core core;
  auto excluded = exchange(1, body("1"), body("2"), {{"7", 1}});
  excluded.write = false;
  excluded.excluded = "overlap";
  CHECK(core.apply(excluded).empty());
  auto dropped = exchange(2, body("1"), "", {{"7", 2}});
  dropped.dropped = "queue_full";
  dropped.shadow = {};
  CHECK(core.apply(dropped) == Verdicts{{dropped.exchange_id, Verdict::unknown}});
  auto timeout = exchange(3, body("1"), "", {{"8", 1}});
  timeout.shadow.outcome = LegOutcome::timeout;
  timeout.shadow.uncertain = true;
  CHECK(core.apply(timeout) == Verdicts{{timeout.exchange_id, Verdict::unknown}});
  const auto score = core.score();
  CHECK(score.received == 3);
  CHECK(score.excluded == 1);
  CHECK(score.unknown == 2);
  CHECK(score.decided == 0);
  CHECK(score.coverage == 0.0);
  // The next answer on an account whose leg was lost is not held against modern.
  const auto next = exchange(4, body("9"), body("8"), {{"7", 3}});
  CHECK(core.apply(next) == Verdicts{{next.exchange_id, Verdict::unknown}});
}

TEST_CASE("answers that are no success are compared and decided, but are no evidence") {
  Core core;
  auto refused = exchange(1, "", "", {{"7", 1}});
  refused.serving = json_leg(422, R"({"error":"funds"})");
  refused.shadow = json_leg(422, R"({"error":"funds"})");
  CHECK(core.apply(refused).empty());
  auto split = exchange(2, "", "", {{"7", 2}});
  split.serving = json_leg(422, R"({"error":"funds"})");
  split.shadow = json_leg(200, body("1"));
  CHECK(core.apply(split) == Verdicts{{split.exchange_id, Verdict::mismatch}});
  CHECK(core.score().decided == 2);
  CHECK(core.score().writes.units == EvidenceCounts{0, 0});
  CHECK(core.score().writes.exchanges == EvidenceCounts{2, 1});
}

TEST_CASE("without ledgers an overlap that is never seen aligned becomes unknown in event time") {
  Core core;
  auto overlapping = exchange(1, body("10"), body("20"), {{"7", 1}});
  overlapping.overlap = true;
  CHECK(core.apply(overlapping).empty());
  CHECK(core.core.open_count() == 1);
  auto later = exchange(2, body("1"), body("1"), {{"8", 1}});
  later.completed_at_us += 6'000'000;
  CHECK(core.apply(later) == Verdicts{{overlapping.exchange_id, Verdict::unknown}});
  CHECK(core.core.open_count() == 0);
}

TEST_CASE("records that cannot be read are set aside with their position") {
  Core core;
  LogRecord bad{topics::kShadowRequests, 0, 41, 0, "k", std::string(100'000, '\xff')};
  core.core.apply(bad);
  core.core.apply({topics::kDbStateUpdates, 0, 3, 0, "k", "{}"});
  const auto changes = core.core.take_changes();
  REQUIRE(changes.rejected.size() == 2);
  CHECK(changes.rejected[0].offset == 41);
  CHECK(changes.rejected[0].value.size() == 64 << 10);
  CHECK_FALSE(changes.rejected[0].reason.empty());
  CHECK(core.core.rejected().at(topics::kShadowRequests) == 1);
  CHECK(core.apply(exchange(1, body("1"), body("1"), {{"7", 1}})).empty());
  CHECK(core.count("match") == 1);
}

TEST_CASE("one broken clock does not age what is open") {
  Core core;
  auto overlapping = exchange(1, body("10"), body("20"), {{"7", 1}});
  overlapping.overlap = true;
  core.apply(overlapping);
  auto future = exchange(2, body("1"), body("1"), {{"8", 1}});
  future.completed_at_us += 365ll * 24 * 3600 * 1'000'000;
  auto record = record_of(future, 2);
  record.timestamp_ms = overlapping.completed_at_us / 1'000;
  core.core.apply(record);
  CHECK(core.core.event_time_us() == record.timestamp_ms * 1'000 + 60'000'000);
}

TEST_CASE("accounts of writes are to be read until a reading has covered them") {
  Core core(true);
  const auto event = exchange(1, body("10.00"), body("10.00"), {{"7", 1}, {"8", 1}});
  core.apply(event);
  CHECK(core.core.wanted_readings() == std::map<std::string, bool>{{"7", false}, {"8", false}});
  for (const Side side : {Side::legacy, Side::modern}) {
    BalanceReading reading;
    reading.account = "7";
    reading.side = side;
    reading.exists = true;
    reading.balance_minor = 1'000;
    reading.currency = "EUR";
    reading.txn_count = 1;
    reading.txn_hash = "h";
    reading.read_at_us = event.completed_at_us + 10;
    reading.read_id = static_cast<std::uint64_t>(core.core.exchange_time_us());
    core.core.apply({topics::kDbStateUpdates, 0, 0, 0, "7", encode(reading)});
  }
  CHECK(core.core.wanted_readings() == std::map<std::string, bool>{{"8", false}});
  auto read = exchange(2, body("10.00"), body("10.00"), {{"7", 2}});
  read.write = false;
  core.apply(read);
  CHECK(core.core.wanted_readings().size() == 1);
}

TEST_CASE("readings decide nothing about an account whose first exchanges still wait for their order") {
  Core core(true);
  const auto second = exchange(2, body("30.00"), body("30.00"), {{"7", 2}});
  core.apply(second);
  CHECK(core.core.wanted_readings() == std::map<std::string, bool>{{"7", true}});
  for (int i = 0; i < 4; ++i) {  // modern lags behind by one posting
    for (const Side side : {Side::legacy, Side::modern}) {
      BalanceReading reading;
      reading.account = "7";
      reading.side = side;
      reading.exists = true;
      reading.balance_minor = side == Side::legacy ? 3'000 : 1'000;
      reading.txn_count = side == Side::legacy ? 2 : 1;
      reading.txn_hash = std::to_string(*reading.txn_count);
      reading.read_at_us = second.completed_at_us + 50'000 * (i + 1);
      reading.read_id = static_cast<std::uint64_t>(core.core.exchange_time_us());
      core.core.apply({topics::kDbStateUpdates, 0, 0, 0, "7", encode(reading)});
    }
  }
  CHECK(core.verdicts().empty());
  CHECK(core.apply(exchange(1, body("10.00"), body("10.00"), {{"7", 1}})).empty());
  CHECK(core.count("match") == 2);
}

TEST_CASE("a read that differs on an account known to differ says so") {
  Core core;
  const auto wrong = exchange(1, body("10.00"), body("10.05"), {{"7", 1}});
  core.apply(wrong);
  auto read = exchange(2, R"({"lines":[1]})", R"({"lines":[2]})", {{"7", 2}});
  read.write = false;
  core.apply(read);
  REQUIRE(core.last.verdicts.size() == 1);
  CHECK(core.last.verdicts[0].event.detail ==
        "/lines/0: legacy 1, modern 2 (account already differs since " + wrong.exchange_id + ")");
}

TEST_CASE("names that Postgres cannot hold are spelled, not merged and not lost") {
  Core core;
  CHECK(core.apply(exchange(1, body("1"), body("1"), {{std::string("a\0b", 3), 1}})).empty());
  CHECK(core.last.accounts == std::unordered_set<std::string>{"a\\x00b"});
}
