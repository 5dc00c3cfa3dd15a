// Arithmetic of accepted changes: minor units, exact, products in 128 bits. Pure; nothing allocates.
#pragma once

#include <cstdint>
#include <optional>

namespace phoenix::arbiter {

enum class MoneyRounding : std::uint8_t {
  half_even,  ///< ties to the even neighbour, as binary floating point and many bank libraries do
  half_up,    ///< ties away from zero, as SQL NUMERIC and Java's HALF_UP do
  truncate,   ///< toward zero
};

/// a * b / divisor, the product in 128 bits, rounded once. Nothing when `divisor` is zero or the result does not fit.
std::optional<std::int64_t> multiply_divide(std::int64_t a, std::int64_t b, std::int64_t divisor,
                                            MoneyRounding rounding);

}  // namespace phoenix::arbiter
