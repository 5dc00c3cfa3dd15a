#include "legacy_sims/account_service.hpp"

int main(int argc, char** argv) {
  return phoenix::sim::run_simulator(argc, argv, phoenix::legacy_bank::simulator_kind());
}
