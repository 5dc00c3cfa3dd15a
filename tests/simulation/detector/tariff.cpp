#include "tests/simulation/detector/tariff.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

namespace phoenix::detector {
namespace {

constexpr std::int64_t kThousandths = 1'000;
constexpr std::int64_t kHourUs = 3'600'000'000;

/// numerator / denominator in whole hundredths, by the rounding that the faults leave.
std::int64_t rounded(const Faults& faults, std::int64_t numerator, std::int64_t denominator) {
  const std::int64_t whole = numerator / denominator;
  const std::int64_t twice_rest = 2 * (numerator % denominator);
  if (faults.contains(Fault::truncation)) return whole;
  if (faults.contains(Fault::half_even) && twice_rest == denominator) return whole + whole % 2;
  return whole + (twice_rest >= denominator ? 1 : 0);
}

/// As a program does that keeps money in doubles and prints two digits.
std::int64_t printed_minor(double major) {
  std::array<char, 64> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.2f", major);
  std::string digits(text.data(), static_cast<std::size_t>(length));
  digits.erase(digits.find('.'), 1);
  return std::stoll(digits);
}

std::int64_t rate_in_thousandths(Tier tier) {
  return tier == Tier::standard ? 25 : tier == Tier::vip ? 20 : 15;
}

}  // namespace

std::string_view name_of(Tier tier) {
  constexpr std::array<std::string_view, 3> kNames{"standard", "vip", "basic"};
  return kNames[static_cast<std::size_t>(tier)];
}

Tier tier_of(int id) {
  return static_cast<Tier>(id % 3);
}

std::int64_t transfer_fee_minor(const Faults& faults, Tier tier, std::int64_t amount_minor) {
  if (tier == Tier::vip) {
    const bool above_only = faults.contains(Fault::vip_threshold);
    if (above_only ? amount_minor > kVipFreeFromMinor : amount_minor >= kVipFreeFromMinor) return 0;
    if (faults.contains(Fault::vip_order)) return rounded(faults, rounded(faults, amount_minor * 25, 1'000) * 4, 5);
  }
  const std::int64_t rate = rate_in_thousandths(tier);
  if (faults.contains(Fault::float_tie)) {
    return printed_minor(static_cast<double>(amount_minor) / 100.0 * (static_cast<double>(rate) / 1000.0));
  }
  return rounded(faults, amount_minor * rate, kThousandths);
}

std::int64_t interest_minor(const Faults& faults, std::int64_t balance_minor, int days) {
  if (balance_minor <= 0) return 0;
  if (faults.contains(Fault::day_count)) return rounded(faults, balance_minor * 5 * std::min(days, 30), 36'000);
  if (faults.contains(Fault::daily_rounding)) return days * rounded(faults, balance_minor * 5, 36'500);
  return rounded(faults, balance_minor * 5 * days, 36'500);
}

std::int64_t value_day(const Faults& faults, std::int64_t unix_us) {
  return (unix_us + (faults.contains(Fault::cut_off) ? 0 : kHourUs)) / (24 * kHourUs);
}

}  // namespace phoenix::detector
