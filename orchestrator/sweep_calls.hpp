// Sweeps are the arbiter's; the orchestrator passes on who asks for one.
#pragma once

#include <string>

#include "core/http/server.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::orchestrator {

/// Asks the arbiter at `control.arbiter` to start a sweep, or to cancel the one that runs:
/// {"by": WHO, "slice": NAME, "action": "start" | "cancel"}. Its answer, or problem JSON.
http::Response post_sweep(const config::Config& config, const std::string& body);

}  // namespace phoenix::orchestrator
