// What the configuration says about a slice that bears on moving it: which classes of routes it has, and what keeps it
// from leaving stage shadow. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/runtime/config.hpp"

namespace phoenix::orchestrator {

struct SliceFacts {
  bool reads = false;
  bool writes = false;
  /// Empty when fit to leave shadow; otherwise one reason for people.
  std::string unfit;
};

SliceFacts slice_facts(const std::vector<config::RouteConfig>& routes, const std::string& slice);

}  // namespace phoenix::orchestrator
