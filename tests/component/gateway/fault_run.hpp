// One run of a scenario: a session on a real event loop, between ends that are played in memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fault_scenarios.hpp"
#include "gateway/journal.hpp"
#include "gateway/policy_store.hpp"
#include "gateway/settings.hpp"
#include "memory_network.hpp"
#include "tests/support/temp_dir.hpp"

namespace phoenix::test {

/// What every run shares: configuration, policy, the clock.
class SweepGround {
 public:
  SweepGround();
  [[nodiscard]] const config::Config& config() const { return config_; }
  [[nodiscard]] phoenix::gateway::PolicyStore& policy() { return policy_; }
  [[nodiscard]] const phoenix::gateway::SettingsPtr& settings() const { return settings_; }
  [[nodiscard]] phoenix::gateway::Journal& journal() { return journal_; }
  [[nodiscard]] std::string accounts_path() const { return dir_.path() + "/accounts"; }

 private:
  TempDir dir_;
  SystemClock clock_;
  const config::Config config_;
  phoenix::gateway::SettingsPtr settings_;
  phoenix::gateway::PolicyStore policy_;
  phoenix::gateway::Journal journal_;
};

struct RunResult {
  std::vector<MemoryNetwork::Operation> operations;  ///< in the order in which they began
  std::uint64_t strikes = 0;                         ///< faults that were played
  std::vector<std::string> problems;                 ///< what must not be; empty: a good run
  std::string client_bytes;                          ///< what the client received
  std::size_t answered = 0;                          ///< exchanges that the client has a complete answer of
  bool all_as_scripted = false;                      ///< every exchange answered by a backend's own answer
  std::uint64_t exchanges = 0;                       ///< that the gateway received
};

/// Plays `scenario` with the faults of `plan` and checks what must hold after any fault.
RunResult play(SweepGround& ground, const Scenario& scenario, const FaultPlan& plan);

}  // namespace phoenix::test
