#include "orchestrator/slice_facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace phoenix::orchestrator {
namespace {

bool is_safe(const std::string& method) {
  static constexpr std::array kSafe{"GET", "HEAD", "OPTIONS", "TRACE"};
  return std::find(kSafe.begin(), kSafe.end(), method) != kSafe.end();
}

/// Why this route keeps its slice in shadow; empty when it does not.
std::string obstacle(const config::RouteConfig& route, bool reads, bool writes) {
  if (writes && route.shadow != config::ShadowMode::dual) {
    return fmt::format("write route '{}' is not shadowed (needs shadow: dual)", route.name);
  }
  if (reads && route.shadow == config::ShadowMode::off) {
    return fmt::format("route '{}' is not shadowed, so nothing proves it", route.name);
  }
  if (writes && route.key.none() && route.creates.empty()) {
    return fmt::format("write route '{}' has no key (and creates none)", route.name);
  }
  return {};
}

}  // namespace

SliceFacts slice_facts(const std::vector<config::RouteConfig>& routes, const std::string& slice) {
  SliceFacts facts;
  for (const auto& route : routes) {
    if (route.slice != slice) continue;
    // A route without methods takes them all.
    const bool reads = route.methods.empty() || std::any_of(route.methods.begin(), route.methods.end(), is_safe);
    const bool writes = route.methods.empty() || !std::all_of(route.methods.begin(), route.methods.end(), is_safe);
    facts.reads |= reads;
    facts.writes |= writes;
    if (facts.unfit.empty()) facts.unfit = obstacle(route, reads, writes);
  }
  if (!facts.reads && !facts.writes) facts.unfit = fmt::format("the configuration has no route of slice '{}'", slice);
  return facts;
}

}  // namespace phoenix::orchestrator
