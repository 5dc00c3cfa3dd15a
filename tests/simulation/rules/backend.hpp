// One bank behind the network: latency, its own order of commits, time-outs that commit, resets, 5xx, outages.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/events/exchange_event.hpp"
#include "tests/simulation/rules/event_queue.hpp"
#include "tests/simulation/rules/ledger.hpp"

namespace phoenix::simulation {

struct World;

/// What a leg brought back.
struct Answer {
  LegOutcome outcome = LegOutcome::none;
  int status = 0;
  int account = 0;
  std::int64_t balance_minor = 0;
  bool stale = false;  // the oracle's remark on a read, carried to the client that gets it
};

class Backend {
 public:
  using Done = std::function<void(const Answer&)>;

  Backend(Side side, World& world);
  /// Calls `done` once: with the answer, or with how the leg failed.
  void send(const Operation& operation, Done done);
  /// Refuses connections and resets what is open, for `duration_us`. What was not applied by then never is.
  void go_down(Micros duration_us);
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

 private:
  struct Call {
    Operation operation;
    Done done;
    bool over = false;  // for the gateway; the bank may apply it still
    int life = 0;
  };
  using CallPtr = std::shared_ptr<Call>;
  enum class Fault { none, silent, silent_applied, late, error, error_applied, reset, reset_applied };

  Fault draw_fault();
  void commit(const CallPtr& call, Fault fault);
  static void end(const CallPtr& call, const Answer& answer);

  const Side side_;
  World& world_;
  Ledger ledger_;
  std::vector<CallPtr> open_;
  bool down_ = false;
  int life_ = 0;
};

}  // namespace phoenix::simulation
