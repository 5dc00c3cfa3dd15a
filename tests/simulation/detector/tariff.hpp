// What the simulated banks charge and pay, rightly and with each arithmetic fault. Pure; everything in hundredths.
#pragma once

#include <cstdint>
#include <string_view>

#include "tests/simulation/detector/fault.hpp"

namespace phoenix::detector {

enum class Tier : std::uint8_t { standard, vip, basic };
std::string_view name_of(Tier tier);
/// Of account `id`.
Tier tier_of(int id);

inline constexpr std::int64_t kVipFreeFromMinor = 200'00;

/// Standard 2.5 %, basic 1.5 %; VIPs 2.0 %, and nothing from 200.00 on. Half a cent is rounded up.
std::int64_t transfer_fee_minor(const Faults& faults, Tier tier, std::int64_t amount_minor);

/// 5 % a year on the balance, actual/365, half a cent rounded up.
std::int64_t interest_minor(const Faults& faults, std::int64_t balance_minor, int days);

/// Days since 1970 of the day that a booking counts for: local time is UTC + 1 h; with the fault it is UTC.
std::int64_t value_day(const Faults& faults, std::int64_t unix_us);

}  // namespace phoenix::detector
