// What tells one flavour of the legacy bank from another: how it computes. Schema and bookkeeping are the same.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/sim/bank.hpp"

namespace phoenix::legacy_bank {

/// Pure functions; everything in hundredths.
struct Pricing {
  std::int64_t (*transfer_fee)(std::string_view tier, std::int64_t amount_minor, sim::Rounding rounding);
  std::int64_t (*interest)(std::int64_t balance_minor, int days, sim::Rounding rounding, int year_days);
  std::int64_t (*sum)(std::int64_t a_minor, std::int64_t b_minor);
};

/// In whole cents, with the fee that never looks at the tier (commission.hpp).
extern const Pricing kVipFee;
/// In binary floating point (float_money.hpp); 1.5 % for everybody.
extern const Pricing kFloatRounding;

}  // namespace phoenix::legacy_bank
