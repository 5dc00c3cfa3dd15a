#include "orchestrator/cli/cli.hpp"

#include <fmt/ostream.h>

#include <ostream>

#include "orchestrator/cli/commands.hpp"
#include "orchestrator/cli/options.hpp"

namespace phoenix::orchestrator::cli {

int run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  const auto options = parse_options(arguments);
  if (!options) {
    fmt::print(err, "phoenixctl: {}\n", options.error().message);
    return 2;
  }
  if (options->has("help")) {
    out << usage();
    return 0;
  }
  if (options->has("version")) {
    out << "phoenixctl " << PHOENIX_VERSION << "\n";
    return 0;
  }
  return run_command(*options, out, err);
}

}  // namespace phoenix::orchestrator::cli
