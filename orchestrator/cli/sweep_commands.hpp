// phoenixctl sweep and resync: both ledgers compared in full, and one account brought over.
#pragma once

#include <iosfwd>

#include "orchestrator/cli/options.hpp"

namespace phoenix::orchestrator::cli {

/// Starts a sweep, cancels it, or shows sweeps (--status, or its ID); --watch stays until it is over. Exit status: 0
/// only when it was done, and for --watch when the sweep finished.
int sweep(const Options& options, std::ostream& out, std::ostream& err);
/// Without --apply it shows what would be done. Exit status with it: 0 only when both sides are equal and every gateway
/// has been told.
int resync(const Options& options, std::ostream& out, std::ostream& err);

}  // namespace phoenix::orchestrator::cli
