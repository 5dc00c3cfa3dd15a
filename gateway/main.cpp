// phoenix-gateway: the reverse proxy in front of legacy and modern.
#include <fmt/format.h>

#include <cstdio>

#include "core/events/event_log.hpp"
#include "core/runtime/log.hpp"
#include "core/runtime/program.hpp"
#include "gateway/gateway.hpp"

namespace {

int run(const phoenix::config::Config& config) {
  using phoenix::ReloadSignal, phoenix::StopSignal;
  ReloadSignal::install();
  if (!config.has_gateway)
    throw phoenix::Failure(phoenix::ErrorCode::invalid_input, config.path + ": the section 'gateway' is missing");
  const auto event_log = phoenix::open_event_log(config);
  phoenix::gateway::Gateway gateway(config, *event_log);
  gateway.start();
  fmt::print("listening on {}:{} (admin {}:{})\n", config.gateway.listen.host, gateway.port(),
             config.gateway.admin_listen.host, gateway.admin_port());
  std::fflush(stdout);
  while (ReloadSignal::wait_or_stop()) static_cast<void>(gateway.reload());  // logs what came of it
  const auto drain = gateway.drain();
  phoenix::log::info("draining: not ready; accepting for {} ms more", drain.delay.count());
  gateway.announce_drain();
  if (drain.delay.count() > 0 && StopSignal::wait_again_for(drain.delay))
    phoenix::log::info("draining: a second signal ends the delay");
  gateway.drain_and_stop(drain.deadline);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return phoenix::run_program(argc, argv, "phoenix-gateway", "reverse proxy, shadowing, canary routing", run);
}
