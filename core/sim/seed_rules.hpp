// The accounts that exist before any traffic, the same on both sides. SQL cannot call this: the seeding statements of
// both simulators spell the same rules, and a test holds them to it.
#pragma once

#include <cstdint>
#include <string_view>

namespace phoenix::sim {

/// Every fifth account is a VIP's.
[[nodiscard]] constexpr std::string_view seeded_tier(std::int64_t account) {
  return account % 5 == 0 ? "vip" : "standard";
}

/// 1000.00 to 10000.00 in hundredths.
[[nodiscard]] constexpr std::int64_t seeded_balance_minor(std::int64_t account) {
  return 100'000 * (1 + account % 10);
}

inline constexpr std::string_view kSeededCurrency = "EUR";

}  // namespace phoenix::sim
