// A running simulator, and the program around it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/http/server.hpp"
#include "core/runtime/config.hpp"
#include "core/sim/bank.hpp"
#include "core/sim/bank_api.hpp"
#include "core/sim/fault_profile.hpp"

namespace phoenix::sim {

struct SimulatorOptions {
  config::Endpoint listen;
  std::string database;  ///< URL; created when the server does not have it
  std::int64_t seed_accounts = 0;
  int threads = 16;  ///< handlers, and database connections
  bool bug_compatible = false;
  std::string flavour;  ///< one of the kind's; empty: its first
};

/// One of the banks that a simulator can be.
struct Flavour {
  std::string name;
  /// Sets up the database and returns the bank; throws Failure.
  std::function<std::unique_ptr<Bank>(const SimulatorOptions&, FaultProfile&)> make_bank;
};

/// What tells one simulator from the other.
struct SimulatorKind {
  std::string program;
  std::string description;
  std::string default_listen;
  std::string default_database;
  bool knows_bug_compatible = false;
  std::vector<Flavour> flavours;  ///< the default one first
  /// Throws Failure for an unknown name, saying which there are.
  [[nodiscard]] const Flavour& flavour(const std::string& name) const;
};

/// Serves from construction to destruction; throws Failure when the database or the address cannot be used.
class Simulator {
 public:
  Simulator(const SimulatorKind& kind, const SimulatorOptions& options);
  [[nodiscard]] config::Endpoint endpoint() const { return server_.endpoint(); }
  FaultProfile& faults() { return faults_; }

 private:
  FaultProfile faults_;
  std::unique_ptr<Bank> bank_;
  BankApi api_;
  http::Server server_;
};

/// The whole program: options, `listening on HOST:PORT` on stdout once ready, until SIGTERM or SIGINT.
int run_simulator(int argc, char** argv, const SimulatorKind& kind);

}  // namespace phoenix::sim
