#include "core/events/exchange_event.hpp"

namespace phoenix {
namespace {

constexpr std::string_view kOutcomeNames[] = {"none",  "ok",        "connect_failed", "timeout",
                                              "reset", "malformed", "dropped"};

}  // namespace

std::string_view to_string(LegOutcome outcome) {
  return kOutcomeNames[static_cast<int>(outcome)];
}

std::optional<LegOutcome> leg_outcome_from_string(std::string_view name) {
  for (int i = 0; i < 7; ++i) {
    if (kOutcomeNames[i] == name) return static_cast<LegOutcome>(i);
  }
  return std::nullopt;
}

}  // namespace phoenix
