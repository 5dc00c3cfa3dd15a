// Verdicts from both ledgers' change streams when records, events and postings come in another order than they were
// made, or when a stream has only begun.
#include <fmt/format.h>

#include "arbiter/state_feed.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/arbiter/state_streams.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using phoenix::test::StateStreams;
using Verdicts = StateStreams::Verdicts;

namespace {

/// A deposit to account 7; `number` makes its id.
ExchangeEvent deposit(std::uint64_t number, const std::string& legacy_balance, const std::string& modern_balance) {
  const auto body = [](const std::string& balance) { return R"({"fee":0.10,"balance":)" + balance + "}"; };
  return phoenix::test::exchange(number, body(legacy_balance), body(modern_balance), {{"7", number}});
}

constexpr Side kLegacy = Side::legacy, kModern = Side::modern;

}  // namespace

TEST_CASE("a marker counts only when the partitions that it names have been read (Debezium)") {
  const auto config = phoenix::test::state_config(config::StateSource::debezium);
  DecisionCore core(config, CoreState{});
  StateFeed feed(config);
  const std::string marker = R"({"v":1,"op":"m","covers":4,"marker":17,"source":{"name":"modern","kind":"arbiter"},)"
                             R"("offsets":{"modern.public.accounts/0":3},"ts_ms":1})";
  const TopicPartition rows{"modern.public.accounts", 0};
  const auto covers = [&] { return core.ledger()->streams[1].covers; };
  feed.take({topics::kDbStateUpdates, 0, 0, 0, "", marker}, {{rows, 2}}, core);
  CHECK(covers() == 0);
  const std::string reading_on = R"({"v":1,"op":"m","covers":0,"source":{"name":"legacy","kind":"arbiter"},"ts_ms":1})";
  feed.take({topics::kDbStateUpdates, 0, 1, 0, "", reading_on}, {{rows, 3}}, core);
  CHECK(covers() == 4);
}

TEST_CASE("a marker that is never reached is held until a later one of its side counts (Debezium)") {
  auto config = phoenix::test::state_config(config::StateSource::debezium);
  config.arbiter.legacy_state.slice = config.slices.front().name;
  const auto marker = [](std::int64_t offset, const char* side, int covers, int read_to) {
    return LogRecord{topics::kDbStateUpdates,
                     0,
                     offset,
                     0,
                     "",
                     fmt::format(R"({{"v":1,"op":"m","covers":{1},"source":{{"name":"{0}","kind":"arbiter"}},)"
                                 R"("offsets":{{"{0}.public.accounts/0":{2}}},"ts_ms":1}})",
                                 side, covers, read_to)};
  };
  const std::vector<LogRecord> records{marker(0, "modern", 4, 500),  // of a topic that was created anew since
                                       marker(1, "modern", 9, 900), marker(2, "legacy", 4, 7),
                                       marker(3, "modern", 5, 2)};
  const TopicPartition modern{"modern.public.accounts", 0}, markers{topics::kDbStateUpdates, 0};
  DecisionCore core(config, CoreState{});
  StateFeed feed(config);
  const auto covers = [&] { return core.ledger()->streams[1].covers; };
  for (std::size_t i = 0; i < records.size(); ++i) {
    CHECK(feed.read_from(markers).value_or(-1) == (i == 0 ? -1 : 0));
    feed.take(records[i], {{modern, i == 3 ? 2 : 1}}, core);
  }
  CHECK(covers() == 5);
  CHECK(feed.read_from(markers).value_or(-1) == 1);  // it covers more than the one that counted

  StateFeed again(config, feed.progress({{modern, 2}, {markers, 4}}));
  for (const auto& record : records) again.recall(record);
  CHECK(again.read_from(markers).value_or(-1) == 1);
  again.take_reached({{modern, 900}}, core);
  CHECK(covers() == 9);
  CHECK(again.read_from(markers).value_or(-1) == 2);  // the other side's
}

TEST_CASE("the first two changes of an account may come in the wrong order: neither is missing (rule 15)") {
  StateStreams s;
  const auto e1 = deposit(1, "110.00", "110.00"), e2 = deposit(2, "130.00", "130.00");
  const auto first = s.change(kModern, "7", "100.00", "110.00", e1.exchange_id);
  const auto second = s.change(kModern, "7", "110.00", "130.00", e2.exchange_id);
  s.apply(second);
  s.apply(first);
  s.apply(first);  // and again: taken once
  CHECK(s.account("7").postings.open.size() == 2);
  CHECK(s.account("7").postings.chains[1].balance == 13000);
  s.post(kLegacy, "7", "100.00", "110.00", e1.exchange_id);
  s.post(kLegacy, "7", "110.00", "130.00", e2.exchange_id);
  s.apply(e1);
  s.apply(e2);
  CHECK(s.markers().empty());
  CHECK(s.count("match") + s.count("match_late") == 2);
  CHECK(s.account("7").gap == 0);
  s.apply(s.change(kModern, "7", "130.00", "131.00", "late"));
  CHECK(s.account("7").postings.breaks.empty());
}

