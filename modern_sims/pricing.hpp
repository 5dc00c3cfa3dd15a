// What tells one flavour of the modern bank from another: what it charges and pays. Journal and store are the same.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/sim/bank.hpp"

namespace phoenix::modern_bank {

enum class FeeRule : std::uint8_t {
  tariff,            ///< as published, exactly
  legacy_compatible  ///< what the legacy bank of the pair really computes
};

/// Pure functions; everything in hundredths.
struct Pricing {
  std::int64_t (*transfer_fee)(FeeRule rule, std::string_view tier, std::int64_t amount_minor, sim::Rounding rounding);
  std::int64_t (*interest)(FeeRule rule, std::int64_t balance_minor, int days, sim::Rounding rounding, int year_days);
};

/// Flavour `ledger`, the rewrite of legacy's `vip-fee` (tariff.hpp).
extern const Pricing kLedger;
/// Flavour `precision`, the rewrite of legacy's `float-rounding` (precision.hpp).
extern const Pricing kPrecision;

}  // namespace phoenix::modern_bank
