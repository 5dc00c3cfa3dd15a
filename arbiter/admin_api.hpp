// GET /healthz, /readyz, /metrics and /status. Pure functions of the status board.
#pragma once

#include <functional>
#include <string>

#include "arbiter/status_board.hpp"
#include "core/http/server.hpp"

namespace phoenix::arbiter {

std::string status_json(const ArbiterStatus& status, const LedgerReaderStats& readings);
std::string metrics_text(const ArbiterStatus& status, const LedgerReaderStats& readings);

/// `board` must outlive the handler; `readings` is called for each request that needs it.
http::Handler admin_handler(const StatusBoard& board, std::function<LedgerReaderStats()> readings);

}  // namespace phoenix::arbiter
