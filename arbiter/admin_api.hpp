// GET /healthz, /readyz, /metrics and /status. Pure functions of the status board.
#pragma once

#include <string>

#include "arbiter/status_board.hpp"
#include "core/http/server.hpp"

namespace phoenix::arbiter {

std::string status_json(const ArbiterStatus& status);
std::string metrics_text(const ArbiterStatus& status);

/// `board` must outlive the handler.
http::Handler admin_handler(const StatusBoard& board);

}  // namespace phoenix::arbiter
