// What follows from an earlier difference accuses nobody; what only looks like it does.
#include "arbiter/balance_rule.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/arbiter/state_streams.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using phoenix::test::exchange;
using phoenix::test::json_leg;
using phoenix::test::StateStreams;
using Verdicts = StateStreams::Verdicts;

namespace {

constexpr Side kLegacy = Side::legacy, kModern = Side::modern;
constexpr std::optional<std::int64_t> kMonth = 31;

/// 5 % a year, actual/365, half up.
std::int64_t interest_of(std::int64_t balance, std::int64_t days = 31) {
  return (2 * balance * 5 * days + 36'500) / (2 * 36'500);
}

BalanceRules taught() {
  BalanceRules rules;
  for (std::int64_t balance = 1'000'000; balance < 2'500'000; balance += 100'003)
    rules.observe(balance, kMonth, interest_of(balance));
  return rules;
}

config::Config interest_config() {
  config::Config config = phoenix::test::state_config();
  config.gateway.routes.front().reads_balance = config::ReadsBalance::amount;
  return config;
}

std::string money(std::int64_t minor) {
  return format_minor(minor, 2);
}

std::string body(std::int64_t amount, std::int64_t balance) {
  return R"({"amount":)" + money(amount) + R"(,"balance":)" + money(balance) + "}";
}

/// Interest of an account; each side computes from its own balance.
class Interest : public StateStreams {
 public:
  Interest() : StateStreams(interest_config()) {}

  /// Modern's amount is off by `wrong`.
  Verdicts credit(std::uint64_t number, std::int64_t legacy, std::int64_t modern, std::int64_t wrong = 0) {
    const std::int64_t left = interest_of(legacy), right = interest_of(modern) + wrong;
    auto event = exchange(number, body(left, legacy + left), body(right, modern + right), {{"7", number}});
    event.request_headers = {{"Content-Type", "application/json"}};
    event.request_body = R"({"days":31})";
    post_both("7", {money(legacy), money(legacy + left)}, {money(modern), money(modern + right)}, event.exchange_id);
    Verdicts decided = apply(event);
    for (auto& more : markers()) decided.push_back(more);
    return decided;
  }
};

}  // namespace

TEST_CASE("the rule of interest is learned from legacy, its rounding too") {
  const BalanceRules rules = taught();
  const auto known = rules.known();
  REQUIRE(!known.empty());
  for (const auto& rule : known) {
    CHECK(rule.rate == 5'000);
    CHECK(rule.basis == 365);
    CHECK(rule.rounding != BalanceRule::Rounding::cut);
  }
  const auto restored = BalanceRules::decode(rules.encode());
  REQUIRE(restored.has_value());
  CHECK(restored->known() == known);
  CHECK(!BalanceRules::decode("1 1 5000 365 0 7 8 1 2 ").has_value());
  CHECK(BalanceRules().known().empty());
}

TEST_CASE("one rule on two balances follows; another day count or a cent does not") {
  const BalanceRules rules = taught();
  const std::int64_t legacy = 2'000'000, modern = 1'990'000;
  const auto told = [&](std::int64_t amount) {
    return rules.recompute({legacy, interest_of(legacy)}, {modern, amount}, kMonth);
  };
  CHECK(told(interest_of(modern)) == Recomputed::follows);
  CHECK(told(interest_of(modern) + 1) == Recomputed::contradicts);
  CHECK(told(interest_of(modern, 30)) == Recomputed::contradicts);
  CHECK(told(interest_of(legacy)) == Recomputed::contradicts);
  // Larger balances than any seen may have another rate.
  // Up to legacy's own, though, this exchange shows that there is none.
  const std::int64_t large = 3'000'000;
  CHECK(rules.recompute({large + 1'000, interest_of(large + 1'000)}, {large, 1}, kMonth) == Recomputed::contradicts);
  CHECK(rules.recompute({large + 1'000, interest_of(large + 1'000)}, {large + 1'001, 1}, kMonth) == Recomputed::untold);
  CHECK(rules.recompute({legacy, interest_of(legacy)}, {3'000'000, 1}, kMonth) == Recomputed::untold);
  // An account with a rate of its own: nothing is known of it, but one rule gives both.
  CHECK(rules.recompute({legacy, 6'795}, {modern, 6'761}, kMonth) == Recomputed::follows);
  CHECK(rules.recompute({legacy, 6'795}, {modern, 6'795}, kMonth) == Recomputed::untold);
  CHECK(BalanceRules().recompute({legacy, 8'493}, {modern, 1}, kMonth) == Recomputed::untold);
}

TEST_CASE("interest on balances that differ is no new mismatch, unless recomputing says so (rule 19)") {
  Interest s;
  std::int64_t balance = 1'000'000;
  std::uint64_t number = 1;
  for (; number <= 10; ++number) {
    CHECK(s.credit(number, balance, balance).empty());
    balance += interest_of(balance);
  }
  // Modern pays 1.00 too much once: that is the mismatch.
  const auto wrong = s.credit(number, balance, balance, 100);
  REQUIRE(wrong.size() == 1);
  CHECK(wrong.front().second == Verdict::mismatch);
  const std::int64_t legacy = balance + interest_of(balance), modern = legacy + 100;
  SECTION("what follows from it is named, and counts neither for nor against") {
    const auto follows = s.credit(number + 1, legacy, modern);
    REQUIRE(follows.size() == 1);
    CHECK(follows.front().second == Verdict::unknown);
    CHECK(s.last.verdicts.front().event.cause == "carried");
    CHECK(s.count("mismatch") == 1);
    CHECK(s.count("cause_carried") == 1);
  }
  SECTION("the same fault again is a mismatch again") {
    const auto again = s.credit(number + 1, legacy, modern, 1);
    REQUIRE(again.size() == 1);
    CHECK(again.front().second == Verdict::mismatch);
  }
  SECTION("after a restart, too") {
    CoreState state;
    state.causes.state = s.last.causes.state;
    CHECK(!state.causes.state.at("balance rules/payments/deposits").empty());
  }
}

TEST_CASE("an account that was opened on one side alone: not found there is no new fault") {
  StateStreams s;
  // Time passes since the streams began.
  const auto first = exchange(10'000, body(100, 200), body(100, 200), {{"1", 1}});
  s.post_both("1", {"1.00", "2.00"}, {"1.00", "2.00"}, first.exchange_id);
  s.apply(first);
  s.markers();
  auto opening = exchange(20'000, body(0, 0), body(0, 0), {{"7", 1}});
  opening.shadow.outcome = LegOutcome::timeout;
  const auto open = [&](Side side) {
    auto created = s.change(side, "7", "0.00", "0.00", opening.exchange_id);
    created.op = StateChange::Op::create;
    created.before.reset();
    s.apply(created);
  };
  open(kLegacy);
  SECTION("on legacy alone") {
    s.apply(opening);
    auto read = exchange(20'001, body(0, 0), R"({"title":"no such account"})", {{"7", 2}});
    read.write = false;
    read.shadow = json_leg(404, R"({"title":"no such account"})");
    s.apply(read);
    const auto told = s.markers();
    REQUIRE(told.size() == 1);
    CHECK(told.front() == std::pair{read.exchange_id, Verdict::unknown});
    CHECK(s.last.verdicts.front().event.cause == "carried");
    CHECK(s.last.verdicts.front().event.detail.find("account 7 was opened on legacy alone") != std::string::npos);
  }
  SECTION("on both: then it is modern's fault") {
    open(kModern);
    opening.shadow.outcome = LegOutcome::ok;
    s.apply(opening);
    auto read = exchange(30'000, body(0, 0), R"({"title":"no such account"})", {{"7", 2}});
    read.write = false;
    read.shadow = json_leg(404, R"({"title":"no such account"})");
    s.apply(read);
    CHECK(s.markers() == Verdicts{{read.exchange_id, Verdict::mismatch}});
  }
  SECTION("an account that nobody saw being opened proves nothing") {
    auto read = exchange(30'000, body(0, 0), R"({"title":"no such account"})", {{"8", 1}});
    read.write = false;
    read.shadow = json_leg(404, R"({"title":"no such account"})");
    s.apply(read);
    CHECK(s.markers() == Verdicts{{read.exchange_id, Verdict::mismatch}});
  }
}

TEST_CASE("a posting on an account that the request does not name has a label of its own") {
  StateStreams s;
  auto transfer = exchange(1, body(1'000, 9'000), body(1'000, 9'000), {{"7", 1}, {"8", 1}});
  s.post(kLegacy, "7", "100.00", "90.00", transfer.exchange_id, "t1");
  s.post(kLegacy, "8", "50.00", "60.00", transfer.exchange_id, "t1");
  s.post(kModern, "7", "100.00", "90.00", transfer.exchange_id, "t1");
  s.post(kModern, "9", "50.00", "60.00", transfer.exchange_id, "t1");
  s.apply(transfer);
  const auto told = s.markers();
  REQUIRE(told.size() == 1);
  CHECK(told.front().second == Verdict::mismatch);
  CHECK(s.last.verdicts.front().event.cause == "wrong_account");
  CHECK(s.last.verdicts.front().event.cause_detail ==
        "modern posted 10.00 to account 9, which the exchange does not name; legacy to account 8");
}
