// What each command of phoenixctl does: ask the API or the gateways, show the answer. Output goes to the streams given.
#pragma once

#include <iosfwd>

#include "orchestrator/cli/options.hpp"

namespace phoenix::orchestrator::cli {

/// Exit status: 0 only when it was done (and, for a kill, acknowledged by every gateway). Errors are one line on `err`.
int run_command(const Options& options, std::ostream& out, std::ostream& err);

}  // namespace phoenix::orchestrator::cli
