// phoenix-arbiter: compares both legs of every exchange and both ledgers, and turns that into verdicts and scores.
#include "arbiter/accepted_rules_file.hpp"
#include "arbiter/arbiter_service.hpp"
#include "core/runtime/log.hpp"
#include "core/runtime/program.hpp"

int main(int argc, char** argv) {
  using namespace phoenix;
  const auto serve = [](const config::Config& config) {
    const arbiter::ArbiterService service(config);
    log::info("admin server on http://{}", service.endpoint().to_string());
    StopSignal::wait();
    log::info("stopping");
    return 0;
  };
  return run_program(argc, argv, "phoenix-arbiter", "compares both legs of every exchange and both ledgers", serve,
                     arbiter::check_rules_file);
}
