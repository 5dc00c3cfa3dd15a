// The one place where the traffic policy changes: leadership, the current state, its storing and its publication.
//
// Authority is rechecked before every change: each one goes through the database session that holds the leader's lock.
// A renewal is saved before it is published, so a process that lost the lead renews nothing. Kills are published before
// they are saved: traffic moves first. What could not be saved is kept and recorded when the database is back.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/events/event_log.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/config.hpp"
#include "orchestrator/control_state.hpp"
#include "orchestrator/state_store.hpp"

namespace phoenix::orchestrator {

enum class Order {
  save_first,     ///< raises and whatever can wait: only what is recorded happens
  publish_first,  ///< kills: traffic moves first, then the bookkeeping
};

struct PolicyView {
  bool leading = false;
  std::string standby_reason;                            ///< why not leading
  ControlState state;                                    ///< as last known; empty epoch 0 before the first lead
  std::optional<std::chrono::nanoseconds> published_at;  ///< monotonic
};

class PolicyAuthority {
 public:
  PolicyAuthority(const config::Config& config, const Clock& clock, Producer& producer);

  /// Connects and takes the lead if it is free. Throws Failure when the database cannot be used at start.
  void start();
  /// Reconnects, takes the lead when it becomes free, checks it each second and renews the policy. One thread, each
  /// tick.
  void maintain();
  /// Applies a change under the lead. `unavailable`: not leading, or the database is away; `conflict` and others come
  /// from `transform`. Any thread; waits at most a second for another change to end.
  Result<Change> change(const std::function<Result<Change>(const ControlState&)>& transform, Order order);
  /// Any thread, never waits for the database.
  [[nodiscard]] PolicyView view() const;

 private:
  void connect();
  void take_lead();
  void renew();
  void stand_by(const std::string& reason);
  void save(const ControlState& next, const std::vector<AuditEntry>& entries);
  void publish(const ControlState& next);
  void show();

  const config::Config& config_;
  const Clock& clock_;
  Producer& producer_;

  mutable std::timed_mutex mutex_;  // everything below, up to the view
  std::unique_ptr<StateStore> store_;
  bool leading_ = false;
  ControlState state_;                 // what was published last
  std::optional<ControlState> saved_;  // what the database holds, as far as this process knows
  AuditHead head_;
  std::vector<AuditEntry> unsaved_;  // of kills that were published while the database was away
  std::string reason_;
  std::optional<std::chrono::nanoseconds> published_at_, checked_at_, tried_at_, renewed_at_;

  mutable std::mutex view_mutex_;
  PolicyView view_;
};

}  // namespace phoenix::orchestrator
