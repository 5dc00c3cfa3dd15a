// The float-rounding bank and its exact rewrite: where they differ, and that they can be made to agree.
#include "core/runtime/clock.hpp"
#include "legacy_sims/booking.hpp"
#include "legacy_sims/float_money.hpp"
#include "modern_sims/precision.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using legacy_bank::float_money::sum_minor;
using modern_bank::FeeRule;
using sim::Rounding;

namespace {

constexpr std::int64_t kMaxAmountMinor = 100'000'000'000'000;

std::int64_t legacy_fee(std::int64_t amount, Rounding rounding = Rounding::nearest) {
  return legacy_bank::float_money::commission_minor(amount, rounding);
}
std::int64_t legacy_interest(std::int64_t balance, int days, Rounding rounding = Rounding::nearest) {
  return legacy_bank::float_money::interest_minor(balance, days, rounding);
}
std::int64_t fee(FeeRule rule, std::int64_t amount, Rounding rounding = Rounding::nearest) {
  return modern_bank::precision::transfer_fee_minor(rule, amount, rounding);
}
std::int64_t interest(FeeRule rule, std::int64_t balance, int days, Rounding rounding = Rounding::nearest) {
  return modern_bank::precision::interest_minor(rule, balance, days, rounding);
}

/// Numbers of every magnitude up to `most`, half of them such that half cents are frequent.
class Amounts {
 public:
  std::int64_t next(std::int64_t most) {
    std::int64_t limit = 10;
    for (auto digits = random_.next() % 15; digits > 0 && limit < most; --digits) limit *= 10;
    const auto value =
        static_cast<std::int64_t>(random_.next() % static_cast<std::uint64_t>(std::min(limit, most) + 1));
    return random_.next() % 2 == 0 ? value : value / 50 * 50;
  }
  int days() { return 1 + static_cast<int>(random_.next() % sim::kMaxInterestDays); }

 private:
  RandomSource random_{20'260'101};
};

}  // namespace

