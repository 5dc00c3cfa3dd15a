// Why the two sides differ: the closed set of labels, and what was found for one exchange. Plain data.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::arbiter {

enum class Cause : std::uint8_t {
  status,                  ///< one side accepted what the other refused, or another status
  type_format,             ///< the same value in another spelling: number or text, case, date format
  ordering,                ///< the same elements, or the same writes, in another order
  duplicate_posting,       ///< one side posted more than once
  missing_posting,         ///< one side did not post
  wrong_account,           ///< one side posted to an account that the request does not name
  float_tie,               ///< binary floating point falls on the other side of half a minor unit
  truncation,              ///< cut instead of rounded
  rounding_mode,           ///< half up and half even, both exact
  intermediate_precision,  ///< rounded at each step, or only at the end
  fee_tier,                ///< another rate: a tier, a threshold, or a discount taken after rounding
  day_count,               ///< another convention for days and year: 31/365, 30/360, …
  cut_off,                 ///< another value date: local cut-off or time zone
  carried,                 ///< the same rule, on balances that differed before
  unexplained,             ///< no recomputation gives both values
};
inline constexpr std::array kCauses{Cause::status,          Cause::type_format,
                                    Cause::ordering,        Cause::duplicate_posting,
                                    Cause::missing_posting, Cause::wrong_account,
                                    Cause::float_tie,       Cause::truncation,
                                    Cause::rounding_mode,   Cause::intermediate_precision,
                                    Cause::fee_tier,        Cause::day_count,
                                    Cause::cut_off,         Cause::carried,
                                    Cause::unexplained};
std::string_view to_string(Cause cause);
std::optional<Cause> cause_from_string(std::string_view text);

/// How the difference of two amounts came about, for the group's relation: legacy - modern, and what it may depend on.
struct AmountDifference {
  std::int64_t legacy_minus_modern = 0;  ///< in units of 10^-scale
  int scale = 2;
  std::string base_name;  ///< last segment of the amount that it is compared with; empty: none
  std::int64_t base = 0;  ///< in the same units
};

struct CauseFinding {
  Cause cause = Cause::unexplained;
  std::string path;      ///< of the field that shows it, array positions as `*`; empty for status and postings
  std::string evidence;  ///< one line for people: what was recomputed
  /// Other labels that this exchange alone cannot tell from `cause`.
  std::vector<Cause> alternatives;
  std::optional<AmountDifference> amount;

  /// Evidence and alternatives in one line.
  [[nodiscard]] std::string detail() const;
};

}  // namespace phoenix::arbiter
