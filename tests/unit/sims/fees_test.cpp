#include "legacy_sims/commission.hpp"
#include "modern_sims/tariff.hpp"
#include "tests/support/catch.hpp"

using phoenix::legacy_bank::commission_minor;
using phoenix::modern_bank::FeeRule;
using phoenix::modern_bank::transfer_fee_minor;

TEST_CASE("legacy charges 2.5 % whatever the tier") {
  CHECK(commission_minor("standard", 10'00) == 25);
  CHECK(commission_minor("vip", 10'00) == 25);
  CHECK(commission_minor("vip", 10'20) == 26);  // 25.5 cents
}

TEST_CASE("modern charges VIPs 2.0 %, and as legacy does where it must be compatible") {
  CHECK(transfer_fee_minor(FeeRule::tariff, "standard", 10'00) == 25);
  CHECK(transfer_fee_minor(FeeRule::tariff, "vip", 10'00) == 20);
  CHECK(transfer_fee_minor(FeeRule::tariff, "vip", 10'20) == 20);  // 20.4 cents
  CHECK(transfer_fee_minor(FeeRule::legacy_compatible, "vip", 10'00) == 25);
}

TEST_CASE("half a cent is rounded up, less is not") {
  CHECK(commission_minor("standard", 20) == 1);                // 0.5
  CHECK(commission_minor("standard", 19) == 0);                // 0.475
  CHECK(commission_minor("standard", 60) == 2);                // 1.5
  CHECK(commission_minor("standard", 59) == 1);                // 1.475
  CHECK(transfer_fee_minor(FeeRule::tariff, "vip", 25) == 1);  // 0.5
  CHECK(transfer_fee_minor(FeeRule::tariff, "vip", 24) == 0);  // 0.48
}

TEST_CASE("bug-compatible fees are legacy's for every amount") {
  for (std::int64_t amount = 1; amount <= 200'000; ++amount) {
    if (transfer_fee_minor(FeeRule::legacy_compatible, "vip", amount) != commission_minor("vip", amount) ||
        transfer_fee_minor(FeeRule::tariff, "standard", amount) != commission_minor("standard", amount))
      FAIL("fees differ for " << amount);
  }
  const std::int64_t large = 100'000'000'000'000;
  CHECK(transfer_fee_minor(FeeRule::legacy_compatible, "vip", large) == commission_minor("vip", large));
}

TEST_CASE("the vip-fee pair pays the same interest: 5 % a year, actual/365") {
  CHECK(phoenix::legacy_bank::interest_minor(10'000'00, 31) == 42'47);
  CHECK(phoenix::legacy_bank::interest_minor(2'50, 365) == 13);  // 12.5 cents
  for (const auto& [year, right] : {std::pair{360, 43'06}, std::pair{366, 42'35}}) {
    using phoenix::sim::Rounding;
    CHECK(phoenix::legacy_bank::interest_minor(10'000'00, 31, Rounding::nearest, year) == right);
    CHECK(phoenix::modern_bank::interest_minor(10'000'00, 31, Rounding::nearest, year) == right);
  }
  CHECK(phoenix::legacy_bank::interest_minor(2'50, 365, phoenix::sim::Rounding::truncate) == 12);
  for (std::int64_t balance = 0; balance <= 1'000'000'000'000'000; balance = balance * 3 / 2 + 1)
    for (const int days : {1, 31, 365, 366})
      CHECK(phoenix::legacy_bank::interest_minor(balance, days) == phoenix::modern_bank::interest_minor(balance, days));
}

TEST_CASE("truncated fees lose what is left of a cent") {
  using phoenix::sim::Rounding;
  CHECK(commission_minor("vip", 10'20, Rounding::truncate) == 25);
  CHECK(transfer_fee_minor(FeeRule::tariff, "standard", 10'20, Rounding::truncate) == 25);
  CHECK(transfer_fee_minor(FeeRule::tariff, "standard", 10'00, Rounding::truncate) == 25);
}
