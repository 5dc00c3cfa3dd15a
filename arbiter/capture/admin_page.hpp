// GET /healthz, /readyz and /metrics. Pure functions of the sides' states.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "arbiter/capture/side_status.hpp"
#include "core/http/server.hpp"

namespace phoenix::capture {

using SideStates = std::map<std::string, SideState>;  ///< by side; only those that are configured

/// Why it is not able to work, sides apart by "; "; empty: it is.
std::string unready_reason(const SideStates& sides);
std::string metrics_text(const SideStates& sides);
http::Handler admin_handler(std::function<SideStates()> sides);

}  // namespace phoenix::capture