TEST_CASE("what stands before an account's first change and does not lead to it is a break, never a missing posting") {
  StateStreams s;
  const auto e = deposit(1, "110.00", "110.00");
  const auto first = s.change(kModern, "7", "100.00", "110.00", e.exchange_id);
  s.apply(s.change(kModern, "7", "125.00", "130.00", ""));  // from 110.00 to 125.00 is lost
  s.apply(first);
  const auto other = deposit(2, "120.00", "120.00");
  s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id);
  s.post(kLegacy, "7", "110.00", "120.00", other.exchange_id);
  s.apply(e);
  s.apply(other);
  const auto verdicts = s.markers();
  CHECK(verdicts.size() == 2);  // the discontinuity and the posting that lacks its counterpart
  for (const auto& [id, verdict] : verdicts) CHECK(verdict == Verdict::unknown);
  CHECK(s.count("match") + s.count("match_late") == 1);
}

TEST_CASE("a break that may still close is waited for: no verdict before the next marker of its side") {
  StateStreams s;
  s.post_both("7", {"100.00", "100.00"}, {"100.00", "100.00"}, "");
  auto read = deposit(1, "100.00", "100.05");
  read.write = false;
  const auto hidden = s.change(kModern, "7", "100.00", "101.00", "");
  s.apply(s.change(kModern, "7", "101.00", "103.00", ""));
  s.apply(read);
  CHECK(s.marker(kLegacy).empty());
  s.apply(hidden);
  CHECK(s.marker(kModern) == Verdicts{{read.exchange_id, Verdict::mismatch}});
}

TEST_CASE("a read between the two halves of an uncertain exchange is explained by them, and by nothing else") {
  StateStreams s;
  s.post_both("7", {"100.00", "100.00"}, {"100.00", "100.00"}, "");
  s.markers();
  auto e = deposit(1, "110.00", "");
  e.shadow = {};
  e.shadow.outcome = LegOutcome::timeout;
  e.shadow.uncertain = true;
  auto read = deposit(2, "110.00", "100.00");
  auto wrong = deposit(3, "110.00", "100.01");
  read.write = wrong.write = false;
  s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id);
  s.post(kModern, "7", "100.00", "107.00", e.exchange_id, "t");  // one transaction of two rows
  s.post(kModern, "7", "107.00", "110.00", e.exchange_id, "t");
  s.apply(read);
  s.apply(wrong);
  SECTION("its event comes first") {
    s.apply(e);
    s.markers();
  }
  SECTION("its event comes last") {
    CHECK(s.markers().empty());
    s.apply(e);
    s.markers();
  }
  REQUIRE(s.core().decided(read.exchange_id) != nullptr);
  CHECK(s.core().decided(read.exchange_id)->verdict == Verdict::match_late);
  REQUIRE(s.core().decided(wrong.exchange_id) != nullptr);
  CHECK(s.core().decided(wrong.exchange_id)->verdict == Verdict::mismatch);
}

TEST_CASE("what an uncertain leg has left on one side explains balances at once, and nothing else does (rule 6)") {
  StateStreams s;
  s.post_both("7", {"100.00", "100.00"}, {"100.00", "100.00"}, "");
  auto e = deposit(1, "110.00", "");
  e.shadow = {};
  e.shadow.outcome = LegOutcome::timeout;
  e.shadow.uncertain = true;
  s.post(kLegacy, "7", "100.00", "110.00", e.exchange_id);
  s.apply(e);
  const auto next = deposit(2, "130.00", "120.00");
  s.post_both("7", {"110.00", "130.00"}, {"100.00", "120.00"}, next.exchange_id);
  auto read = deposit(3, "130.00", "120.00"), wrong = deposit(4, "130.00", "125.00");
  read.write = wrong.write = false;
  s.apply(next);
  s.apply(read);
  s.apply(wrong);
  CHECK(s.markers() == Verdicts{{next.exchange_id, Verdict::match_late}, {read.exchange_id, Verdict::match_late}});
  CHECK(s.core().open_count() == 2);
  s.post(kModern, "7", "120.00", "125.00", "", "later");  // committed when `wrong` had been answered
  CHECK(s.markers().empty());
  const std::int64_t end_us = e.completed_at_us + 35'000'000;
  SECTION("it never comes") {
    s.heartbeat(end_us);
    CHECK(s.core().decided(e.exchange_id)->verdict == Verdict::unknown);
    REQUIRE(s.core().decided(wrong.exchange_id) != nullptr);
    CHECK(s.core().decided(wrong.exchange_id)->verdict == Verdict::mismatch);
  }
  SECTION("it comes late") {
    s.post(kModern, "7", "125.00", "135.00", e.exchange_id);
    s.markers();
    CHECK(s.core().decided(e.exchange_id)->verdict == Verdict::match_late);
    CHECK(s.core().decided(wrong.exchange_id)->verdict == Verdict::mismatch);
  }
  CHECK(s.core().open_count() == 0);
}

