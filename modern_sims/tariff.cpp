#include "modern_sims/tariff.hpp"

namespace phoenix::modern_bank {

namespace {

constexpr std::int64_t kStandardBasisPoints = 250;
constexpr std::int64_t kVipBasisPoints = 200;
constexpr std::int64_t kWhole = 10'000;

}  // namespace

std::int64_t transfer_fee_minor(FeeRule rule, std::string_view tier, std::int64_t amount_minor) {
  const bool vip_rate = rule == FeeRule::tariff && tier == "vip";
  const std::int64_t basis_points = vip_rate ? kVipBasisPoints : kStandardBasisPoints;
  return (amount_minor * basis_points + kWhole / 2) / kWhole;
}

}  // namespace phoenix::modern_bank
