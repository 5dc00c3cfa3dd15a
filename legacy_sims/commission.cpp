#include "legacy_sims/commission.hpp"

namespace phoenix::legacy_bank {

namespace {

static_assert(sim::kMaxBalanceMinor < INT64_MAX / (2 * sim::kInterestPerCent * sim::kMaxInterestDays),
              "interest is computed in 64 bits");

std::int64_t share(std::int64_t numerator, std::int64_t denominator, sim::Rounding rounding) {
  return (numerator + (rounding == sim::Rounding::nearest ? denominator / 2 : 0)) / denominator;
}

}  // namespace

std::int64_t commission_minor([[maybe_unused]] std::string_view tier, std::int64_t amount_minor,
                              sim::Rounding rounding) {
  return share(amount_minor * 25, 1'000, rounding);
}

std::int64_t interest_minor(std::int64_t balance_minor, int days, sim::Rounding rounding, int year_days) {
  return share(balance_minor * sim::kInterestPerCent * days, 100 * year_days, rounding);
}

}  // namespace phoenix::legacy_bank
