#include <cstdio>

#include "core/sim/command_line.hpp"
#include "tests/traffic/options.hpp"
#include "tests/traffic/runner.hpp"

using namespace phoenix;

int main(int argc, char** argv) {
  return run_with_options(argc, argv, "phoenix-traffic", "simulates the users of the bank and judges every answer",
                          traffic::option_specs(), [](const std::map<std::string, std::string>& given) {
                            const traffic::TrafficOptions options = traffic::read_options(given);
                            const traffic::Report report = traffic::run_traffic(options);
                            std::fputs(report.table().c_str(), stdout);
                            std::fflush(stdout);
                            if (!options.json_file.empty() && !traffic::replace_file(options.json_file, report.json()))
                              throw Failure(ErrorCode::unavailable, "cannot write " + options.json_file);
                            return report.clean() ? 0 : 1;
                          });
}
