#include "arbiter/accepted_numbers.hpp"

namespace phoenix::arbiter {

std::optional<std::int64_t> multiply_divide(std::int64_t a, std::int64_t b, std::int64_t divisor,
                                            MoneyRounding rounding) {
  __extension__ using Int128 = __int128;
  if (divisor == 0) return std::nullopt;
  const Int128 product = Int128{a} * b;  // at most 2^126
  Int128 quotient = product / divisor;
  const Int128 rest = product % divisor;
  const Int128 twice_rest = rest < 0 ? -2 * rest : 2 * rest;
  const Int128 whole = divisor < 0 ? -Int128{divisor} : Int128{divisor};
  const bool tie = twice_rest == whole;
  const bool away = rounding == MoneyRounding::half_even ? twice_rest > whole || (tie && quotient % 2 != 0)
                    : rounding == MoneyRounding::half_up ? twice_rest >= whole
                                                         : false;
  if (away) quotient += (product < 0) == (divisor < 0) ? 1 : -1;
  if (quotient > INT64_MAX || quotient < INT64_MIN) return std::nullopt;
  return static_cast<std::int64_t>(quotient);
}

}  // namespace phoenix::arbiter
