// Runs the simulated users: reads the opening balances, sends the traffic, checks the end.
#pragma once

#include "tests/traffic/options.hpp"
#include "tests/traffic/report.hpp"

namespace phoenix::traffic {

/// Blocks until done, or until SIGTERM or SIGINT ended the traffic early. Throws Failure when the target cannot be used
/// at the start. Live lines are written as it goes.
Report run_traffic(const TrafficOptions& options);

}  // namespace phoenix::traffic
