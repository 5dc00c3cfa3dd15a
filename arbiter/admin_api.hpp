// GET /healthz, /readyz, /metrics and /status: pure functions of the status board. /sweep: the table of sweeps.
#pragma once

#include <string>

#include "arbiter/status_board.hpp"
#include "core/http/server.hpp"

namespace phoenix::arbiter {

std::string status_json(const ArbiterStatus& status);
std::string metrics_text(const ArbiterStatus& status);

/// `board` and `config` must outlive the handler.
http::Handler admin_handler(const StatusBoard& board, const config::Config& config);

}  // namespace phoenix::arbiter
