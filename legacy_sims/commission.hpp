// What the legacy bank charges for a transfer and pays on a balance, flavour `vip-fee`: whole cents throughout. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/sim/bank.hpp"

namespace phoenix::legacy_bank {

/// 2.5 % of the amount, half a cent rounded up. The tariff promises VIPs 2.0 %, but this system never looks at the
/// tier: the bug that the rewrite fixes (flavour `vip-fee`). Amount and result in hundredths.
std::int64_t commission_minor(std::string_view tier, std::int64_t amount_minor,
                              sim::Rounding rounding = sim::Rounding::nearest);

/// sim::kInterestPerCent a year on the balance, actual/365, half a cent rounded up. In hundredths.
std::int64_t interest_minor(std::int64_t balance_minor, int days, sim::Rounding rounding = sim::Rounding::nearest,
                            int year_days = sim::kYearDays);

}  // namespace phoenix::legacy_bank
