// `phoenixctl status`: the API's status document as a page an operator reads. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace phoenix::orchestrator::cli {

/// `document`: JSON text of GET /api/v1/status. `now_unix_ms` for ages. Throws nothing; says so when it is no status
/// document.
std::string render_status(const std::string& document, std::int64_t now_unix_ms);

}  // namespace phoenix::orchestrator::cli
