// What the rewrite charges for a transfer, flavour `ledger`, and the interest that it pays. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "modern_sims/pricing.hpp"

namespace phoenix::modern_bank {

/// As published: standard 2.5 %, VIP 2.0 %; legacy-compatible: 2.5 % for everybody. Half a cent is rounded up. Amount
/// and result in hundredths.
std::int64_t transfer_fee_minor(FeeRule rule, std::string_view tier, std::int64_t amount_minor,
                                sim::Rounding rounding = sim::Rounding::nearest);

/// sim::kInterestPerCent a year on the balance, actual/365; half a cent is rounded up. In hundredths.
std::int64_t interest_minor(std::int64_t balance_minor, int days, sim::Rounding rounding = sim::Rounding::nearest,
                            int year_days = sim::kYearDays);

}  // namespace phoenix::modern_bank
