// Runs the sweeps of one slice where its shard is judged: takes up what was asked for or is due, and goes on with what
// another process began. Own thread, own connections.
#pragma once

#include <memory>
#include <string>

#include "arbiter/sweep_compare.hpp"
#include "arbiter/sweep_facts.hpp"
#include "core/events/event_log.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

struct SweepStatus {
  std::string slice;
  std::int64_t id = 0;  ///< of the running sweep, else of the latest that this process ran; 0: none
  bool running = false;
  SweepProgress progress;
  double rows_per_second = 0;     ///< of the larger side, since this process took the sweep up
  double last_finished_unix = 0;  ///< seconds; 0: never
  std::string problem;            ///< why it does not go on; empty while it does
};

class SweepRunner {
 public:
  /// `database`: the arbiter's. Comparisons go to `partition` of db-state-updates. `producer` must outlive this.
  SweepRunner(const config::ArbiterConfig& config, std::string database, Producer& producer, int partition);
  /// Stops after the statement in hand.
  ~SweepRunner();
  SweepRunner(const SweepRunner&) = delete;
  SweepRunner& operator=(const SweepRunner&) = delete;

  /// To be served by the thread that owns the shard's state.
  [[nodiscard]] CoreFacts& facts();
  [[nodiscard]] SweepStatus status() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::arbiter
