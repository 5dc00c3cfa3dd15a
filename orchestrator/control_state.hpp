// What the orchestrator decides about: the traffic policy with each slice's pause and approval, and every way it may
// change. Pure: each function takes the state and returns the next one with its audit entries, or says why not.
//
// Rules kept here: every change of the policy's content takes a new epoch; a slice whose stage or weight changed starts
// a new rung under that epoch; a latched slice is in shadow at weight 0; nothing but a reset clears a latch.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/events/control_events.hpp"
#include "core/model/result.hpp"
#include "core/model/traffic_policy.hpp"
#include "core/runtime/config.hpp"
#include "orchestrator/audit_log.hpp"

namespace phoenix::orchestrator {

/// Who asks for a change, and why.
struct Author {
  std::string by;
  std::string reason;
  std::int64_t at_unix_ms = 0;
};

struct Pause {
  std::string by;
  std::string reason;
  bool by_system = false;  ///< frozen because a rollback would be unsafe
  std::int64_t at_unix_ms = 0;
  friend bool operator==(const Pause&, const Pause&) = default;
};

struct SliceControl {
  std::optional<Pause> pause;
  std::string approved_by;  ///< on a paused slice: lets one raise through
  std::int64_t changed_at_unix_ms = 0;
  friend bool operator==(const SliceControl&, const SliceControl&) = default;
};

struct ControlState {
  TrafficPolicy policy;
  std::map<std::string, SliceControl> slices;  ///< one for each slice of the policy

  [[nodiscard]] const SliceControl& control(const std::string& slice) const;
  /// The first latch that holds this slice (its own or one on `*`).
  [[nodiscard]] const KillLatch* latch_on(const std::string& slice) const;
};

/// A next state. `policy_changed`: its content differs and must be published. `notes`: what the person should know.
struct Change {
  ControlState next;
  bool policy_changed = false;
  std::vector<AuditEntry> audit;
  std::vector<std::string> notes;
};

/// "canary 25 %", "shadow".
std::string describe(const SlicePolicy& slice);

/// Epoch 1 from the configuration.
Change first_state(const std::vector<config::SliceConfig>& slices, const Author& author);
/// Adds slices that the configuration has and the state has not. Slices that left the configuration stay as they are.
Change add_new_slices(const ControlState& state, const std::vector<config::SliceConfig>& slices, const Author& author);

// What the orchestrator does by itself. `evidence` is JSON text for the audit.
Change raise_slice(const ControlState& state, const std::string& slice, Stage stage, std::uint32_t weight_basis_points,
                   const Author& author, const std::string& evidence);
Change trip_slice(const ControlState& state, const std::string& slice, const std::string& kill_id, const Author& author,
                  const std::string& evidence);
Change freeze_slice(const ControlState& state, const std::string& slice, const Author& author,
                    const std::string& evidence);
/// Adopts latches that gateways report and the policy neither holds nor resets: a kill at one gateway becomes the
/// fleet's. No policy change when there is none.
Change merge_latches(const ControlState& state, const std::vector<GatewayStatus>& gateways, std::int64_t at_unix_ms);
/// A gateway applied a newer epoch than ours (a policy put there by hand, or a state older than what was published): go
/// past it.
Change pass_epoch(const ControlState& state, std::uint64_t applied_epoch, const Author& author);

// What a person does. Errors: not_found (no such slice), conflict (not in this stage), invalid_input.
Result<Change> set_weight(const ControlState& state, const std::string& slice, std::uint32_t weight_basis_points,
                          const Author& author, const std::string& evidence);
Result<Change> pause_slice(const ControlState& state, const std::string& slice, const Author& author);
Result<Change> resume_slice(const ControlState& state, const std::string& slice, const Author& author);
Result<Change> approve_raise(const ControlState& state, const std::string& slice, const Author& author);
Result<Change> promote_slice(const ControlState& state, const std::string& slice, const Author& author,
                             const std::string& evidence);
Result<Change> retire_slice(const ControlState& state, const std::string& slice, const Author& author,
                            const std::string& evidence);
/// `slice` may be `*`. Bypass and retired stay as they are: conflict when such a slice is named, a note under `*`.
Result<Change> kill_slice(const ControlState& state, const std::string& slice, const std::string& kill_id,
                          const Author& author);
Result<Change> reset_slice(const ControlState& state, const std::string& slice, const Author& author);

}  // namespace phoenix::orchestrator
