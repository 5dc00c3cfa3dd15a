// phoenix-gateway: the reverse proxy in front of legacy and modern.
#include <fmt/format.h>

#include <cstdio>

#include "core/events/event_log.hpp"
#include "core/runtime/log.hpp"
#include "core/runtime/program.hpp"
#include "gateway/gateway.hpp"

int main(int argc, char** argv) {
  return phoenix::run_program(argc, argv, "phoenix-gateway", "reverse proxy, shadowing, canary routing",
                              [](const phoenix::config::Config& config) {
                                if (!config.has_gateway)
                                  throw phoenix::Failure(phoenix::ErrorCode::invalid_input,
                                                         config.path + ": the section 'gateway' is missing");
                                const auto event_log = phoenix::open_event_log(config);
                                phoenix::gateway::Gateway gateway(config, *event_log);
                                gateway.start();
                                fmt::print("listening on {}:{} (admin {}:{})\n", config.gateway.listen.host,
                                           gateway.port(), config.gateway.admin_listen.host, gateway.admin_port());
                                std::fflush(stdout);
                                phoenix::StopSignal::wait();
                                phoenix::log::info("draining");
                                gateway.drain_and_stop(std::chrono::seconds(10));
                                return 0;
                              });
}
