// What the gateway obeys: configuration, the newest traffic policy, its lease, and kill latches. Event loops read one
// immutable snapshot through one atomic load; writers are serialised here and adopted by every loop through a barrier.
//
// Rules: configuration is epoch 0 and needs no lease. A policy holds while its lease runs, counted on the monotonic
// clock from a renewal newer than any seen before; one that was merely read again at start is dead until renewed. When
// the lease lapses, `on_control_loss` decides: hold what was last live, or serve legacy. Latches are independent of
// epochs: they are on disk before they are acknowledged and are cleared only by a policy that carries their reset.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/result.hpp"
#include "core/model/traffic_policy.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/config.hpp"
#include "gateway/canary_selector.hpp"

namespace phoenix::gateway {

struct PolicySnapshot {
  std::uint64_t epoch = 0;
  bool lease_live = false;
  std::vector<EffectiveSlice> slices;  // by slice index
  std::vector<KillLatch> latches;
};

/// Where a policy came from decides whether it can renew the lease.
enum class PolicySource {
  live,    ///< PUT /policy, or a record appended after this gateway began to read
  replay,  ///< a record that was already in the log at start
};

struct KillOutcome {
  std::vector<KillLatch> latched;
  std::vector<std::string> unchanged_bypass;   ///< legacy serves them anyway
  std::vector<std::string> unchanged_retired;  ///< no way back exists
};

class PolicyStore {
 public:
  /// Reads latches and the last policy from `state_dir` (created when missing; Failure names what cannot be used).
  PolicyStore(const config::Config& config, std::vector<bool> slice_may_leave_shadow, const Clock& clock);

  /// The snapshot to decide one request by. Any thread; valid for the life of the store.
  [[nodiscard]] const PolicySnapshot& current() const { return *current_.load(std::memory_order_acquire); }

  /// Called after each change of the snapshot, under no lock: must return only when every event loop has seen it.
  void set_barrier(std::function<void()> barrier) { barrier_ = std::move(barrier); }

  /// `conflict` for an older epoch, or for other content under the same epoch; `invalid_input` for unknown slices.
  Result<void> apply(const TrafficPolicy& policy, PolicySource source);
  /// Latches `slice` ("*": all). On return the latch is on disk and every event loop obeys it; Failure when it could
  /// not be written, and then traffic has moved all the same. A slice that carries a latch gets another one, up to
  /// kMaxLatches: the reset of the first may be on its way. `conflict` for a retired slice by name, `not_found` for an
  /// unknown one.
  /// A `kill_id` names the latch (for "*" followed by /SLICE), so that the same kill that comes with the policy is
  /// known.
  Result<KillOutcome> kill(std::string_view slice, const std::string& reason, const std::string& by,
                           const std::string& kill_id = {});
  /// First half of a reload: from now on no slice may leave stage `shadow` that `slice_may_leave_shadow` does not let.
  /// `conflict` names a slice that has left it and would no longer be allowed to; nothing has changed then.
  Result<void> narrow(const std::vector<bool>& slice_may_leave_shadow);
  /// Second half, once every event loop routes by the new configuration. On return all obey.
  void widen(const std::vector<bool>& slice_may_leave_shadow, config::OnControlLoss on_control_loss);
  /// Re-evaluates the lease; call every 100 ms or so.
  void tick();
  /// How long the lease still runs without a renewal; 0 when it lapsed or never ran. Takes the writers' lock: not for
  /// event loops.
  [[nodiscard]] std::chrono::nanoseconds lease_left() const;

  [[nodiscard]] const std::vector<std::string>& slice_names() const { return names_; }

  static constexpr std::ptrdiff_t kMaxLatches = 4;  ///< of one slice
  static constexpr std::size_t kMaxKillId = 200;

 private:
  void rebuild_locked();
  void load_state();
  void save_latches_locked() const;
  std::exception_ptr save_unsaved_locked();
  const KillLatch& latch_locked(const std::string& slice, KillLatch wanted);
  void save_policy_locked() const;
  [[nodiscard]] EffectiveSlice effective_locked(std::size_t slice) const;
  [[nodiscard]] bool lease_live_locked() const;
  [[nodiscard]] int index_of(std::string_view slice) const;
  void publish_and_wait(std::unique_lock<std::mutex>& lock);

  const Clock& clock_;
  const std::string state_dir_;
  std::vector<std::string> names_;
  std::vector<config::SliceConfig> configured_;
  std::function<void()> barrier_;

  mutable std::mutex mutex_;
  std::vector<bool> may_leave_shadow_;
  config::OnControlLoss on_control_loss_;
  TrafficPolicy policy_;   // epoch 0: none yet
  bool was_live_ = false;  // live in this process, or the state file says so
  std::uint64_t newest_renewal_ = 0;
  std::chrono::nanoseconds lease_until_{0};
  std::vector<KillLatch> latches_;
  bool latches_unsaved_ = false;  // the file on disk says something else
  std::map<std::string, std::string>
      cleared_;  // kill ids that a reset has cleared, so that an old policy cannot revive them
  std::vector<std::unique_ptr<const PolicySnapshot>> snapshots_;  // kept: readers hold plain references
  std::atomic<const PolicySnapshot*> current_{nullptr};
};

}  // namespace phoenix::gateway
