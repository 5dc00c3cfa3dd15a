// The outcome of one comparison. Absent data is `unknown`, never `match`.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace phoenix {

enum class Verdict : std::uint8_t {
  match,
  match_late,       ///< equal, but only after the state comparison caught up
  pending,          ///< not decided yet
  order_dependent,  ///< differs by a proven, harmless order of overlapping writes
  accepted_change,  ///< differs exactly as a declared rule predicts
  mismatch,
  missing_legacy,
  missing_modern,
  duplicate,
  unknown,  ///< data is absent through us; never evidence of equality
};

inline constexpr std::array kVerdicts{Verdict::match,           Verdict::match_late,      Verdict::pending,
                                      Verdict::order_dependent, Verdict::accepted_change, Verdict::mismatch,
                                      Verdict::missing_legacy,  Verdict::missing_modern,  Verdict::duplicate,
                                      Verdict::unknown};

std::string_view to_string(Verdict verdict);
std::optional<Verdict> verdict_from_string(std::string_view text);

/// match, match_late and accepted_change: what the consistency score counts as consistent.
[[nodiscard]] constexpr bool is_consistent(Verdict v) {
  return v == Verdict::match || v == Verdict::match_late || v == Verdict::accepted_change;
}
/// Neither pending nor unknown.
[[nodiscard]] constexpr bool is_decided(Verdict v) {
  return v != Verdict::pending && v != Verdict::unknown;
}
/// Evidence against the rewrite. `order_dependent` is decided but speaks for neither side: its overlap was flagged by
/// the gateway before the outcome was known.
[[nodiscard]] constexpr bool is_inconsistent(Verdict v) {
  return v == Verdict::mismatch || v == Verdict::missing_legacy || v == Verdict::missing_modern ||
         v == Verdict::duplicate;
}

}  // namespace phoenix
