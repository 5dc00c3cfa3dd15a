#include "modern_sims/binary64.hpp"

#include <bit>

namespace phoenix::modern_bank {

namespace {

__extension__ using Wide = unsigned __int128;
constexpr int kPrecision = 53;

int bit_length(Wide value) {
  const auto high = static_cast<std::uint64_t>(value >> 64);
  return high != 0 ? 64 + static_cast<int>(std::bit_width(high))
                   : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(value)));
}

/// value / 2^bits to nearest, ties to even. `inexact`: something below the last bit of `value` was cut off before.
Wide shift_to_nearest(Wide value, int bits, bool inexact) {
  if (bits <= 0) return value << -bits;
  if (bits >= 128) return 0;
  const Wide quotient = value >> bits;
  const Wide rest = value & ((Wide{1} << bits) - 1);
  const Wide half = Wide{1} << (bits - 1);
  const bool up = rest > half || (rest == half && (inexact || (quotient & 1) != 0));
  return quotient + (up ? 1 : 0);
}

struct Rounded {
  std::uint64_t significand;
  int exponent;
};

/// value × 2^exponent to 53 bits. Where something was cut off before, `value` must have more than 53 bits.
Rounded to_precision(Wide value, int exponent, bool inexact) {
  if (value == 0) return {0, 0};
  int excess = bit_length(value) - kPrecision;
  Wide significand = shift_to_nearest(value, excess, inexact);
  if (significand >> kPrecision != 0) {  // rounded up to the next power of two
    significand >>= 1;
    ++excess;
  }
  return {static_cast<std::uint64_t>(significand), exponent + excess};
}

}  // namespace

Binary64 Binary64::ratio(std::uint64_t numerator, std::uint64_t denominator) {
  const auto whole = [](std::uint64_t value) {
    const Rounded rounded = to_precision(value, 0, false);
    Binary64 number;
    number.significand_ = rounded.significand;
    number.exponent_ = rounded.exponent;
    return number;
  };
  return whole(numerator) / whole(denominator);
}

Binary64 operator*(Binary64 a, Binary64 b) {
  const Rounded product = to_precision(Wide{a.significand_} * b.significand_, a.exponent_ + b.exponent_, false);
  a.significand_ = product.significand;
  a.exponent_ = product.exponent;
  return a;
}

Binary64 operator/(Binary64 a, Binary64 b) {
  constexpr int kShift = 64;  // the quotient of two numbers of 53 bits then has at least 64
  const Wide dividend = Wide{a.significand_} << kShift;
  const bool inexact = dividend % b.significand_ != 0;
  const Rounded quotient = to_precision(dividend / b.significand_, a.exponent_ - b.exponent_ - kShift, inexact);
  a.significand_ = quotient.significand;
  a.exponent_ = quotient.exponent;
  return a;
}

std::int64_t Binary64::printed_hundredths() const {
  return static_cast<std::int64_t>(shift_to_nearest(Wide{significand_} * 100, -exponent_, false));
}

std::int64_t Binary64::whole() const {
  if (exponent_ >= 0) return static_cast<std::int64_t>(significand_ << exponent_);
  return exponent_ <= -kPrecision ? 0 : static_cast<std::int64_t>(significand_ >> -exponent_);
}

}  // namespace phoenix::modern_bank
