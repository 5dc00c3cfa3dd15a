// Exact decimals and money. Money never passes through binary floating point (invariant 7): numbers are parsed from
// their text and held as an integer coefficient with a scale, or as integer minor units.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/model/result.hpp"

namespace phoenix {

/// coefficient * 10^-scale, exact. `1.10` and `1.1` are equal. Bounds: 36 digits, scale 0..18.
class Decimal {
 public:
  Decimal() = default;

  /// Reads JSON or SQL number text (`-12.50`, `1e3`); refuses NaN, infinities, more digits than fit.
  static Result<Decimal> parse(std::string_view text);
  static Decimal from_minor(std::int64_t minor, int scale);

  /// The value in units of 10^-scale; an error if that would lose digits or overflow 64 bits.
  [[nodiscard]] Result<std::int64_t> to_minor(int scale) const;
  [[nodiscard]] std::string to_string() const;
  /// |a - b| <= tolerance, exactly; false where the numbers do not fit the arithmetic.
  static bool within(const Decimal& a, const Decimal& b, const Decimal& tolerance);

  friend bool operator==(const Decimal& a, const Decimal& b) = default;

 private:
  __extension__ using Int128 = __int128;
  Decimal(Int128 coefficient, int scale) : coefficient_(coefficient), scale_(scale) {}
  [[nodiscard]] std::optional<Int128> coefficient_at(int scale) const;
  void normalise();  // strips trailing zeros so that equality is structural

  Int128 coefficient_ = 0;
  int scale_ = 0;
};

/// Digits after the point of an ISO 4217 currency (EUR 2, JPY 0, KWD 3); unknown codes count as 2.
int minor_unit_digits(std::string_view currency);

/// "1234" minor units of a two-digit currency as "12.34".
std::string format_minor(std::int64_t minor, int digits);

}  // namespace phoenix
