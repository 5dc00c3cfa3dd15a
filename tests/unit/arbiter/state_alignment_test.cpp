// Verdicts from both ledgers' change streams: each rule with a schedule that goes wrong without it.
#include "tests/support/catch.hpp"
#include "tests/unit/arbiter/state_streams.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using phoenix::test::exchange;
using phoenix::test::StateStreams;
using Verdicts = StateStreams::Verdicts;

namespace {

std::string body(const std::string& balance, const std::string& fee = "0.10") {
  return R"({"fee":)" + fee + R"(,"balance":)" + balance + "}";
}

/// A deposit to account 7; `number` makes its id.
ExchangeEvent deposit(std::uint64_t number, const std::string& legacy_balance, const std::string& modern_balance) {
  return exchange(number, body(legacy_balance), body(modern_balance), {{"7", number}});
}

constexpr Side kLegacy = Side::legacy, kModern = Side::modern;

}  // namespace

TEST_CASE("a posting that both sides made alike is a match without any marker") {
  StateStreams s;
  const auto e = deposit(1, "110.00", "110.00");
  s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id);
  s.post(kModern, "7", "100.00", "110.00", e.exchange_id);
  s.post(kLegacy, "8", "1", "2", deposit(2, "", "").exchange_id);  // the transactions of both are over
  s.post(kModern, "8", "1", "2", deposit(2, "", "").exchange_id);
  CHECK(s.apply(e).empty());
  CHECK(s.count("match") == 1);
  CHECK(s.core().open_count() == 0);
  CHECK(s.account("7").gap == 0);
}

TEST_CASE("a transaction that is still coming in decides nothing") {
  StateStreams s;
  const auto e = deposit(1, "109.90", "109.90");
  s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id, "t1");
  s.post(kLegacy, "7", "110.00", "109.90", e.exchange_id, "t1");
  s.post(kModern, "7", "100.00", "110.00", e.exchange_id, "t2");
  CHECK(s.apply(e).empty());
  CHECK(s.core().open_count() == 1);
  s.post(kModern, "7", "110.00", "109.90", e.exchange_id, "t2");
  CHECK(s.markers().empty());
  CHECK(s.count("match") == 1);
}

TEST_CASE("postings in any order around their event: the same verdict") {
  for (int order = 0; order < 6; ++order) {
    INFO(order);
    StateStreams s;
    const auto e = deposit(1, "110.00", "110.05");
    std::vector<int> steps{0, 1, 2};
    for (int i = 0; i < order; ++i) std::next_permutation(steps.begin(), steps.end());
    for (const int step : steps) {
      if (step == 0) s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id);
      if (step == 1) s.post(kModern, "7", "100.00", "110.05", e.exchange_id);
      if (step == 2) CHECK(s.apply(e).empty());
    }
    CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::mismatch}});
    CHECK_THAT(s.last.verdicts[0].event.detail, Catch::Contains("legacy posted 10.00, modern 10.05"));
    CHECK(s.account("7").gap == 5);
    CHECK(s.score().confirmed_balance_mismatches == 1);
    REQUIRE(s.last.evidence.size() == 1);
    REQUIRE(s.last.evidence[0].postings.size() == 1);
    CHECK(s.last.evidence[0].postings[0].legs[1].delta == 1005);
    CHECK(s.last.evidence[0].postings[0].legs[1].before == 10000);
  }
}

TEST_CASE("a wrong posting is one mismatch: later postings and reads carry the gap (rule 14)") {
  StateStreams s;
  const auto wrong = deposit(1, "110.00", "110.05");
  s.post_both("7", {"100.00", "110.00"}, {"100.00", "110.05"}, wrong.exchange_id);
  s.apply(wrong);
  CHECK(s.markers().size() == 1);
  const auto right = deposit(2, "120.00", "120.05");
  s.post_both("7", {"110.00", "120.00"}, {"110.05", "120.05"}, right.exchange_id);
  s.apply(right);
  auto read = deposit(3, "120.00", "120.05");
  read.write = false;
  CHECK(s.apply(read).empty());
  CHECK(s.markers().empty());
  CHECK(s.count("match") == 2);
  CHECK(s.core().scores().front().drift_minor_units.at("EUR") == 5);
}

