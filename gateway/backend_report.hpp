// How a backend and its endpoints stand: for /status and /metrics.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "core/telemetry/metrics.hpp"
#include "gateway/backend_state.hpp"

namespace phoenix::gateway {

struct BackendReport {
  struct Endpoint {
    std::size_t idle = 0, active = 0;  // connections, over all event loops
  };
  BackendStatePtr state;  // null: not configured
  std::vector<Endpoint> endpoints;
};

void add_backend_metrics(telemetry::Page& page, const BackendReport& backend);
nlohmann::json to_json(const BackendReport& backend);

}  // namespace phoenix::gateway