TEST_CASE("a fault that both ledgers had committed before does not explain what a later posting states") {
  StateStreams s;
  s.post_both("7", {"100.00", "100.00"}, {"100.00", "100.00"}, "");
  const auto first = deposit(1, "110.00", "110.01");
  s.post_both("7", {"100.00", "110.00"}, {"100.00", "110.01"}, first.exchange_id);
  s.apply(first);
  CHECK(s.markers() == Verdicts{{first.exchange_id, Verdict::mismatch}});
  auto second = deposit(2, "120.00", "120.00");  // its ledger says 120.01
  s.post_both("7", {"110.00", "120.00"}, {"110.01", "120.01"}, second.exchange_id);
  SECTION("nothing overlapped it") {
    s.apply(second);
    CHECK(s.markers() == Verdicts{{second.exchange_id, Verdict::mismatch}});
  }
  SECTION("beside overlapping writes an older balance may have been stated") {
    second.overlap = true;
    s.apply(second);
    CHECK(s.markers() == Verdicts{{second.exchange_id, Verdict::match_late}});
  }
}

namespace {

config::Config config_whose_refusals_read_balances() {
  auto config = phoenix::test::state_config();
  config.gateway.routes.front().reads_balance = config::ReadsBalance::refusal;
  return config;
}

}  // namespace

TEST_CASE("a refusal follows from a balance that differs only where it is the lower one (rule 19)") {
  StateStreams s(config_whose_refusals_read_balances());
  s.post_both("7", {"100.00", "100.00"}, {"100.00", "100.00"}, "");
  auto e = deposit(1, "90.00", "");
  e.shadow.status = 422;
  e.received_at_us += 60'000'000;
  e.completed_at_us += 60'000'000;
  const auto refuse = [&](const char* modern) {
    s.post(kModern, "7", "100.00", modern, "", "correction");
    s.heartbeat(e.received_at_us - 30'000'000);
    s.post(kLegacy, "7", "100.00", "90.00", e.exchange_id);
    s.apply(e);
    return s.markers();
  };
  SECTION("the side that refused had more") {
    CHECK(refuse("105.00") == Verdicts{{e.exchange_id, Verdict::mismatch}});
    CHECK_THAT(s.last.verdicts[0].event.detail, Catch::Contains("whose balance was not the lower one"));
  }
  SECTION("it had less") {
    CHECK(refuse("95.00") == Verdicts{{e.exchange_id, Verdict::unknown}});
  }
  SECTION("it may have had less: another posting lacks its counterpart") {
    s.post(kLegacy, "7", "100.00", "110.00", "another");
    s.post(kLegacy, "7", "110.00", "100.00", "", "back");
    CHECK(refuse("105.00") == Verdicts{{e.exchange_id, Verdict::unknown}});
  }
  SECTION("a later posting lacks its counterpart") {
    s.post(kModern, "7", "100.00", "100.00", "", "start");
    s.post(kLegacy, "7", "100.00", "90.00", e.exchange_id);
    s.post(kLegacy, "7", "90.00", "80.00", "another");
    s.apply(e);
    CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::mismatch}});
  }
}

TEST_CASE("a refusal opposite a row that was only written again is excused as any other (rule 19)") {
  StateStreams s(config_whose_refusals_read_balances());
  s.post_both("7", {"100.00", "100.00"}, {"100.00", "100.00"}, "");
  auto e = deposit(1, "100.00", "");
  e.shadow.status = 422;
  s.post(kModern, "7", "100.00", "95.00", "", "correction");
  s.post(kLegacy, "7", "100.00", "100.00", e.exchange_id);
  s.apply(e);
  CHECK(s.markers() == Verdicts{{e.exchange_id, Verdict::unknown}});
}

TEST_CASE("a foreign change that came before an answer belongs to the balances that it states") {
  StateStreams s;
  s.post_both("7", {"100.00", "100.00"}, {"100.00", "100.00"}, "");
  const auto missing = deposit(1, "110.00", "110.00");
  auto read = deposit(2, "100.00", "115.00");
  read.write = false;
  s.post(kModern, "7", "100.00", "110.00", missing.exchange_id);
  s.post(kModern, "7", "110.00", "115.00", "", "correction");
  s.apply(read);
  CHECK(s.markers().empty());  // it waits for the posting, whose event is not there
  s.apply(missing);
  s.markers();
  CHECK(s.count("missing_legacy") == 1);
  CHECK(s.core().decided(read.exchange_id)->verdict == Verdict::match_late);
}

