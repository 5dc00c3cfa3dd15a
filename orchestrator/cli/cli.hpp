// phoenixctl as a function, so that tests call what main() calls.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace phoenix::orchestrator::cli {

/// `arguments` without the program's name. Returns the exit status.
int run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

}  // namespace phoenix::orchestrator::cli