TEST_CASE("missing is what a marker of that side has overtaken, for legs answered 2xx (rule 15)") {
  StateStreams s;
  const auto e = deposit(1, "110.00", "110.00");
  s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id);
  CHECK(s.apply(e).empty());
  CHECK(s.marker(kLegacy).empty());
  CHECK(s.marker(kModern, 0).empty());  // written before its event
  CHECK(s.marker(kModern) == Verdicts{{e.exchange_id, Verdict::missing_modern}});
  s.post(kModern, "7", "100.00", "100.00", "", "anything");
  CHECK(s.account("7").gap == -1000);

  SECTION("a later arrival supersedes it and corrects the counters (rule 14)") {
    CHECK(s.count("missing_modern") == 1);
    CHECK(s.score().writes.exchanges.mismatches == 1);
    CHECK(s.score().confirmed_balance_mismatches == 1);
    s.post(kModern, "7", "100.00", "110.00", e.exchange_id);
    CHECK(s.marker(kModern) == Verdicts{{e.exchange_id, Verdict::match_late}});
    CHECK(s.count("missing_modern") == 0);
    CHECK(s.count("match_late") == 1);
    CHECK(s.score().writes.exchanges.mismatches == 0);
    CHECK(s.score().writes.units.mismatches == 0);
    CHECK(s.score().writes.exchanges.units == 1);
    CHECK(s.score().confirmed_balance_mismatches == 0);
    CHECK(s.account("7").gap == 0);
  }
  SECTION("and the account stays decidable") {
    const auto next = deposit(2, "120.00", "110.00");
    s.post_both("7", {"110.00", "120.00"}, {"100.00", "110.00"}, next.exchange_id);
    s.apply(next);
    CHECK(s.markers().empty());
    CHECK(s.count("match") == 1);
    CHECK(s.account("7").postings.aligned());
  }
}

TEST_CASE("a leg that was not answered 2xx is never missing (rules 6, 15)") {
  StateStreams s;
  auto e = deposit(1, "110.00", "110.00");
  s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id);

  SECTION("a time-out that never committed: unknown, after the time in which it may") {
    e.shadow = {};
    e.shadow.outcome = LegOutcome::timeout;
    e.shadow.uncertain = true;
    s.apply(e);
    CHECK(s.markers().empty());
    CHECK(s.heartbeat(e.completed_at_us + 21'000'000) == Verdicts{{e.exchange_id, Verdict::unknown}});
    CHECK(s.account("7").gap == -1000);
    CHECK(s.score().trip_reason.empty());
  }
  SECTION("a time-out that committed: resolved by its posting") {
    e.shadow = {};
    e.shadow.outcome = LegOutcome::timeout;
    e.shadow.uncertain = true;
    s.apply(e);
    CHECK(s.markers().empty());
    s.post(kModern, "7", "100.00", "110.00", e.exchange_id);
    CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::match_late}});
  }
  SECTION("a time-out that committed something else: a mismatch") {
    e.shadow = {};
    e.shadow.outcome = LegOutcome::timeout;
    e.shadow.uncertain = true;
    s.apply(e);
    s.post(kModern, "7", "100.00", "111.00", e.exchange_id);
    CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::mismatch}});
  }
  SECTION("a leg that was dropped through us: unknown, and the gap is known") {
    e.dropped = "queue_full";
    e.shadow = {};
    s.apply(e);
    CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::unknown}});
    CHECK(s.account("7").gap == -1000);
  }
  SECTION("refused there: a mismatch of the answers, at once when covered") {
    e.shadow.status = 409;
    s.apply(e);
    CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::mismatch}});
    CHECK(s.account("7").gap == -1000);
  }
}

