// The arithmetic of flavour `float-rounding`: money in binary floating point, as a PHP monolith computes it. The only
// place where money is held in doubles, because that is what this flavour is there to show: 1.5 % of 19.00 is
// 0.285, the nearest double lies below that, and it prints as 0.28. Pure.
//
// An amount is read as the double nearest to its decimal text, computed with in IEEE 754 double precision, each
// operation rounded to nearest even, and printed with two decimals from its exact binary value, an exact half to the
// even cent: PHP's sprintf('%.2f', $x), and C's. (PHP's round() and number_format() look at the decimal
// representation first and would give 0.29.) Every build gives the same results: see the assertions in the .cpp.
#pragma once

#include <cstdint>

#include "core/sim/bank.hpp"

namespace phoenix::legacy_bank::float_money {

/// sprintf('%.2f', $amount * 0.015); truncated: (int)($amount * 0.015 * 100). In hundredths.
std::int64_t commission_minor(std::int64_t amount_minor, sim::Rounding rounding);

/// sprintf('%.2f', $balance * 0.05 * $days / 365), or truncated likewise. In hundredths.
std::int64_t interest_minor(std::int64_t balance_minor, int days, sim::Rounding rounding,
                            int year_days = sim::kYearDays);

/// sprintf('%.2f', $a + $b). Right to the cent up to sim::kMaxBalanceMinor: three roundings of at most half a unit in
/// the last place, 2^-10 below 2^44, are less than half a cent.
std::int64_t sum_minor(std::int64_t a_minor, std::int64_t b_minor);

}  // namespace phoenix::legacy_bank::float_money
