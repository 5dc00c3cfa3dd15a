// phoenix-arbiter: compares both legs of every exchange and both ledgers, and turns that into verdicts and scores.
//   phoenix-arbiter rebuild --config FILE [--swap]   recomputes everything from the log and compares (rebuild.hpp)
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "arbiter/arbiter_service.hpp"
#include "arbiter/rebuild.hpp"
#include "core/runtime/log.hpp"
#include "core/runtime/program.hpp"

namespace {

using namespace phoenix;

int serve(const config::Config& config) {
  const arbiter::ArbiterService service(config);
  log::info("admin server on http://{}", service.endpoint().to_string());
  StopSignal::wait();
  log::info("stopping");
  return 0;
}

/// 0: what stands in the database follows from the log; 1: it does not, or that cannot be told.
int rebuild(const config::Config& config, bool swap) {
  const auto report = arbiter::rebuild(config, swap);
  fmt::print("{}", arbiter::describe(report));
  return report.identical() && report.incomplete.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<char*> arguments(argv, argv + argc);
  if (argc < 2 || std::string_view(argv[1]) != "rebuild") {
    return run_program(
        argc, argv, "phoenix-arbiter",
        "compares both legs of every exchange and both ledgers\n\n"
        "phoenix-arbiter rebuild --config FILE [--swap] recomputes everything from the log, compares it with\n"
        "what stands in the database, and with --swap puts it in its place.",
        serve);
  }
  arguments.erase(arguments.begin() + 1);
  const auto swap = std::find_if(arguments.begin() + 1, arguments.end(),
                                 [](const char* argument) { return std::string_view(argument) == "--swap"; });
  const bool swaps = swap != arguments.end();
  if (swaps) arguments.erase(swap);
  return run_program(static_cast<int>(arguments.size()), arguments.data(), "phoenix-arbiter",
                     "rebuild: recomputes everything from the log and compares it with what stands in the database",
                     [swaps](const config::Config& config) { return rebuild(config, swaps); });
}