TEST_CASE("a row that is written again with the balance it had is no posting that the other side lacks") {
  StateStreams s;
  auto e = deposit(1, "100.00", "100.00");
  const bool seeded = GENERATE(true, false);
  if (seeded) s.post_both("7", {"100.00", "100.00"}, {"100.00", "100.00"}, "");
  const Side side = GENERATE(kLegacy, kModern);
  s.post(side, "7", "100.00", "100.00", e.exchange_id);
  SECTION("an exchange of amount zero: the answers decide, where both balances are known") {
    CHECK(s.apply(e).empty());  // the other side's posting may still come
    s.markers();
    CHECK(s.count("match") + s.count("match_late") == (seeded ? 1 : 0));
    CHECK(s.count(side == kLegacy ? "missing_modern" : "missing_legacy") == (seeded ? 0 : 1));
    CHECK(s.account("7").gap == 0);
    if (!seeded) return;
    s.post_both("7", {"100.00", "105.00"}, {"100.00", "105.00"}, "");
    const auto next = deposit(2, "115.00", "115.00");
    s.post_both("7", {"105.00", "115.00"}, {"105.00", "115.00"}, next.exchange_id);
    s.apply(next);
    CHECK(s.markers().empty());
  }
  SECTION("refused by both: so they do") {
    e.serving.status = e.shadow.status = 409;
    s.apply(e);
    CHECK(s.markers().size() == (seeded ? 0 : 1));
  }
  SECTION("the other side posts an amount, before the markers or after them: a mismatch") {
    const bool late = GENERATE(true, false);
    if (!seeded) return;
    s.apply(e);
    if (late) s.markers();
    s.post(side == kLegacy ? kModern : kLegacy, "7", "100.00", "110.00", e.exchange_id);
    s.markers();
    CHECK(s.count("mismatch") == 1);
    CHECK(s.count("match") + s.count("match_late") == 0);
  }
}

TEST_CASE(
    "a row that goes, or an amount that is posted and taken back, is a posting: it is missing on the other side") {
  StateStreams s;
  const auto e = deposit(1, "0.00", "0.00");
  s.post_both("7", {"0.00", "0.00"}, {"0.00", "0.00"}, "");
  SECTION("the row goes") {
    auto gone = s.change(kModern, "7", "0.00", "0.00", e.exchange_id);
    gone.op = StateChange::Op::remove;
    s.apply(gone);
  }
  SECTION("two rows of one transaction") {
    s.post(kModern, "7", "0.00", "10.00", e.exchange_id, "t");
    s.post(kModern, "7", "10.00", "0.00", e.exchange_id, "t");
  }
  s.apply(e);
  CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::missing_legacy}});
}

TEST_CASE("neither posted and both markers cover it: the answers alone decide") {
  StateStreams s;
  const auto e = deposit(1, "5.00", "5.00");
  CHECK(s.apply(e).empty());
  CHECK(s.core().open_count() == 1);
  CHECK(s.markers().empty());
  CHECK(s.count("match") == 1);
}

TEST_CASE("a posting twice is a duplicate, also after its exchange was a match") {
  StateStreams s;
  const auto e = deposit(1, "110.00", "110.00");
  s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id);
  s.post(kModern, "7", "100.00", "110.00", e.exchange_id);
  SECTION("before") {
    s.post(kModern, "7", "110.00", "120.00", e.exchange_id);
    s.apply(e);
    CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::duplicate}});
  }
  SECTION("after") {
    s.apply(e);
    CHECK(s.markers().empty());
    CHECK(s.count("match") == 1);
    s.post(kModern, "7", "110.00", "120.00", e.exchange_id);
    CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::duplicate}});
    CHECK(s.count("match") == 0);
  }
  CHECK(s.count("duplicate") == 1);
  CHECK(s.account("7").gap == 1000);
  CHECK(s.account("7").postings.aligned());
  const auto next = deposit(2, "120.00", "130.00");
  s.post_both("7", {"110.00", "120.00"}, {"120.00", "130.00"}, next.exchange_id);
  s.apply(next);
  CHECK(s.markers().empty());
}

