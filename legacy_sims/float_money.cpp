#include "legacy_sims/float_money.hpp"

#include <array>
#include <cfloat>
#include <charconv>
#include <limits>
#include <string_view>

#include "core/sim/exact_json.hpp"

namespace phoenix::legacy_bank::float_money {

// No wider intermediate results, as the x87 unit has them; CMakeLists.txt forbids fused multiply-add for this file.
static_assert(FLT_EVAL_METHOD == 0 && std::numeric_limits<double>::is_iec559, "IEEE 754 double precision is needed");
#ifdef __FAST_MATH__
#error "float_money.cpp must not be built with -ffast-math"
#endif

namespace {

constexpr double kCommission = 0.015;
constexpr double kInterest = 0.05;
static_assert(sim::kInterestPerCent == 5);

/// Both operands are exact below 2^53, so the quotient is the double nearest to the decimal text.
double major_units(std::int64_t minor) {
  return static_cast<double>(minor) / 100.0;
}

/// As sprintf('%.2f'), whatever the locale.
std::int64_t printed(double value) {
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, 2).ptr;
  return hundredths_from_text({text.data(), static_cast<std::size_t>(end - text.data())}).value();
}

std::int64_t to_minor(double value, sim::Rounding rounding) {
  return rounding == sim::Rounding::truncate ? static_cast<std::int64_t>(value * 100.0) : printed(value);
}

}  // namespace

std::int64_t commission_minor(std::int64_t amount_minor, sim::Rounding rounding) {
  return to_minor(major_units(amount_minor) * kCommission, rounding);
}

std::int64_t interest_minor(std::int64_t balance_minor, int days, sim::Rounding rounding, int year_days) {
  return to_minor(major_units(balance_minor) * kInterest * static_cast<double>(days) / static_cast<double>(year_days),
                  rounding);
}

std::int64_t sum_minor(std::int64_t a_minor, std::int64_t b_minor) {
  return printed(major_units(a_minor) + major_units(b_minor));
}

}  // namespace phoenix::legacy_bank::float_money
