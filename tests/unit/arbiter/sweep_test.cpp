// The pure parts of a sweep: its SQL, what it makes of rows and facts, and what the core makes of its findings.
#include "arbiter/sweep_compare.hpp"
#include "arbiter/sweep_judge.hpp"
#include "arbiter/sweep_sql.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/arbiter/state_streams.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

LedgerComparison::Balance holds(std::string amount, std::string currency = "EUR") {
  return {true, std::move(amount), std::move(currency)};
}
const LedgerComparison::Balance kNone{};

Candidate candidate(BalancePair seen, Window window) {
  Candidate c;
  c.key = "a";
  c.seen = std::move(seen);
  c.window = window;
  return c;
}

/// Nothing is under way; `facts` of the account "a".
StreamFacts quiet(KeyFacts facts) {
  StreamFacts all;
  all.settled_until_us = INT64_MAX;
  all.keys["a"] = std::move(facts);
  return all;
}

KeyFacts seen_equal(std::int64_t touched_us = 1) {
  KeyFacts facts;
  facts.seen = true;
  facts.touched_us = touched_us;
  facts.gap = Decimal();
  return facts;
}

LedgerComparison comparison(LedgerComparison::Balance legacy, LedgerComparison::Balance modern) {
  LedgerComparison c;
  c.run = "7";
  c.slice = "payments";
  c.account = "a";
  c.balances = {std::move(legacy), std::move(modern)};
  c.low_us = 50 * kSecond;
  c.high_us = 60 * kSecond;
  return c;
}

AccountState account_at(std::int64_t last_completed_us) {
  AccountState account;
  account.slice = "payments";
  account.last_completed_us = last_completed_us;
  return account;
}

}  // namespace