TEST_CASE("records of the log that come twice, or in another order, change nothing") {
  StateStreams s;
  const auto e = deposit(1, "110.00", "110.00");
  const auto first = s.change(kLegacy, "7", "100.00", "110.00", e.exchange_id);
  const auto second = s.change(kLegacy, "7", "110.00", "130.00", deposit(2, "", "").exchange_id);
  s.apply(first);
  s.apply(second);
  s.apply(first);
  s.apply(second);
  CHECK(s.account("7").postings.chains[0].balance == 13000);
  CHECK(s.account("7").postings.open.size() == 2);
  const auto third = s.change(kLegacy, "7", "130.00", "131.00", deposit(3, "", "").exchange_id);
  const auto fourth = s.change(kLegacy, "7", "131.00", "133.00", deposit(4, "", "").exchange_id);
  s.apply(fourth);
  const auto& breaks = s.account("7").postings.breaks;  // the first is before all that is known of the account
  CHECK(breaks.size() == 2);
  s.apply(third);
  s.apply(third);
  CHECK(breaks.size() == 1);
  CHECK(breaks.front().opening());
  CHECK(s.markers().empty());
  CHECK(breaks.empty());
  CHECK(s.account("7").postings.chains[0].balance == 13300);
}

TEST_CASE("a break of the chain is a discontinuity: the account is unknown until it is rebased (rules 14, 20)") {
  StateStreams s;
  const auto first = deposit(1, "110.00", "110.00");
  s.post_both("7", {"100.00", "110.00"}, {"100.00", "110.00"}, first.exchange_id);
  s.apply(first);
  s.markers();
  SECTION("a change is lost") {
    s.post(kModern, "7", "115.00", "116.00", "", "x");
  }
  SECTION("a gap is told") {
    s.apply(StateGap{kModern, "slot recreated"});
    s.heartbeat(first.completed_at_us);
  }
  const auto lost = deposit(2, "120.00", "120.00");
  s.post(kLegacy, "7", "110.00", "120.00", lost.exchange_id);
  s.apply(lost);
  const auto verdicts = s.markers();
  REQUIRE_FALSE(verdicts.empty());
  for (const auto& [id, verdict] : verdicts) CHECK(verdict == Verdict::unknown);
  CHECK(s.score().trip_reason.empty());

  s.core().rebase("7", {Decimal::parse("120.00").value(), Decimal::parse("121.00").value()});
  CHECK(s.account("7").gap == 100);
  auto read = deposit(3, "120.00", "121.00");
  read.write = false;
  CHECK(s.apply(read).empty());
  const auto next = deposit(4, "130.00", "131.00");
  s.post_both("7", {"120.00", "130.00"}, {"121.00", "131.00"}, next.exchange_id);
  s.apply(next);
  CHECK(s.markers().empty());
}

TEST_CASE("overlapping writes applied in another order: only with proof (rule 4)") {
  StateStreams s;
  const auto a = deposit(1, "110.00", "130.00");
  auto b = deposit(2, "130.00", "120.00");
  s.post(kLegacy, "7", "100.00", "110.00", a.exchange_id);
  s.post(kLegacy, "7", "110.00", "130.00", b.exchange_id);
  s.post(kModern, "7", "100.00", "120.00", b.exchange_id);
  s.post(kModern, "7", "120.00", "130.00", a.exchange_id);
  SECTION("each states what its posting left behind") {
    s.apply(a);
    s.apply(b);
    CHECK(s.markers() ==
          Verdicts{{a.exchange_id, Verdict::order_dependent}, {b.exchange_id, Verdict::order_dependent}});
    CHECK(s.account("7").postings.aligned());
  }
  SECTION("one states something else") {
    b = exchange(2, body("130.00"), body("125.00"), {{"7", 2}});
    s.apply(a);
    s.apply(b);
    CHECK(s.markers() == Verdicts{{a.exchange_id, Verdict::order_dependent}, {b.exchange_id, Verdict::mismatch}});
  }
  CHECK(s.account("7").gap == 0);
}

TEST_CASE("a posting without its event is unknown once no event can come (rule 5)") {
  StateStreams s;
  const auto e = deposit(1, "110.00", "110.00");
  s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id);
  s.post(kModern, "7", "100.00", "100.00", "", "x");
  CHECK(s.markers().empty());
  CHECK(s.heartbeat(e.received_at_us + 500'000).empty());
  const auto verdicts = s.heartbeat(e.received_at_us + 5'000'000);
  REQUIRE(verdicts.size() == 1);
  CHECK(verdicts[0].second == Verdict::unknown);
  CHECK(s.last.verdicts[0].id == "posting/" + e.exchange_id + "/7");
  CHECK(s.account("7").gap == -1000);
  SECTION("its event comes all the same") {
    s.apply(e);
    CHECK(s.last.retracted == std::vector<std::string>{"posting/" + e.exchange_id + "/7"});
    CHECK(s.count("unknown", "") == 0);
    CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::missing_modern}});
  }
}

