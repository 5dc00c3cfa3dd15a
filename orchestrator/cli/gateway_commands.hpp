// The commands that speak to the gateways' admin ports: they work when nothing else does.
#pragma once

#include <iosfwd>
#include <vector>

#include "core/runtime/config.hpp"
#include "orchestrator/cli/options.hpp"

namespace phoenix::orchestrator::cli {

/// Where the gateways are, by --gateway or `control.gateways`. Throws Failure with a clear line when nothing says so.
std::vector<config::Endpoint> gateways_asked(const Options& options);

/// These print to `out` and return the exit status: 0 only when every gateway did it.
int gateway_reload(const Options& options, std::ostream& out, std::ostream& err);
int gateway_keys(const Options& options, std::ostream& out, std::ostream& err);
int gateway_complete(const Options& options, std::ostream& out, std::ostream& err);

}  // namespace phoenix::orchestrator::cli
