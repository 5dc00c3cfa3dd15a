// May the weight rise, must it fall? Pure: (slice, evidence, plan) -> decision. The weight never rises on unknown, thin
// or stale evidence, or while anything that must agree does not (invariant 6); every reason not to raise has its words.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/events/control_events.hpp"
#include "core/runtime/config.hpp"
#include "orchestrator/control_state.hpp"
#include "orchestrator/slice_facts.hpp"

namespace phoenix::orchestrator {

enum class Outcome {
  promote,                ///< raise to `stage`, `weight_basis_points`
  hold,                   ///< something other than evidence is in the way
  insufficient_evidence,  ///< not enough was compared yet
  trip,                   ///< to shadow at weight 0, latched
  freeze,                 ///< it should trip, but rolling back would be unsafe: stop raising and raise an alarm
};
std::string_view to_string(Outcome outcome);

/// Serving legs of the last `PlannerLimits::error_window`, over all live gateways.
struct ServingErrors {
  std::uint64_t modern_errors = 0, modern_served = 0;
  std::uint64_t legacy_errors = 0, legacy_served = 0;
};

struct Evidence {
  /// The latest score of the slice, whatever its rung.
  std::optional<ScoreEvent> score;
  /// Since the arbiter's event time was last seen to advance; empty when it never was.
  std::optional<std::chrono::nanoseconds> score_age;
  /// Gateways heard of within `PlannerLimits::gateway_live`.
  std::vector<GatewayStatus> live_gateways;
  ServingErrors serving;
  /// How fast clean units arrive at this rung; 0 when not known.
  double reads_per_second = 0;
  double writes_per_second = 0;
  std::chrono::nanoseconds at_rung{0};  ///< monotonic time since this rung was first seen here
  std::uint64_t lost_events =
      0;  ///< exchanges of this rung whose event a full log refused, or that died with a gateway
};

/// Bounds of the product rather than of one migration.
struct PlannerLimits {
  std::chrono::seconds gateway_live{5};
  std::chrono::seconds error_window{10};
  std::uint64_t max_backlog = 500;       ///< shadow legs waiting, per backend and gateway, for a raise
  std::uint64_t max_behind = 5'000;      ///< legacy's, for an automatic rollback
  std::uint64_t min_modern_errors = 5;   ///< and
  double max_modern_error_share = 0.05;  ///< more than this, and more than twice legacy's share: modern errs
};

struct Decision {
  Outcome outcome = Outcome::hold;
  std::string reason;
  Stage stage = Stage::shadow;  ///< outcome promote: the target
  std::uint32_t weight_basis_points = 0;
  std::string cause;  ///< outcome trip or freeze: score | serving_errors
};

/// The next rung above; empty when a person has to act next.
std::optional<std::uint32_t> next_step(const SlicePolicy& slice, const config::RampConfig& ramp);

/// Level at which each rung is tested: alpha shared out over the rungs, so that the whole ramp errs at most alpha.
double alpha_per_rung(const config::RampConfig& ramp);

/// Empty when the evidence of this rung, the gateways and the configuration allow a raise; otherwise why not.
struct Obstacle {
  Outcome outcome = Outcome::hold;  ///< hold or insufficient_evidence
  std::string reason;
};
std::optional<Obstacle> obstacle_to_raise(const SlicePolicy& slice, std::uint64_t epoch, const SliceFacts& facts,
                                          const Evidence& evidence, const config::RampConfig& ramp,
                                          const PlannerLimits& limits = {});

/// What keeps a slice in shadow whatever the evidence: its routes, or a second gateway without key ownership.
std::string bound_to_shadow(const SliceFacts& facts, std::size_t live_gateways);

Decision plan(const ControlState& state, const std::string& slice, const SliceFacts& facts, const Evidence& evidence,
              const config::RampConfig& ramp, const PlannerLimits& limits = {});

}  // namespace phoenix::orchestrator
