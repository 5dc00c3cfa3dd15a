// Recomputes one amount under each rounding that a ledger may use. Money stays in integers: an amount is a rate of a
// base as an exact ratio, and rounded from that. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace phoenix::arbiter {

__extension__ using Int128 = __int128;

/// Parts in a hundred thousand: 2.5 % is 2500; a basis point is 10.
inline constexpr std::int64_t kRateUnit = 100'000;
/// Amounts beyond this (in minor units) are not recomputed; below it no product here overflows 128 bits.
inline constexpr std::int64_t kMostBase = 1'000'000'000'000'000;

/// base x rate / kRateUnit x days / basis. Everything positive.
struct Formula {
  std::int64_t base = 0;  ///< in units of 10^-scale, as the result
  int scale = 2;
  std::int64_t rate = 0;
  std::int64_t days = 1;
  std::int64_t basis = 1;

  [[nodiscard]] Int128 numerator() const { return Int128{base} * rate * days; }
  [[nodiscard]] Int128 denominator() const { return Int128{kRateUnit} * basis; }
};

/// A tie goes away from zero: NUMERIC's and commerce's rule.
std::int64_t half_up(const Formula& formula);
/// A tie goes to the even neighbour.
std::int64_t half_even(const Formula& formula);
std::int64_t truncated(const Formula& formula);
/// Whether the exact value is half way between two results.
bool is_tie(const Formula& formula);
/// Whether the exact value is less than one unit away: some rounding gives `amount`.
bool is_near(const Formula& formula, std::int64_t amount);
/// The same or exactly one unit: doubles may cut a whole result to the one below.
bool is_within_one(const Formula& formula, std::int64_t amount);
/// `whole` x rate / kRateUnit, half up.
std::int64_t share_of(std::int64_t whole, std::int64_t rate);

/// What a side gets that holds money in doubles (IEEE 754 binary64), which is the hypothesis under test here; Phoenix
/// itself computes no amount this way. Two ways to multiply (x 0.015, x 1.5 / 100) and two to make minor units of the
/// product: printed with so many digits, or the whole part of 100 x + 0.5; `cut`: the whole part of 100 x.
struct BinaryResults {
  std::vector<std::int64_t> rounded;
  std::vector<std::int64_t> cut;
};
BinaryResults in_doubles(const Formula& formula);

/// Rates r with |base x r x days / basis - result| < 1 unit, the simplest first: whole per cents, halves, quarters,
/// eighths, tenths, basis points. At most `most`; `coarse` leaves out what is finer than a quarter of a per cent.
std::vector<std::int64_t> simplest_rates(const Formula& formula, std::int64_t result, std::size_t most, bool coarse);

/// "2.5 %".
std::string rate_text(std::int64_t rate);

}  // namespace phoenix::arbiter
