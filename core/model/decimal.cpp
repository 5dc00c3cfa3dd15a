#include "core/model/decimal.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace phoenix {
namespace {

__extension__ using Int128 = __int128;
constexpr int kMaxDigits = 36;
constexpr int kMaxScale = 18;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

struct NumberText {
  bool negative = false;
  Int128 coefficient = 0;
  int digits = 0;  // significant ones
  int scale = 0;   // digits after the point
};

Error not_a_number(std::string_view text) {
  return invalid_input(fmt::format("'{}' is not an exact decimal number", text.substr(0, 64)));
}

// Reads the digits before and after the point; `position` is left behind them.
bool read_digits(std::string_view text, std::size_t& position, NumberText& number) {
  bool any = false;
  bool after_point = false;
  for (; position < text.size(); ++position) {
    const char c = text[position];
    if (c == '.' && !after_point && any) {
      after_point = true;
      continue;
    }
    if (!is_digit(c)) break;
    any = true;
    if (number.coefficient != 0 || c != '0') {
      if (++number.digits > kMaxDigits) return false;
    }
    number.coefficient = number.coefficient * 10 + (c - '0');
    if (after_point) ++number.scale;
  }
  return any && text[position - 1] != '.';
}

bool read_exponent(std::string_view text, std::size_t position, int& exponent) {
  bool negative = false;
  if (position < text.size() && (text[position] == '+' || text[position] == '-')) negative = text[position++] == '-';
  if (position == text.size()) return false;
  int value = 0;
  for (; position < text.size(); ++position) {
    if (!is_digit(text[position]) || value > 1000) return false;
    value = value * 10 + (text[position] - '0');
  }
  exponent = negative ? -value : value;
  return true;
}

}  // namespace

Result<Decimal> Decimal::parse(std::string_view text) {
  NumberText number;
  std::size_t position = 0;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) number.negative = text[position++] == '-';
  if (!read_digits(text, position, number)) return not_a_number(text);
  int exponent = 0;
  if (position < text.size()) {
    if (text[position] != 'e' && text[position] != 'E') return not_a_number(text);
    if (!read_exponent(text, position + 1, exponent)) return not_a_number(text);
  }
  Decimal result(number.negative ? -number.coefficient : number.coefficient, number.scale - exponent);
  result.normalise();
  while (result.scale_ < 0) {  // 1e3: keep the scale non-negative
    if (++number.digits > kMaxDigits) return not_a_number(text);
    result.coefficient_ *= 10;
    ++result.scale_;
  }
  if (result.scale_ > kMaxScale) return not_a_number(text);
  return result;
}

Decimal Decimal::from_minor(std::int64_t minor, int scale) {
  Decimal result(minor, scale);
  result.normalise();
  return result;
}

std::optional<Int128> Decimal::coefficient_at(int scale) const {
  Int128 result = coefficient_;
  for (int i = scale_; i < scale; ++i) {
    if (__builtin_mul_overflow(result, Int128{10}, &result)) return std::nullopt;
  }
  return result;
}

bool Decimal::within(const Decimal& a, const Decimal& b, const Decimal& tolerance) {
  const int scale = std::max({a.scale_, b.scale_, tolerance.scale_});
  const auto left = a.coefficient_at(scale), right = b.coefficient_at(scale), most = tolerance.coefficient_at(scale);
  Int128 difference = 0;
  if (!left || !right || !most || __builtin_sub_overflow(*left, *right, &difference)) return false;
  return difference <= *most && difference >= -*most;
}

void Decimal::normalise() {
  if (coefficient_ == 0) {
    scale_ = 0;
    return;
  }
  while (scale_ > 0 && coefficient_ % 10 == 0) {
    coefficient_ /= 10;
    --scale_;
  }
}

Result<std::int64_t> Decimal::to_minor(int scale) const {
  if (scale_ > scale) {
    return invalid_input(fmt::format("{} has more than {} digits after the point", to_string(), scale));
  }
  Int128 minor = coefficient_;
  constexpr Int128 kMax = INT64_MAX;
  for (int i = scale_; i < scale; ++i) {
    minor *= 10;
    if (minor > kMax || minor < -kMax) break;
  }
  if (minor > kMax || minor < -kMax) {
    return invalid_input(fmt::format("{} does not fit into 64 bits of minor units", to_string()));
  }
  return static_cast<std::int64_t>(minor);
}

std::string Decimal::to_string() const {
  const bool negative = coefficient_ < 0;
  Int128 rest = negative ? -coefficient_ : coefficient_;
  std::string reversed;
  for (int i = 0; rest != 0 || i <= scale_; ++i) {
    if (i == scale_ && scale_ > 0) reversed += '.';
    reversed += static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  }
  if (negative) reversed += '-';
  return {reversed.rbegin(), reversed.rend()};
}

int minor_unit_digits(std::string_view currency) {
  for (const char* none : {"JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF", "XPF", "PYG", "RWF", "KMF", "GNF",
                           "DJF", "BIF", "VUV"}) {
    if (currency == none) return 0;
  }
  for (const char* three : {"KWD", "BHD", "OMR", "JOD", "TND", "IQD", "LYD"}) {
    if (currency == three) return 3;
  }
  return 2;
}

std::string format_minor(std::int64_t minor, int digits) {
  const bool negative = minor < 0;
  std::string text =
      std::to_string(negative ? 0 - static_cast<std::uint64_t>(minor) : static_cast<std::uint64_t>(minor));
  if (digits > 0) {
    if (text.size() <= static_cast<std::size_t>(digits))
      text.insert(0, static_cast<std::size_t>(digits) + 1 - text.size(), '0');
    text.insert(text.size() - static_cast<std::size_t>(digits), ".");
  }
  return negative ? "-" + text : text;
}

}  // namespace phoenix
