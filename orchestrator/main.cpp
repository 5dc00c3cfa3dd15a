// phoenix-orchestrator: moves slices from legacy to modern as far as the evidence allows, and back at once.
#include "core/runtime/program.hpp"
#include "orchestrator/orchestrator.hpp"

int main(int argc, char** argv) {
  return phoenix::run_program(
      argc, argv, "phoenix-orchestrator",
      "raises, holds or trips each slice on the arbiter's evidence; serves the API of phoenixctl",
      [](const phoenix::config::Config& config) {
        const phoenix::orchestrator::Orchestrator orchestrator(config);
        phoenix::StopSignal::wait();
        return 0;
      });
}
