#include "modern_sims/precision.hpp"

#include "modern_sims/binary64.hpp"

namespace phoenix::modern_bank::precision {

namespace {

static_assert(sim::kMaxBalanceMinor < INT64_MAX / (2 * sim::kInterestPerCent * sim::kMaxInterestDays),
              "interest is computed in 64 bits");

std::int64_t exact(std::int64_t numerator, std::int64_t denominator, sim::Rounding rounding) {
  return (numerator + (rounding == sim::Rounding::nearest ? denominator / 2 : 0)) / denominator;
}

/// Legacy cuts by (int)($x * 100), where the product is rounded once more.
std::int64_t as_legacy(Binary64 value, sim::Rounding rounding) {
  if (rounding == sim::Rounding::truncate) return (value * Binary64::ratio(100, 1)).whole();
  return value.printed_hundredths();
}

Binary64 major_units(std::int64_t minor) {
  return Binary64::ratio(static_cast<std::uint64_t>(minor), 100);
}

}  // namespace

std::int64_t transfer_fee_minor(FeeRule rule, std::int64_t amount_minor, sim::Rounding rounding) {
  if (rule == FeeRule::tariff) return exact(amount_minor * 15, 1'000, rounding);
  return as_legacy(major_units(amount_minor) * Binary64::ratio(15, 1'000), rounding);
}

std::int64_t interest_minor(FeeRule rule, std::int64_t balance_minor, int days, sim::Rounding rounding, int year_days) {
  if (rule == FeeRule::tariff)
    return exact(balance_minor * sim::kInterestPerCent * days, std::int64_t{100} * year_days, rounding);
  // Legacy's order of operations: each of them rounds.
  const Binary64 rate = Binary64::ratio(static_cast<std::uint64_t>(sim::kInterestPerCent), 100);
  return as_legacy(major_units(balance_minor) * rate * Binary64::ratio(static_cast<std::uint64_t>(days), 1) /
                       Binary64::ratio(static_cast<std::uint64_t>(year_days), 1),
                   rounding);
}

}  // namespace phoenix::modern_bank::precision
