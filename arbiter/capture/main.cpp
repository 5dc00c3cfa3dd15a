// phoenix-capture: reads Postgres' logical replication from both ledgers and publishes every change of their accounts.
#include "arbiter/capture/capture_service.hpp"
#include "core/runtime/log.hpp"
#include "core/runtime/program.hpp"

int main(int argc, char** argv) {
  using namespace phoenix;
  return run_program(argc, argv, "phoenix-capture",
                     "publishes the changes of both ledgers from their replication slots",
                     [](const config::Config& config) {
                       const capture::CaptureService service(config);
                       log::info("admin server on http://{}", service.endpoint().to_string());
                       StopSignal::wait();
                       log::info("stopping");
                       return 0;
                     });
}
