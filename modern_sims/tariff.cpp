#include "modern_sims/tariff.hpp"

namespace phoenix::modern_bank {

namespace {

constexpr std::int64_t kStandardBasisPoints = 250;
constexpr std::int64_t kVipBasisPoints = 200;
constexpr std::int64_t kWhole = 10'000;

static_assert(sim::kMaxBalanceMinor < INT64_MAX / (2 * sim::kInterestPerCent * sim::kMaxInterestDays),
              "interest is computed in 64 bits");

std::int64_t half_of(std::int64_t divisor, sim::Rounding rounding) {
  return rounding == sim::Rounding::nearest ? divisor / 2 : 0;
}

}  // namespace

std::int64_t transfer_fee_minor(FeeRule rule, std::string_view tier, std::int64_t amount_minor,
                                sim::Rounding rounding) {
  const bool vip_rate = rule == FeeRule::tariff && tier == "vip";
  const std::int64_t basis_points = vip_rate ? kVipBasisPoints : kStandardBasisPoints;
  return (amount_minor * basis_points + half_of(kWhole, rounding)) / kWhole;
}

std::int64_t interest_minor(std::int64_t balance_minor, int days, sim::Rounding rounding, int year_days) {
  const std::int64_t year = std::int64_t{100} * year_days;  // of per cents
  return (balance_minor * sim::kInterestPerCent * days + half_of(year, rounding)) / year;
}

}  // namespace phoenix::modern_bank
