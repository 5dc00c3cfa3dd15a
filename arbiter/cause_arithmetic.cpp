#include "arbiter/cause_arithmetic.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/model/decimal.hpp"

namespace phoenix::arbiter {
namespace {

std::int64_t narrow(Int128 value) {
  return static_cast<std::int64_t>(value);
}

/// As sprintf("%.*f") from the exact binary value, whatever the locale; -1 when it is no amount.
std::int64_t printed(double value, int scale) {
  std::array<char, 64> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, scale);
  if (error != std::errc()) return -1;
  const auto amount = Decimal::parse({text.data(), static_cast<std::size_t>(end - text.data())});
  if (!amount) return -1;
  const auto minor = amount->to_minor(scale);
  return minor ? *minor : -1;
}

}  // namespace

std::int64_t half_up(const Formula& formula) {
  const Int128 divisor = formula.denominator();
  return narrow((2 * formula.numerator() + divisor) / (2 * divisor));
}

std::int64_t truncated(const Formula& formula) {
  return narrow(formula.numerator() / formula.denominator());
}

bool is_tie(const Formula& formula) {
  return 2 * (formula.numerator() % formula.denominator()) == formula.denominator();
}

bool is_near(const Formula& formula, std::int64_t amount) {
  const Int128 off = formula.numerator() - Int128{amount} * formula.denominator();
  return off < formula.denominator() && -off < formula.denominator();
}

bool is_within_one(const Formula& formula, std::int64_t amount) {
  const Int128 off = formula.numerator() - Int128{amount} * formula.denominator();
  return off <= formula.denominator() && -off <= formula.denominator();
}

std::int64_t half_even(const Formula& formula) {
  const std::int64_t up = half_up(formula);
  return is_tie(formula) && up % 2 != 0 ? up - 1 : up;
}

std::int64_t share_of(std::int64_t whole, std::int64_t rate) {
  return half_up({whole, 0, rate, 1, 1});
}

BinaryResults in_doubles(const Formula& formula) {
  // Doubles on purpose: see the header. Below 2^53 the quotient is the double nearest to the amount's text.
  const double unit = std::pow(10.0, formula.scale);
  const double base = static_cast<double>(formula.base) / unit;
  const double rate = static_cast<double>(formula.rate) / static_cast<double>(kRateUnit);
  const double per_cent = static_cast<double>(formula.rate) / static_cast<double>(kRateUnit / 100);
  const auto days = static_cast<double>(formula.days), basis = static_cast<double>(formula.basis);
  BinaryResults results;
  for (const double product : {base * rate, base * per_cent / 100.0}) {
    const double value = formula.basis == 1 ? product : product * days / basis;
    results.rounded.push_back(printed(value, formula.scale));
    results.rounded.push_back(static_cast<std::int64_t>(std::floor(value * unit + 0.5)));
    results.cut.push_back(static_cast<std::int64_t>(value * unit));
  }
  return results;
}

std::vector<std::int64_t> simplest_rates(const Formula& formula, std::int64_t result, std::size_t most, bool coarse) {
  std::vector<std::int64_t> rates;
  const Int128 weight = Int128{formula.base} * formula.days;
  if (weight <= 0 || result < 0) return rates;
  const Int128 scale = formula.denominator();
  const Int128 low = std::max<Int128>(0, Int128{result - 1} * scale) / weight + 1;
  const Int128 high = std::min<Int128>((Int128{result + 1} * scale - 1) / weight, kRateUnit);
  constexpr std::array<std::int64_t, 7> kSteps{1000, 500, 250, 125, 100, 50, 10};
  for (std::size_t i = 0; i < kSteps.size() && (!coarse || kSteps[i] >= 250); ++i) {
    for (Int128 rate = (low + kSteps[i] - 1) / kSteps[i] * kSteps[i]; rate <= high; rate += kSteps[i]) {
      if (rates.size() >= most) return rates;
      if (std::find(rates.begin(), rates.end(), narrow(rate)) == rates.end()) rates.push_back(narrow(rate));
    }
  }
  return rates;
}

std::string rate_text(std::int64_t rate) {
  return Decimal::from_minor(rate, 3).to_string() + " %";
}

}  // namespace phoenix::arbiter
