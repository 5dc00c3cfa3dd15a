// What the rewrite of the float-rounding bank charges and pays, flavour `precision`: exact decimals, or legacy's binary
// rounding to the cent where it must be compatible. Pure; everything in hundredths.
#pragma once

#include <cstdint>

#include "modern_sims/pricing.hpp"

namespace phoenix::modern_bank::precision {

/// 1.5 % of the amount; as published, half a cent is rounded up.
std::int64_t transfer_fee_minor(FeeRule rule, std::int64_t amount_minor,
                                sim::Rounding rounding = sim::Rounding::nearest);

/// sim::kInterestPerCent a year on the balance, actual/365; as published, half a cent is rounded up.
std::int64_t interest_minor(FeeRule rule, std::int64_t balance_minor, int days,
                            sim::Rounding rounding = sim::Rounding::nearest, int year_days = sim::kYearDays);

}  // namespace phoenix::modern_bank::precision
