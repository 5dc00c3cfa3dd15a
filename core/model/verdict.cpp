#include "core/model/verdict.hpp"

namespace phoenix {
namespace {
constexpr std::string_view kNames[] = {"match",           "match_late", "pending",        "order_dependent",
                                       "accepted_change", "mismatch",   "missing_legacy", "missing_modern",
                                       "duplicate",       "unknown"};
}

std::string_view to_string(Verdict verdict) {
  return kNames[static_cast<int>(verdict)];
}

std::optional<Verdict> verdict_from_string(std::string_view text) {
  for (int i = 0; i < 10; ++i) {
    if (kNames[i] == text) return static_cast<Verdict>(i);
  }
  return std::nullopt;
}

}  // namespace phoenix