TEST_CASE("1.5 % of 19.00 is 0.29, but not in binary floating point") {
  CHECK(fee(FeeRule::tariff, 19'00) == 29);
  CHECK(legacy_fee(19'00) == 28);
  CHECK(fee(FeeRule::legacy_compatible, 19'00) == 28);
  CHECK(legacy_fee(1'00) == 1);  // 0.015 as a double lies below the tie
  CHECK(legacy_fee(3'00) == 4);  // 0.045 above it
  CHECK(legacy_fee(100'00) == 150);
}

TEST_CASE("of the amounts up to 2000.00, exactly 746 fees differ: half cents, each a cent too little") {
  int differing = 0;
  for (std::int64_t amount = 1; amount <= 200'000; ++amount) {
    const std::int64_t gap = fee(FeeRule::tariff, amount) - legacy_fee(amount);
    if (gap == 0) continue;
    ++differing;
    if (gap != 1 || amount % 200 != 100) FAIL("unexpected difference " << gap << " for " << amount);
  }
  CHECK(differing == 746);
}

TEST_CASE("interest is actual/365 at 5 %, and differs where it is a half cent") {
  CHECK(interest(FeeRule::tariff, 10'000'00, 31) == 42'47);
  CHECK(legacy_interest(10'000'00, 31) == 42'47);
  CHECK(interest(FeeRule::tariff, 2'50, 365) == 13);  // 0.125: binary floating point holds this half exactly
  CHECK(legacy_interest(2'50, 365) == 12);            // and rounds it to the even cent
  CHECK(interest(FeeRule::tariff, 0, 366) == 0);
  CHECK(legacy_interest(0, 366) == 0);
  int ties = 0, differing = 0;
  for (std::int64_t balance = 1'000'00; balance < 3'000'00; ++balance) {
    const std::int64_t gap = interest(FeeRule::tariff, balance, 73) - legacy_interest(balance, 73);
    const bool tie = balance % 100 == 50;
    ties += tie;
    if (gap == 0) continue;
    ++differing;
    if (gap != 1 || !tie) FAIL("unexpected difference " << gap << " for " << balance);
  }
  CHECK(ties == 2'000);
  CHECK(differing > 200);
}

TEST_CASE("bug-compatible, the rewrite agrees to the cent, whatever the amount, the balance and the rounding") {
  Amounts amounts;
  int exact_differs = 0;
  for (int i = 0; i < 1'500'000; ++i) {
    const std::int64_t amount = amounts.next(kMaxAmountMinor);
    const std::int64_t balance = amounts.next(sim::kMaxBalanceMinor);
    const int days = amounts.days();
    for (const Rounding rounding : {Rounding::nearest, Rounding::truncate}) {
      if (fee(FeeRule::legacy_compatible, amount, rounding) != legacy_fee(amount, rounding))
        FAIL("fees differ for " << amount);
      if (interest(FeeRule::legacy_compatible, balance, days, rounding) != legacy_interest(balance, days, rounding))
        FAIL("interest differs for " << days << " days on " << balance);
    }
    exact_differs += fee(FeeRule::tariff, amount) != legacy_fee(amount);
  }
  CHECK(exact_differs > 1'000);  // the amounts were of the kind that matters
}

TEST_CASE("truncated, each fee and interest is what it was or a cent less") {
  CHECK(legacy_fee(19'34, Rounding::truncate) == 29);  // 0.2901
  CHECK(legacy_fee(20'00, Rounding::truncate) == 30);
  CHECK(legacy_fee(19'99, Rounding::truncate) == 29);  // 0.29985
  CHECK(fee(FeeRule::tariff, 19'99, Rounding::truncate) == 29);
  Amounts amounts;
  int cut = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::int64_t amount = amounts.next(kMaxAmountMinor);
    const std::int64_t balance = amounts.next(sim::kMaxBalanceMinor);
    const int days = amounts.days();
    for (const std::int64_t less :
         {legacy_fee(amount) - legacy_fee(amount, Rounding::truncate),
          legacy_interest(balance, days) - legacy_interest(balance, days, Rounding::truncate),
          fee(FeeRule::tariff, amount) - fee(FeeRule::tariff, amount, Rounding::truncate),
          interest(FeeRule::tariff, balance, days) - interest(FeeRule::tariff, balance, days, Rounding::truncate)}) {
      if (less != 0 && less != 1) FAIL("cut by " << less << ": " << amount << ", " << balance << ", " << days);
      cut += less == 1;
    }
  }
  CHECK(cut > 100'000);
}

TEST_CASE("sums in doubles are right to the cent up to the largest balance, and not far beyond") {
  Amounts amounts;
  for (int i = 0; i < 1'000'000; ++i) {
    const std::int64_t balance =
        i % 2 == 0 ? amounts.next(sim::kMaxBalanceMinor) : sim::kMaxBalanceMinor - amounts.next(kMaxAmountMinor);
    const std::int64_t amount = amounts.next(kMaxAmountMinor);
    if (sum_minor(balance, amount) != balance + amount || sum_minor(balance, -amount) != balance - amount)
      FAIL("wrong sum of " << balance << " and " << amount);
  }
  CHECK(sum_minor(30, -30) == 0);
  CHECK(sum_minor(10, -30) == -20);
  CHECK(sum_minor(400'000'000'000'000'000, 1) != 400'000'000'000'000'001);
}

TEST_CASE("no booking passes the limit, on whichever account, or takes what is not there") {
  using namespace legacy_bank;
  const Accounts accounts{{1, "standard", "EUR", 100'00, {}}, {2, "vip", "EUR", sim::kMaxBalanceMinor - 50'00, {}}};
  auto refusal = [&](const Order& order) {
    Accounts touched;
    for (const auto& account : accounts)
      if (account.id == order.payer || account.id == order.payee) touched.push_back(account);
    return carry_out(kFloatRounding, price(kFloatRounding, {}, order, holder_of(touched, order), "x"),
                     touched);
  };
  CHECK_FALSE(refusal({.payer = 1, .payee = 2, .amount_minor = 50'00}));
  CHECK(refusal({.payer = 1, .payee = 2, .amount_minor = 50'01}) == sim::Refusal::balance_limit);
  CHECK(refusal({.payer = 1, .payee = 2, .amount_minor = 99'00}) == sim::Refusal::insufficient_funds);
  CHECK_FALSE(refusal({.payee = 2, .amount_minor = 50'00}));
  CHECK(refusal({.payee = 2, .amount_minor = 50'01}) == sim::Refusal::balance_limit);
  CHECK(refusal({.payee = 2, .interest_days = 1}) == sim::Refusal::balance_limit);
  CHECK_FALSE(refusal({.payee = 1, .interest_days = 366}));
}