TEST_CASE("a key range is half-open and bound by parameters on either side") {
  const SweepSql sql({"accounts", "id", "balance", "currency", 2}, {SweepKeyType::integer, false, true});
  CHECK_THAT(sql.digest({}), Catch::Contains("WHERE true"));
  CHECK_THAT(sql.digest({"1", std::nullopt}), Catch::Contains("WHERE id > $1::bigint"));
  CHECK_THAT(sql.digest({std::nullopt, "9"}), Catch::Contains("WHERE id <= $1::bigint"));
  CHECK_THAT(sql.rows({"1", "9"}), Catch::Contains("WHERE id > $1::bigint AND id <= $2::bigint"));
  CHECK_THAT(sql.digest({}), Catch::Contains("(balance)::numeric * 0.01") && Catch::Contains("(currency)::text") &&
                                 Catch::Contains("sum(hashtextextended"));
  CHECK_THAT(sql.nth_key({"1", std::nullopt}, 10'000), Catch::Contains("ORDER BY id OFFSET 9999 LIMIT 1"));
  const SweepSql text({"accounts", "id", "balance", "", 0}, {SweepKeyType::text, true, false});
  CHECK_THAT(text.rows_of_keys(), Catch::Contains("(id)::text COLLATE \"C\" = ANY($1::text[])"));
  CHECK_THAT(text.digest({}), Catch::Contains("* 1 AS b, '' AS c"));
}

TEST_CASE("keys are asked for as the table's type has them, and quoted") {
  CHECK(array_literal({"a", R"(q"\)", ""}) == R"({"a","q\"\\",""})");
  CHECK(fits_key_type("-12", SweepKeyType::integer));
  for (const auto* key : {"012", "1.0", "abc", "", "9223372036854775808"})
    CHECK_FALSE(fits_key_type(key, SweepKeyType::integer));
  CHECK(fits_key_type("0198c7e0-1111-7abc-8000-000000000001", SweepKeyType::uuid));
  CHECK_FALSE(fits_key_type("0198C7E0-1111-7ABC-8000-000000000001", SweepKeyType::uuid));
  CHECK(fits_key_type("anything", SweepKeyType::text));
  CHECK(sweep_key_type("character varying") == SweepKeyType::text);
  CHECK_FALSE(sweep_key_type("numeric"));
}

TEST_CASE("rows are compared by account, amount and currency") {
  LedgerRows legacy, modern;
  for (const auto* key : {"same", "amount", "currency", "only-legacy", "twice"}) add_row(legacy, key, holds("10.5"));
  for (const auto* key : {"same", "twice", "twice"}) add_row(modern, key, holds("10.5"));
  add_row(modern, "amount", holds("10.51"));
  add_row(modern, "currency", holds("10.5", "USD"));
  add_row(modern, "only-modern", holds("1"));
  add_row(legacy, "nonsense", holds("NaN"));
  add_row(modern, "nonsense", holds("NaN"));
  std::vector<std::string> keys;
  for (const auto& [key, pair] : differing_rows(legacy, modern)) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"amount", "currency", "nonsense", "only-legacy", "only-modern", "twice"});
  CHECK(difference_of({holds("10.5"), holds("10.51")})->to_string() == "0.01");
  CHECK(difference_of({holds("10.5"), kNone})->to_string() == "-10.5");
  CHECK_FALSE(difference_of({holds("10.5"), holds("NaN")}));
  CHECK(same_digest({3, "12.5", "99"}, {3, "12.5", "99"}));
  CHECK_FALSE(same_digest({3, "NaN", "99"}, {3, "NaN", "99"}));
  CHECK_FALSE(same_digest({3, "12.5", "98"}, {3, "12.5", "99"}));
}

TEST_CASE("a difference is decided by two equal readings between which nothing touched the account") {
  const BalancePair apart{holds("10"), holds("11")};
  const Window first{10 * kSecond, 11 * kSecond}, second{20 * kSecond, 21 * kSecond};
  const auto judge = [&](Candidate c, const BalancePair& now, const StreamFacts& facts) {
    return judge_candidate(c, now, second, facts, 3);
  };
  CHECK(judge(candidate(apart, first), apart, quiet(seen_equal())) == SweepFinding::undetected);
  CHECK(judge(candidate(apart, first), apart, quiet({})) == SweepFinding::unseen);
  CHECK(judge(candidate(apart, first), {holds("11"), holds("11")}, quiet(seen_equal())) == SweepFinding::equal);
  CHECK(judge(candidate(apart, first), {holds("12"), holds("13")}, quiet(seen_equal())) == SweepFinding::again);
  CHECK(judge(candidate({holds("NaN"), holds("1")}, first), {holds("NaN"), holds("1")}, quiet(seen_equal())) ==
        SweepFinding::unreadable);

  auto known = seen_equal();
  known.known_to_differ = true;
  known.gap = *Decimal::parse("1.00");
  CHECK(judge(candidate(apart, first), apart, quiet(known)) == SweepFinding::explained);
  known.gap = *Decimal::parse("2");
  CHECK(judge(candidate(apart, first), apart, quiet(known)) == SweepFinding::changed);

  // A leg that was still on its way in the first window; clocks may be a second apart.
  CHECK(judge(candidate(apart, first), apart, quiet(seen_equal(10 * kSecond))) == SweepFinding::again);
  CHECK(judge(candidate(apart, first), apart, quiet(seen_equal(9 * kSecond + 1))) == SweepFinding::again);
  CHECK(judge(candidate(apart, first), apart, quiet(seen_equal(8 * kSecond))) == SweepFinding::undetected);
  auto open = seen_equal();
  open.open = true;
  CHECK(judge(candidate(apart, first), apart, quiet(open)) == SweepFinding::again);
  auto any = quiet(seen_equal());
  any.any_key_touched_us = 15 * kSecond;
  CHECK(judge(candidate(apart, first), apart, any) == SweepFinding::again);
}

TEST_CASE("an account that moves in every reading is busy, never different") {
  Candidate c = candidate({holds("1"), holds("2")}, {0, kSecond});
  std::int64_t at = 10 * kSecond;
  int readings = 0;
  SweepFinding finding = SweepFinding::again;
  while (finding == SweepFinding::again) {
    ++readings;
    at += 10 * kSecond;
    finding = judge_candidate(c, {holds("1"), holds("2")}, {at, at + 1}, quiet(seen_equal(at)), 4);
  }
  CHECK(finding == SweepFinding::busy);
  CHECK(readings == 4);
}

TEST_CASE("what a gateway has not settled cannot be judged yet") {
  StreamFacts facts;
  facts.settled_until_us = 30 * kSecond;
  CHECK(settled(facts, {10 * kSecond, 20 * kSecond}));
  CHECK_FALSE(settled(facts, {10 * kSecond, 29 * kSecond}));
}

TEST_CASE("an account whose records were lost is read twice and begins anew, also when both sides agree") {
  Candidate c;
  c.key = "a";
  c.rebase = true;
  KeyFacts lost = seen_equal();
  lost.unknown = true;
  const BalancePair same{holds("5"), holds("5")};
  CHECK(judge_candidate(c, same, {10 * kSecond, 11 * kSecond}, quiet(lost), 3) == SweepFinding::again);
  CHECK(judge_candidate(c, same, {20 * kSecond, 21 * kSecond}, quiet(lost), 3) == SweepFinding::rebased);
  c.seen = BalancePair{};
  CHECK(judge_candidate(c, {}, {20 * kSecond, 21 * kSecond}, quiet(lost), 3) == SweepFinding::equal);
}

TEST_CASE("progress survives its text; sums are exact; rests keep the rate") {
  SweepProgress progress;
  progress.after_key = "acc-9";
  progress.chunks = 3;
  progress.rows = {30, 29};
  progress.sums = {add_sums("0.1", "0.2"), add_sums("1.5", "NaN")};
  progress.found["busy"] = 2;
  const auto back = decode_sweep_progress(encode(progress)).value();
  CHECK(back.after_key == "acc-9");
  CHECK(back.rows == progress.rows);
  CHECK(back.sums == std::array<std::string, 2>{"0.3", "NaN"});
  CHECK(back.found == progress.found);
  CHECK_FALSE(decode_sweep_progress("{").has_value());
  CHECK(rest_us(10'000, 50'000, 50'000) == 150'000);
  CHECK(rest_us(10'000, 500'000, 50'000) == 0);
}

TEST_CASE("a comparison survives its text and is told from other records") {
  const auto c = comparison(holds("1.00"), kNone);
  const std::string text = encode(c);
  CHECK(is_ledger_comparison(text));
  CHECK_FALSE(is_ledger_comparison(encode(BalanceReading{})));
  const auto back = decode_ledger_comparison(text).value();
  CHECK(back.account == "a");
  CHECK(back.balances == c.balances);
  CHECK(back.low_us == c.low_us);
  CHECK(back.high_us == c.high_us);
  CHECK_FALSE(decode_ledger_comparison(R"({"op":"s","v":9})").has_value());
  CHECK_FALSE(decode_ledger_comparison(R"({"op":"s"})").has_value());
}

TEST_CASE("the core: a difference that no verdict had named is one, and an error of the detector") {
  Findings findings;
  AccountState account = account_at(10 * kSecond);
  const auto outcome = take_comparison(account, comparison(holds("10"), holds("9.99")), false, findings).value();
  CHECK(outcome == ComparisonOutcome::undetected);
  REQUIRE(findings.settled.size() == 1);
  CHECK(findings.settled[0].verdict == Verdict::mismatch);
  CHECK(findings.settled[0].verdict_id == "account/a/60000000");
  CHECK_THAT(findings.settled[0].detail, Catch::Contains("sweep 7: account a: legacy 10 EUR, modern 9.99 EUR"));
  CHECK(findings.confirmed == 1);
  CHECK(account.gap_minor() == -1);

  // The same again, as after a crash before the sweep noted it: known by now.
  Findings none;
  CHECK(take_comparison(account, comparison(holds("10"), holds("9.99")), false, none).value() ==
        ComparisonOutcome::consistent);
  CHECK(none.settled.empty());
  // Another difference than the known one is a finding, but no error of the detector.
  CHECK(take_comparison(account, comparison(holds("10"), holds("8")), false, none).value() ==
        ComparisonOutcome::different);
}

TEST_CASE("the core: a missing account, another currency, an account without exchanges") {
  Findings findings;
  AccountState unseen = account_at(0);
  CHECK(take_comparison(unseen, comparison(holds("10"), kNone), false, findings).value() ==
        ComparisonOutcome::different);
  CHECK(findings.settled.back().verdict == Verdict::missing_modern);
  AccountState other = account_at(0);
  CHECK(take_comparison(other, comparison(kNone, holds("10")), false, findings).value() ==
        ComparisonOutcome::different);
  CHECK(findings.settled.back().verdict == Verdict::missing_legacy);
  AccountState currency = account_at(kSecond);
  const auto dollars = comparison(holds("10", "EUR"), holds("10", "USD"));
  CHECK(take_comparison(currency, dollars, false, findings).value() == ComparisonOutcome::undetected);
  CHECK(take_comparison(currency, dollars, false, findings).value() == ComparisonOutcome::consistent);
  CHECK_FALSE(take_comparison(currency, comparison(holds("NaN"), holds("1")), false, findings).has_value());
}

TEST_CASE("the core: a comparison that the log has overtaken says nothing") {
  Findings findings;
  AccountState later = account_at(55 * kSecond);
  CHECK(take_comparison(later, comparison(holds("1"), holds("2")), false, findings).value() ==
        ComparisonOutcome::stale);
  AccountState waiting = account_at(kSecond);
  CHECK(take_comparison(waiting, comparison(holds("1"), holds("2")), true, findings).value() ==
        ComparisonOutcome::stale);
  AccountState dirty = account_at(kSecond);
  dirty.dirty = true;
  CHECK(take_comparison(dirty, comparison(holds("1"), holds("2")), false, findings).value() ==
        ComparisonOutcome::stale);
  CHECK(findings.settled.empty());
  CHECK(later.gap == 0);
}

TEST_CASE("the core: an account that lost records begins anew; a repaired one without a verdict") {
  Findings findings;
  AccountState lost = account_at(kSecond);
  lost.lost = lost.dirty = true;
  CHECK(take_comparison(lost, comparison(holds("5"), holds("5")), false, findings).value() ==
        ComparisonOutcome::consistent);
  CHECK_FALSE(lost.lost);
  CHECK(findings.settled.empty());
  lost.lost = true;
  CHECK(take_comparison(lost, comparison(holds("5"), holds("6")), false, findings).value() ==
        ComparisonOutcome::different);
  CHECK(findings.settled.back().verdict == Verdict::unknown);
  CHECK(findings.confirmed == 0);

  // A repair is announced: what moves the account in the meantime proves nothing against either side.
  AccountState announced = account_at(kSecond);
  auto repair = comparison(kNone, kNone);
  repair.cause = LedgerComparison::Cause::repair;
  CHECK(take_comparison(announced, decode_ledger_comparison(encode(repair)).value(), false, findings).value() ==
        ComparisonOutcome::consistent);
  CHECK(announced.lost);

  auto repaired = comparison(holds("6"), holds("6"));
  repaired.cause = LedgerComparison::Cause::resync;
  Findings none;
  CHECK(take_comparison(lost, repaired, false, none).value() == ComparisonOutcome::consistent);
  CHECK(none.settled.empty());
  CHECK(lost.gap == 0);
  CHECK(lost.differs_since.empty());
}

// ---- where both change streams are read ----

namespace {

struct SweptStreams : phoenix::test::StateStreams {
  SweptStreams() { told_until(1); }
  void post(Side side, const std::string& before, const std::string& after, const std::string& id,
            std::int64_t committed_at_us = kSecond) {
    StateChange made = change(side, "a", before, after, id);
    made.committed_at_us = committed_at_us;
    apply(made);
  }
  void told_until(std::int64_t time_us) {
    for (const Side side : {Side::legacy, Side::modern}) told_until(side, time_us);
  }
  void told_until(Side side, std::int64_t time_us) {
    StateMarker marker;
    marker.side = side;
    marker.written_at_us = time_us;
    apply(marker);
  }
  std::vector<DecidedVerdict> sweep(const LedgerComparison::Balance& legacy, const LedgerComparison::Balance& modern) {
    core().apply({topics::kDbStateUpdates, 0, 1'000 + swept_++, 0, "a", encode(comparison(legacy, modern))});
    return core().take_changes().verdicts;
  }
  [[nodiscard]] std::int64_t undetected() const { return count("sweep_undetected", ""); }

 private:
  int swept_ = 0;
};

}  // namespace

TEST_CASE("streams: a sweep waits until both have told what was committed") {
  SweptStreams s;
  s.told_until(Side::legacy, 70 * kSecond);
  CHECK(s.core().settled_until_us() == 1);
  s.told_until(Side::modern, 61 * kSecond);
  CHECK(s.core().settled_until_us() == 61 * kSecond);
  s.told_until(Side::modern, 50 * kSecond);  // comes again
  CHECK(s.core().settled_until_us() == 61 * kSecond);
}

TEST_CASE(
    "streams: what differs by the known gap is no news, what differs by something else is a fault of the detector") {
  SweptStreams s;
  s.post(Side::legacy, "10", "11", "");
  s.post(Side::modern, "10", "11.50", "");
  CHECK(s.account("a").gap == 50);
  CHECK(s.sweep(holds("11"), holds("11.5")).empty());

  const auto verdicts = s.sweep(holds("11"), holds("11.7"));
  REQUIRE(verdicts.size() == 1);
  CHECK(verdicts[0].event.verdict == Verdict::mismatch);
  CHECK_THAT(verdicts[0].event.detail,
             Catch::Contains("sweep 7: account a: legacy 11 EUR, modern 11.7 EUR, the gap was 0.50"));
  CHECK(s.undetected() == 0);  // it was known to differ
  CHECK(s.account("a").gap == 70);
  CHECK(s.score().confirmed_balance_mismatches == 1);
  CHECK(s.sweep(holds("11"), holds("11.7")).empty());  // once
  // The tables are the truth: the next change follows from them.
  s.post(Side::modern, "11.70", "11.80", "", 2 * kSecond);
  CHECK(s.account("a").gap == 80);
  CHECK_FALSE(s.core().is_unknown(s.account("a")));

  SweptStreams equal;
  equal.post(Side::legacy, "10", "11", "");
  equal.post(Side::modern, "10", "11", "");
  CHECK(equal.sweep(holds("11"), holds("11.01")).size() == 1);
  CHECK(equal.undetected() == 1);
}

TEST_CASE("streams: a comparison that a change or an open posting has overtaken says nothing") {
  SweptStreams s;
  s.post(Side::legacy, "10", "11", "");
  s.post(Side::modern, "10", "11", "", 55 * kSecond);  // committed after the first reading had begun
  CHECK(s.sweep(holds("11"), holds("10")).empty());
  CHECK(s.account("a").gap == 0);
  SweptStreams open;
  open.post(Side::legacy, "10", "11", phoenix::test::exchange(1, "{}", "{}", {{"a", 1}}).exchange_id);
  CHECK(open.sweep(holds("11"), holds("10")).empty());
}

TEST_CASE("streams: an account of which records were lost begins anew with a sweep, and is exact from there on") {
  SweptStreams s;
  s.post(Side::legacy, "10", "11", "");
  s.post(Side::modern, "10", "11", "");
  s.apply(StateGap{Side::modern, "slot recreated"});
  CHECK(s.core().is_unknown(s.account("a")));
  CHECK(s.core().unknown_accounts(10) == std::vector<std::string>{"a"});
  CHECK(s.sweep(holds("11"), holds("11")).empty());
  CHECK_FALSE(s.core().is_unknown(s.account("a")));
  s.post(Side::modern, "11", "12", "", 2 * kSecond);
  CHECK(s.account("a").gap == 100);

  s.apply(StateGap{Side::modern, "slot recreated"});
  const auto verdicts = s.sweep(holds("11"), holds("15"));
  REQUIRE(verdicts.size() == 1);
  CHECK(verdicts[0].event.verdict == Verdict::unknown);
  CHECK_THAT(verdicts[0].event.detail, Catch::Contains("what moved it was lost"));
  CHECK(s.score().confirmed_balance_mismatches == 0);
  CHECK(s.account("a").gap == 400);
  CHECK(s.undetected() == 0);
}

TEST_CASE("streams: an account that one side lacks is a difference, whatever it holds") {
  SweptStreams s;
  const auto verdicts = s.sweep(holds("0.00"), kNone);
  REQUIRE(verdicts.size() == 1);
  CHECK(verdicts[0].event.verdict == Verdict::missing_modern);
  CHECK(s.sweep(holds("0.00"), kNone).empty());  // known by now

  AccountState account = account_at(kSecond);
  Findings findings;
  const auto empty = comparison(holds("0"), kNone);
  CHECK(take_comparison(account, empty, false, findings).value() == ComparisonOutcome::undetected);
  CHECK(take_comparison(account, empty, false, findings).value() == ComparisonOutcome::consistent);
  CHECK(take_comparison(account, empty, false, findings).value() == ComparisonOutcome::consistent);
}

TEST_CASE("streams: accepted drift outlives a gap and a sweep, and ends where both sides are equal") {
  const LedgerComparison differing = comparison(holds("10"), holds("15")), equal = comparison(holds("15"), holds("15"));
  AccountState account = account_at(kSecond);
  account.currency = "EUR";
  account.gap = account.postings.carry = 500;
  Findings findings;
  auto taken = take_stream_comparison(account, differing, false, findings).value();
  CHECK(taken.outcome == ComparisonOutcome::consistent);
  CHECK(taken.begin_with);
  CHECK(account.postings.carry == 500);
  CHECK(findings.settled.empty());
  take_stream_comparison(account, equal, false, findings).value();
  CHECK(account.postings.carry == 0);
}

TEST_CASE("streams: a resync explains what was changed by hand until then, and brings back a lost account") {
  SweptStreams s;
  const auto resync = [&](std::int64_t low_us, std::int64_t high_us) {
    auto made = comparison(holds("12"), holds("12"));
    made.cause = LedgerComparison::Cause::resync;
    made.low_us = low_us;
    made.high_us = high_us;
    s.core().apply({topics::kDbStateUpdates, 0, 2'000, 0, "a", encode(made)});
  };
  s.post(Side::legacy, "10", "12", "");
  s.post(Side::modern, "10", "11", "");
  s.apply(StateGap{Side::legacy, "slot recreated"});
  resync(20 * kSecond, 21 * kSecond);
  CHECK_FALSE(s.core().is_unknown(s.account("a")));
  CHECK(s.account("a").gap == 0);
  CHECK(s.account("a").postings.foreign.empty());
  s.post(Side::modern, "12", "12.50", "", 21 * kSecond);  // of the repair, and told late
  CHECK(s.account("a").postings.foreign.empty());
  s.post(Side::modern, "12.50", "13", "", 22 * kSecond);
  CHECK(s.account("a").postings.foreign.size() == 1);
  // It has moved since the balances were read: they do not tell where it stands.
  s.apply(StateGap{Side::legacy, "slot recreated"});
  resync(20 * kSecond, 21 * kSecond);
  CHECK(s.core().is_unknown(s.account("a")));
}

TEST_CASE("streams: an account that they never told of") {
  SweptStreams s;
  auto verdicts = s.sweep(holds("10"), kNone);
  REQUIRE(verdicts.size() == 1);
  CHECK(verdicts[0].event.verdict == Verdict::missing_modern);
  CHECK(s.undetected() == 0);
  CHECK(s.account("a").gap == -1000);
  s.post(Side::modern, "0", "10", "", 2 * kSecond);  // made good: its counterpart needs no event
  CHECK(s.account("a").gap == 0);
  CHECK(s.sweep(kNone, kNone).empty());
}
