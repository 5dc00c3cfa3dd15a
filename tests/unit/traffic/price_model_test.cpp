#include "tests/traffic/price_model.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix::traffic;

namespace {
Operation transfer(std::int64_t from, std::int64_t amount_minor) {
  return {Kind::transfer, from, from + 1, amount_minor};
}
std::int64_t fee(FeeModel model, std::int64_t amount_minor) {
  return right_fees(model, transfer(1, amount_minor)).least;
}
}  // namespace

TEST_CASE("which fee is right for a VIP depends on the model") {
  const Operation vip = transfer(5, 10'00);
  const Operation standard = transfer(1, 10'00);
  CHECK(right_fees(FeeModel::legacy_vip_fee, vip).least == 25);
  CHECK(right_fees(FeeModel::tariff, vip).most == 20);
  CHECK(right_fees(FeeModel::any, vip).least == 20);
  CHECK(right_fees(FeeModel::any, vip).most == 25);
  CHECK(right_fees(FeeModel::any, standard).least == 25);
  CHECK(right_fees(FeeModel::exact, vip).most == 15);
  CHECK(right_fees(FeeModel::tariff, {Kind::withdrawal, 5, 0, 10'00}).most == 0);
}

TEST_CASE("in binary floating point 746 fees of 200,000 are a cent lower") {
  CHECK(fee(FeeModel::exact, 19'00) == 29);
  CHECK(fee(FeeModel::legacy_float, 19'00) == 28);
  int differing = 0;
  for (std::int64_t amount = 1; amount <= 200'000; ++amount) {
    const std::int64_t gap = fee(FeeModel::exact, amount) - fee(FeeModel::legacy_float, amount);
    if (gap != 0 && gap != 1) FAIL("unexpected difference " << gap << " for " << amount);
    differing += static_cast<int>(gap);
  }
  CHECK(differing == 746);
}

TEST_CASE("interest is actual/365 at 5 %") {
  for (const FeeModel model : {FeeModel::tariff, FeeModel::exact, FeeModel::legacy_float}) {
    CHECK(right_interest(model, 10'000'00, 31) == 42'47);
    CHECK(right_interest(model, 365'00, 1) == 5);
    CHECK(right_interest(model, 0, 365) == 0);
    CHECK(right_interest(model, -10'000'00, 31) == 0);
  }
  CHECK(right_interest(FeeModel::exact, 2'50, 365) == 13);
  CHECK(right_interest(FeeModel::legacy_float, 2'50, 365) == 12);
  CHECK(right_interest(FeeModel::exact, 1'000'000'000'000'000, 366) == 50'136'986'301'370);
}
