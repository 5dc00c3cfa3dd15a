// Sweeps as text for people. Pure: the API's JSON in, text out.
#pragma once

#include <string>

namespace phoenix::orchestrator::cli {

/// {"sweeps": [...]}: one line each, newest first.
std::string render_sweeps(const std::string& document);
/// {"sweep": {...}, "accounts": [...]}: what it cost, what it found.
std::string render_sweep(const std::string& document);
/// The answer to a resync.
std::string render_resync(const std::string& document);
/// One sweep's progress in a line, without its end.
std::string render_sweep_line(const std::string& sweep);

}  // namespace phoenix::orchestrator::cli
