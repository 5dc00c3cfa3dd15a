// Sweeps on the admin port: asking for one, seeing them, their metrics.
#pragma once

#include "arbiter/status_board.hpp"
#include "core/http/server.hpp"
#include "core/runtime/config.hpp"
#include "core/telemetry/metrics.hpp"

namespace phoenix::arbiter {

/// POST and GET /sweep. `config` must outlive the router's handlers.
void add_sweep_routes(http::Router& router, const config::Config& config);

void sweep_metrics(const ArbiterStatus& status, telemetry::Page& page);

}  // namespace phoenix::arbiter
