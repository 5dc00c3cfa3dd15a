#include "arbiter/cause_label.hpp"

namespace phoenix::arbiter {
namespace {

constexpr std::array<std::string_view, kCauses.size()> kNames{
    "status",        "type_format", "ordering",   "duplicate_posting", "missing_posting",
    "wrong_account", "float_tie",   "truncation", "rounding_mode",     "intermediate_precision",
    "fee_tier",      "day_count",   "cut_off",    "carried",           "unexplained"};

}  // namespace

std::string_view to_string(Cause cause) {
  return kNames[static_cast<std::size_t>(cause)];
}

std::optional<Cause> cause_from_string(std::string_view text) {
  for (const Cause cause : kCauses) {
    if (to_string(cause) == text) return cause;
  }
  return std::nullopt;
}

std::string CauseFinding::detail() const {
  std::string text = evidence;
  for (std::size_t i = 0; i < alternatives.size(); ++i) {
    text += i == 0 ? (text.empty() ? "could also be " : "; could also be ") : " or ";
    text += to_string(alternatives[i]);
  }
  return text;
}

}  // namespace phoenix::arbiter
