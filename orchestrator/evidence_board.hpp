// The latest news from arbiter and gateways, stamped with the monotonic time of receipt. What the planner looks at is
// taken from here. Thread-safe: one thread feeds it, others read and wait.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/events/control_events.hpp"
#include "core/model/traffic_policy.hpp"
#include "core/runtime/clock.hpp"
#include "orchestrator/rollout_planner.hpp"

namespace phoenix::orchestrator {

struct GatewayView {
  GatewayStatus status;
  std::chrono::nanoseconds age{0};
  bool live = false;
};

class EvidenceBoard {
 public:
  EvidenceBoard(const Clock& clock, PlannerLimits limits) : clock_(clock), limits_(limits) {}

  void add(const ScoreEvent& score);
  void add(const GatewayStatus& status);

  /// `slice` as the policy has it now; remembers when its rung was first seen.
  [[nodiscard]] Evidence evidence(const SlicePolicy& slice);
  /// Every gateway heard of within the last minute.
  [[nodiscard]] std::vector<GatewayView> gateways() const;
  [[nodiscard]] std::vector<GatewayStatus> live_gateways() const;

  /// Waits until `done` holds for the gateways as known then; false when the time is over. Not on the feeding thread.
  bool wait_until(std::chrono::milliseconds timeout, const std::function<bool(const std::vector<GatewayView>&)>& done);

 private:
  struct UnitSample {
    std::chrono::nanoseconds at{};
    std::uint64_t reads = 0, writes = 0;
  };
  struct SliceNews {
    ScoreEvent score;
    std::optional<std::chrono::nanoseconds> advanced_at;  ///< when event time was last seen to advance
    std::deque<UnitSample> units;                         ///< of the score's rung, at most a minute
    std::uint64_t rung = 0;
    std::optional<std::chrono::nanoseconds> rung_since;
    std::map<std::string, std::uint64_t> lost_before;  ///< by gateway, when the rung began
  };
  struct ErrorSample {
    std::chrono::nanoseconds at{};
    ServingErrors delta;
  };
  struct GatewayNews {
    GatewayStatus status;
    std::chrono::nanoseconds received_at{};
    std::deque<ErrorSample> errors;  ///< within the error window
  };

  [[nodiscard]] std::vector<GatewayView> gateways_locked() const;
  [[nodiscard]] ServingErrors serving_locked() const;
  /// Exchanges of a slice that no event tells of, by gateway incarnation.
  [[nodiscard]] std::map<std::string, std::uint64_t> lost_locked(const std::string& slice) const;

  const Clock& clock_;
  const PlannerLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, SliceNews> slices_;
  std::map<std::string, GatewayNews> gateways_;
};

}  // namespace phoenix::orchestrator
