// phoenixctl: the command line of the orchestrator, and of the gateways when nothing else answers.
#include <iostream>

#include "orchestrator/cli/cli.hpp"

int main(int argc, char** argv) {
  return phoenix::orchestrator::cli::run(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
}
