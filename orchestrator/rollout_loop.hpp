// The loop: read the event log, plan each slice, apply, record. Deciding is rollout_planner's, changing
// policy_authority's.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "core/events/event_log.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/config.hpp"
#include "orchestrator/evidence_board.hpp"
#include "orchestrator/kill_switch.hpp"
#include "orchestrator/policy_authority.hpp"
#include "orchestrator/rollout_planner.hpp"

namespace phoenix::orchestrator {

struct LoopCounters {
  std::map<std::pair<std::string, std::string>, std::uint64_t> decisions;  ///< by slice and decision
  std::map<std::pair<std::string, std::string>, std::uint64_t> kills;      ///< by slice and cause
  std::uint64_t malformed_events = 0;
};

class RolloutLoop {
 public:
  /// References must outlive the loop. Runs from start() to stop().
  RolloutLoop(const config::Config& config, const Clock& clock, EventLog& log, EvidenceBoard& board,
              PolicyAuthority& authority, KillSwitch& kill_switch);
  ~RolloutLoop();
  void start();
  void stop();

  // Any thread:
  [[nodiscard]] std::map<std::string, Decision> decisions() const;
  [[nodiscard]] LoopCounters counters() const;
  [[nodiscard]] const SliceFacts& facts(const std::string& slice) const;
  void count_kill(const std::string& slice, const std::string& cause);

 private:
  void run();
  void read();
  void take(const LogRecord& record);
  void step();
  void follow_gateways();
  void act(const std::string& slice, const Evidence& evidence, const Decision& decision);
  void remember(const std::string& slice, const Decision& decision);
  [[nodiscard]] bool pause_for(std::chrono::milliseconds time);

  const config::Config& config_;
  const Clock& clock_;
  EventLog& log_;
  EvidenceBoard& board_;
  PolicyAuthority& authority_;
  KillSwitch& kill_switch_;
  const PlannerLimits limits_;
  std::map<std::string, SliceFacts> facts_;
  std::unique_ptr<Consumer> consumer_;
  std::string reading_error_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::map<std::string, Decision> decisions_;
  LoopCounters counters_;
  std::thread thread_;
};

/// A new latch id: unique without coordination.
std::string new_kill_id(const Clock& clock);

}  // namespace phoenix::orchestrator
