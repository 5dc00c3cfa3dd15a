// Non-negative IEEE 754 double precision numbers, computed with integers alone: how the modern bank reproduces, to the
// cent, what legacy's binary floating point makes of an amount, without holding money in it. Pure.
//
// A number is significand × 2^exponent with a significand of exactly 53 bits, or zero; every operation rounds to
// nearest, ties to even (IEEE 754-2019, 4.3.1). Neither overflow nor subnormal numbers are provided for: amounts stay
// far from both.
#pragma once

#include <cstdint>

namespace phoenix::modern_bank {

class Binary64 {
 public:
  /// The double nearest to numerator / denominator, such as the literal 0.015: ratio(15, 1000). Both below 2^53.
  static Binary64 ratio(std::uint64_t numerator, std::uint64_t denominator);

  friend Binary64 operator*(Binary64 a, Binary64 b);
  friend Binary64 operator/(Binary64 a, Binary64 b);

  /// The exact value in hundredths, rounded to nearest, ties to even: what printing with two decimals shows.
  /// The value must be below 2^53.
  [[nodiscard]] std::int64_t printed_hundredths() const;
  /// The whole part. The value must be below 2^63.
  [[nodiscard]] std::int64_t whole() const;

 private:
  std::uint64_t significand_ = 0;
  int exponent_ = 0;
};

}  // namespace phoenix::modern_bank