TEST_CASE("a foreign change moves the gap and is never a mismatch (rule 16)") {
  StateStreams s;
  s.post(kLegacy, "7", "100.00", "101.00", "", "interest");
  s.post(kModern, "7", "100.00", "100.00", "", "start");
  CHECK(s.account("7").gap == -100);
  auto read = deposit(1, "101.00", "100.00");
  read.write = false;
  CHECK(s.apply(read).empty());
  CHECK(s.count("match") == 1);
  s.post(kModern, "7", "100.00", "101.00", "", "interest");
  CHECK(s.account("7").gap == 0);
  CHECK(s.markers().empty());
}

TEST_CASE("a read whose difference is not the gap waits for what is on its way, then is judged") {
  StateStreams s;
  const auto e = deposit(1, "110.00", "110.00");
  s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id);
  s.post(kModern, "7", "100.00", "100.00", "", "start");
  auto read = deposit(2, "110.00", "100.00");
  read.write = false;
  CHECK(s.apply(read).empty());
  CHECK(s.core().open_count() == 1);
  SECTION("the missing posting explains it") {
    s.apply(e);
    CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::missing_modern}, {read.exchange_id, Verdict::match_late}});
  }
  SECTION("it was wrong") {
    s.post(kModern, "7", "100.00", "110.00", e.exchange_id);
    s.apply(e);
    CHECK(s.markers() == Verdicts{{read.exchange_id, Verdict::mismatch}});
  }
}

