// The Prometheus page of the orchestrator: what the policy says, what was decided, and how old its evidence is. Pure:
// views in, text out. Counters start at 0 for every known label, so that a rate sees their first step.
#pragma once

#include <string>

#include "core/runtime/config.hpp"
#include "orchestrator/rollout_loop.hpp"
#include "orchestrator/status_document.hpp"

namespace phoenix::orchestrator {

std::string metrics_page(const config::Config& config, const StatusInput& input, const LoopCounters& counters);

}  // namespace phoenix::orchestrator