TEST_CASE("a record that was lost of one account makes no other one unknown") {
  StateStreams s;
  for (const char* account : {"7", "8"}) s.post_both(account, {"100.00", "101.00"}, {"100.00", "101.00"}, "");
  s.apply(StateGap{kModern, "cannot be read", "7"});
  CHECK(s.core().is_unknown(s.account("7")));
  CHECK_FALSE(s.core().is_unknown(s.account("8")));
  const auto lost = deposit(1, "111.00", "111.00");
  auto missing = deposit(2, "111.00", "111.00");
  missing.keys = {{"8", 1}};
  s.post(kLegacy, "7", "101.00", "111.00", lost.exchange_id);
  s.post(kLegacy, "8", "101.00", "111.00", missing.exchange_id);
  s.apply(lost);
  s.apply(missing);
  CHECK(s.markers() == Verdicts{{lost.exchange_id, Verdict::unknown}, {missing.exchange_id, Verdict::missing_modern}});
  CHECK(s.core().unknown_accounts(9) == std::vector<std::string>{"7"});
  s.core().rebase("7", {Decimal::parse("111.00").value(), Decimal::parse("111.00").value()});
  CHECK_FALSE(s.core().is_unknown(s.account("7")));
}

TEST_CASE("nothing is missing of what was received before a stream's beginning and `settle` (rule 15)") {
  StateStreams s;
  const std::int64_t begun_us = deposit(1, "", "").completed_at_us;
  s.heartbeat(begun_us);
  for (const Side side : {kLegacy, kModern}) s.apply(StateGap{side, "slot recreated"});
  const auto received = [&](std::uint64_t number, std::int64_t after_us) {
    auto e = deposit(number, "110.00", "110.00");
    e.keys = {{std::to_string(number), 1}};
    e.received_at_us = begun_us + after_us;
    e.completed_at_us = e.received_at_us + 1'000;
    s.post(kLegacy, std::to_string(number), "100.00", "110.00", e.exchange_id);
    s.apply(e);
    return e.exchange_id;
  };
  const auto before = received(11, 4'999'999), after = received(12, 5'000'000);
  CHECK(s.markers() == Verdicts{{before, Verdict::unknown}, {after, Verdict::missing_modern}});
}

TEST_CASE("state that an earlier version stored is read") {
  const auto postings =
      decode_posting_state("1 1 10000 3 1 0 0 0 0 1 10500 4 1 0 0 0 0 0 0 0 2 0 11 200 12 0 0 9 0 0 5 0 13 14 1 ");
  REQUIRE(postings.has_value());
  REQUIRE(postings->steps.size() == 2);  // gaps 0 and 200, now 500
  CHECK(postings->steps[0].by == 200);
  CHECK(postings->steps[1].by == 300);
  CHECK(postings->steps[1].at_us == 12);
  CHECK(postings->uncertain_at_us == 14);
  CHECK(postings->through_us);
  CHECK(encode(decode_posting_state(encode(*postings)).value()) == encode(*postings));
  const auto second =
      decode_posting_state("2 1 10000 3 1 0 0 0 0 1 10500 4 1 0 0 0 0 0 0 0 1 200 12 77 0 9 8 1 2 5 0 14 1 ");
  REQUIRE(second.has_value());
  CHECK(second->steps.front().of == 77);
  CHECK(second->steps_lost_us == 9);
  CHECK(second->carry == 1);
  CHECK(second->uncertain_at_us == 14);
  PostingState now = *second;
  now.steps.push_back({-5, 13, 78, {3, 4}, 6, true});
  const auto again = decode_posting_state(encode(now)).value();
  CHECK(again.steps.back().commits == std::array<std::uint64_t, 2>{3, 4});
  CHECK(again.steps.back().number == 6);
  CHECK(again.steps.back().apart);
  CHECK(encode(again) == encode(now));
  const auto ledger = decode_ledger_state("1 3 1 5 6 7 8 0: 1 9 10 11 12 2:ab 1 1 44 1 3:t/0 5 ");
  REQUIRE(ledger.has_value());
  CHECK(ledger->postings_given_up == 3);
  CHECK(ledger->streams[1].covers == 10);
  CHECK(ledger->streams[1].exchange_id == "ab");
  CHECK(encode(decode_ledger_state(encode(*ledger)).value()) == encode(*ledger));
}