TEST_CASE("a change of another column posts nothing") {
  StateStreams s;
  s.post(kLegacy, "7", "100.00", "100.00", "");
  CHECK(s.account("7").postings.foreign.empty());
  CHECK_FALSE(s.account("7").postings.through_us);
  CHECK(s.account("7").postings.chains[0].balance == 10'000);
}

TEST_CASE("a foreign change that stays alone is counted after its job's window, a pair is not (rule 16)") {
  auto config = phoenix::test::state_config();
  config.arbiter.jobs = {{"interest", {"7*"}, std::chrono::milliseconds(10'000), false}};
  StateStreams s(config);
  const std::int64_t t = deposit(1, "", "").received_at_us;
  s.heartbeat(t);
  s.post(kLegacy, "77", "100.00", "101.00", "", "interest");
  s.post(kModern, "77", "100.00", "101.01", "", "interest");  // any amount
  s.post(kLegacy, "8", "100.00", "101.00", "", "interest");   // no job: a minute, the same amount
  s.post(kModern, "8", "100.00", "101.01", "", "interest");
  CHECK(s.heartbeat(t + 59'000'000).empty());
  CHECK(s.count("foreign_unpaired", "") == 0);
  CHECK(s.heartbeat(t + 61'000'000).empty());
  CHECK(s.count("foreign_unpaired", "") == 2);
  CHECK(s.count("mismatch", "") == 0);
  const auto score = s.score();
  CHECK(score.foreign_unpaired[0] == ForeignChanges{1, {{"EUR", 100}}});
  CHECK(score.foreign_unpaired[1] == ForeignChanges{1, {{"EUR", 101}}});
  CHECK(decode_window_state(encode(s.core().window("payments"))).value().foreign_unpaired == score.foreign_unpaired);
  auto next = deposit(9, "", "");  // a new rung holds for nothing that came before it
  next.rung = 7;
  s.apply(next);
  CHECK(s.score().foreign_unpaired == std::array<ForeignChanges, 2>{});
}

TEST_CASE("a foreign change is not alone while the other side's stream is behind (rule 16)") {
  StateStreams s;
  const std::int64_t t = deposit(1, "", "").received_at_us;
  const auto told_until = [&](Side side, std::int64_t time_us) { s.apply(StateMarker{side, 0, {}, {}, time_us}); };
  s.heartbeat(t);
  told_until(kLegacy, t);
  told_until(kModern, t);
  auto legacy = s.change(kLegacy, "8", "100.00", "101.00", "");
  legacy.committed_at_us = t;
  s.apply(legacy);
  s.heartbeat(t + 100'000'000);  // modern's stream has told nothing since
  CHECK(s.count("foreign_unpaired", "") == 0);
  SECTION("its counterpart comes late, and was made in time") {
    auto modern = s.change(kModern, "8", "100.00", "101.00", "");
    modern.committed_at_us = t + 1'000'000;
    s.apply(modern);
    told_until(kModern, t + 100'000'000);
    s.heartbeat(t + 200'000'000);
    CHECK(s.count("foreign_unpaired", "") == 0);
    CHECK(s.account("8").postings.foreign.empty());
  }
  SECTION("there is none") {
    told_until(kModern, t + 59'000'000);
    s.heartbeat(t + 101'000'000);
    CHECK(s.count("foreign_unpaired", "") == 0);
    told_until(kModern, t + 61'000'000);
    s.heartbeat(t + 102'000'000);
    CHECK(s.count("foreign_unpaired", "") == 1);
  }
  SECTION("it may be among what was lost") {
    s.apply(StateGap{kModern, "slot recreated"});
    told_until(kModern, t + 61'000'000);
    s.heartbeat(t + 102'000'000);
    CHECK(s.count("foreign_unpaired", "") == 0);
  }
}

TEST_CASE("a route that posts after its answer is pending up to async_max, then unknown (rule 15)") {
  auto config = phoenix::test::state_config();
  config.gateway.routes[0].posting = config::Posting::async;
  config.gateway.routes[0].async_max = std::chrono::milliseconds(30'000);
  StateStreams s(config);
  const auto e = deposit(1, "110.00", "110.00");
  s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id);
  s.apply(e);
  CHECK(s.markers().empty());
  SECTION("it comes in time") {
    s.post(kModern, "7", "100.00", "110.00", e.exchange_id);
    CHECK(s.markers().size() <= 1);
    CHECK(s.count("match") + s.count("match_late") == 1);
  }
  SECTION("it does not") {
    CHECK(s.heartbeat(e.completed_at_us + 29'000'000).empty());
    CHECK(s.heartbeat(e.completed_at_us + 30'000'000) == Verdicts{{e.exchange_id, Verdict::unknown}});
  }
}

TEST_CASE("a read between the two halves of an asynchronous posting is explained by them, and by nothing else") {
  auto config = phoenix::test::state_config();
  config.gateway.routes[0].posting = config::Posting::async;
  config.gateway.routes[0].async_max = std::chrono::milliseconds(30'000);
  StateStreams s(config);
  s.post_both("7", {"100.00", "100.00"}, {"100.00", "100.00"}, "");
  s.markers();
  const auto e = deposit(1, "110.00", "110.00");
  auto read = deposit(2, "110.00", "100.00"), wrong = deposit(3, "110.00", "100.01");
  read.write = wrong.write = false;
  s.apply(e);
  s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id);
  SECTION("the reads come before the other half") {
    s.apply(read);
    s.apply(wrong);
    s.markers();
    s.post(kModern, "7", "100.00", "110.00", e.exchange_id);
  }
  SECTION("they come after it") {
    s.post(kModern, "7", "100.00", "110.00", e.exchange_id);
    s.apply(read);
    s.apply(wrong);
  }
  s.markers();
  s.heartbeat(e.completed_at_us + 31'000'000);
  REQUIRE(s.core().decided(read.exchange_id) != nullptr);
  CHECK(s.core().decided(read.exchange_id)->verdict == Verdict::match_late);
  REQUIRE(s.core().decided(wrong.exchange_id) != nullptr);
  CHECK(s.core().decided(wrong.exchange_id)->verdict == Verdict::mismatch);
  CHECK(s.count("mismatch") == 1);
}

namespace {

/// Accepts that modern posts five cents more.
struct FiveCents : AcceptedChangePolicy {
  void note(const ExchangeEvent&) override {}
  std::optional<Acceptance> judge(const DifferenceFacts& facts) override {
    ++asked;
    if (facts.postings.size() != 1) return std::nullopt;
    const auto& legs = facts.postings[0].legs;
    carried = facts.postings[0].carry;
    if (legs[1].delta - legs[0].delta != 5) return std::nullopt;
    return Acceptance{"five-cents", "modern rounds up", {{facts.postings[0].account, 5}}};
  }
  int asked = 0;
  std::int64_t carried = -1;
};

}  // namespace

TEST_CASE("an accepted difference is carried: later balances still compare, and it is no drift") {
  FiveCents policy;
  StateStreams s(phoenix::test::state_config(), &policy);
  const auto e = deposit(1, "110.00", "110.05");
  s.post_both("7", {"100.00", "110.00"}, {"100.00", "110.05"}, e.exchange_id);
  s.apply(e);
  CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::accepted_change}});
  CHECK_THAT(s.last.verdicts[0].event.detail, Catch::Contains("five-cents"));
  CHECK(s.account("7").gap == 5);
  CHECK(s.account("7").gap_minor() == 0);
  CHECK(s.score().confirmed_balance_mismatches == 0);
  auto read = deposit(2, "110.00", "110.05");
  read.write = false;
  CHECK(s.apply(read).empty());
  const auto again = deposit(3, "120.00", "120.10");
  s.post_both("7", {"110.00", "120.00"}, {"110.05", "120.10"}, again.exchange_id);
  s.apply(again);
  CHECK(s.markers() == Verdicts{{again.exchange_id, Verdict::accepted_change}});
  CHECK(policy.carried == 5);
  CHECK(s.account("7").gap_minor() == 0);
  const auto wrong = deposit(4, "130.00", "130.16");
  s.post_both("7", {"120.00", "130.00"}, {"120.10", "130.16"}, wrong.exchange_id);
  s.apply(wrong);
  CHECK(s.markers() == Verdicts{{wrong.exchange_id, Verdict::mismatch}});
  CHECK(s.account("7").gap_minor() == 6);
}

TEST_CASE("too many open postings, or an amount beyond all reason: unknown, never a mismatch") {
  StateStreams s;
  s.post(kModern, "7", "0", "0", "", "start");
  SECTION("postings") {
    for (std::size_t i = 0; i <= PostingState::kOpenKept; ++i) {
      const auto text = std::to_string(i);
      s.post(kLegacy, "7", text, std::to_string(i + 1), "exchange-" + text);
    }
    CHECK(s.account("7").postings.open.size() == PostingState::kOpenKept);
  }
  SECTION("amount") {
    s.post(kLegacy, "7", "0", "9000000000000000", "huge");
  }
  CHECK(s.core().ledger()->postings_given_up == 1);
  const auto e = deposit(1, "5.00", "4.00");
  s.post(kModern, "7", "0", "4.00", e.exchange_id);
  s.apply(e);
  const auto verdicts = s.markers();
  REQUIRE_FALSE(verdicts.empty());
  for (const auto& [id, verdict] : verdicts) CHECK(verdict == Verdict::unknown);
}

TEST_CASE("an exchange that was excluded has no verdict, but its postings move the gap") {
  StateStreams s;
  auto e = deposit(1, "110.00", "110.00");
  e.excluded = "key_unavailable";
  s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id);
  s.post(kModern, "7", "100.00", "100.00", "", "start");
  CHECK(s.apply(e).empty());
  CHECK(s.markers().empty());
  CHECK(s.core().open_count() == 0);
  CHECK(s.account("7").gap == -1000);
}

TEST_CASE("answers that differ are a mismatch whatever the ledgers say, told when it is covered") {
  StateStreams s;
  const auto e = exchange(1, body("110.00", "0.10"), body("110.00", "0.20"), {{"7", 1}});
  s.post_both("7", {"100.00", "110.00"}, {"100.00", "110.00"}, e.exchange_id);
  CHECK(s.apply(e).empty());
  CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::mismatch}});
  CHECK(s.score().confirmed_balance_mismatches == 0);
  CHECK_THAT(s.last.verdicts[0].event.detail, Catch::Contains("/fee"));
}
