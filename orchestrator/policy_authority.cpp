#include "orchestrator/policy_authority.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/runtime/log.hpp"
#include "orchestrator/database.hpp"

namespace phoenix::orchestrator {
namespace {

constexpr std::chrono::seconds kRetry{1};
constexpr std::chrono::seconds kCheck{1};
constexpr std::chrono::seconds kWaitForOthers{1};
// A kill publishes before it saves; a process that dies between leaves a renewal in the log that the state does not
// know.
constexpr std::uint64_t kRenewalsPerLead = 10;
constexpr std::size_t kMaxUnsaved = 1'000;

bool elapsed(const std::optional<std::chrono::nanoseconds>& since, std::chrono::nanoseconds now,
             std::chrono::nanoseconds period) {
  return !since || now - *since >= period;
}

}  // namespace

PolicyAuthority::PolicyAuthority(const config::Config& config, const Clock& clock, Producer& producer)
    : config_(config), clock_(clock), producer_(producer) {}

void PolicyAuthority::start() {
  create_database_if_missing(config_.orchestrator.database, "orchestrator.database");
  const std::lock_guard lock(mutex_);
  connect();
  take_lead();
  show();
}

void PolicyAuthority::connect() {
  tried_at_ = clock_.monotonic();
  store_ = std::make_unique<StateStore>(config_.orchestrator.database, config_.migration_name);
}

void PolicyAuthority::take_lead() {
  tried_at_ = clock_.monotonic();
  if (!store_->try_lead()) {
    reason_ = "another orchestrator leads; this one stands by";
    return;
  }
  const Author self{"orchestrator", fmt::format("configuration {}", config_.path), clock_.unix_ms()};
  const auto stored = store_->load();
  ControlState next;
  std::vector<AuditEntry> entries = std::move(unsaved_);
  unsaved_.clear();
  if (stored) {
    const bool mine = saved_ && saved_->policy.epoch == stored->state.policy.epoch &&
                      saved_->policy.renewal == stored->state.policy.renewal && head_.seq == stored->head.seq;
    if (mine) {
      next = state_;  // nobody led in between: what was published and not saved still holds
    } else {
      // Somebody else led. Our own unsaved kills come back like those of a gateway.
      GatewayStatus own;
      own.gateway = "orchestrator";
      own.latches = state_.policy.latches;
      Change merged = merge_latches(stored->state, {own}, clock_.unix_ms());
      next = std::move(merged.next);
      entries.insert(entries.end(), merged.audit.begin(), merged.audit.end());
    }
    saved_ = stored->state;
    head_ = stored->head;
  } else {
    saved_.reset();
    head_ = {};
  }
  Change added = stored ? add_new_slices(next, config_.slices, self) : first_state(config_.slices, self);
  next = std::move(added.next);
  entries.insert(entries.end(), added.audit.begin(), added.audit.end());
  if (next.policy.ttl != config_.orchestrator.policy_ttl) {
    next.policy.ttl = config_.orchestrator.policy_ttl;
    if (stored) ++next.policy.epoch;  // content: gateways take another content under a newer epoch only
  }
  next.policy.renewal = std::max(state_.policy.renewal, next.policy.renewal) + kRenewalsPerLead;
  save(next, entries);
  leading_ = true;
  reason_.clear();
  log::info("leading migration {} at epoch {}", config_.migration_name, next.policy.epoch);
  publish(next);
}

void PolicyAuthority::save(const ControlState& next, const std::vector<AuditEntry>& entries) {
  try {
    head_ = store_->save(saved_ ? &*saved_ : nullptr, next, head_, entries, config_.hash);
    saved_ = next;
    checked_at_ = renewed_at_ = clock_.monotonic();
  } catch (const Failure&) {
    // Kept for the next lead, so that no kill goes unrecorded.
    for (const auto& entry : entries) {
      if ((entry.action == "kill" || entry.action == "trip") && unsaved_.size() < kMaxUnsaved)
        unsaved_.push_back(entry);
    }
    throw;
  }
}

void PolicyAuthority::publish(const ControlState& next) {
  state_ = next;
  if (!producer_.publish(topics::kRoutingControl, config_.migration_name, encode(next.policy))) {
    log::error("routing-control: the event log's queue is full; epoch {} waits for the next renewal",
               next.policy.epoch);
    return;
  }
  published_at_ = clock_.monotonic();
}

void PolicyAuthority::stand_by(const std::string& reason) {
  if (leading_ || reason != reason_) log::warn("standing by: {}", reason);
  leading_ = false;
  reason_ = reason;
  store_.reset();
}

void PolicyAuthority::renew() {
  ControlState next = state_;
  ++next.policy.renewal;
  save(next, {});
  publish(next);
}

void PolicyAuthority::maintain() {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.monotonic();
  try {
    if (!leading_) {
      if (!elapsed(tried_at_, now, kRetry)) return;
      if (!store_) connect();
      take_lead();
    } else if (elapsed(renewed_at_, now, config_.orchestrator.policy_renew)) {
      renew();
    } else if (elapsed(checked_at_, now, kCheck)) {
      store_->check_session();
      checked_at_ = now;
    }
  } catch (const Failure& failure) {
    stand_by(failure.what());
  }
  show();
}

Result<Change> PolicyAuthority::change(const std::function<Result<Change>(const ControlState&)>& transform,
                                       Order order) {
  const std::unique_lock lock(mutex_, kWaitForOthers);
  if (!lock.owns_lock()) return unavailable("the database does not answer; nothing was changed");
  if (!leading_) return unavailable("not leading: " + reason_);
  try {
    store_->check_session();
    auto change = transform(state_);
    if (!change || (!change->policy_changed && change->audit.empty())) return change;
    ControlState& next = change->next;
    if (change->policy_changed) next.policy.renewal = state_.policy.renewal + 1;
    if (order == Order::publish_first) {
      publish(next);
      try {
        save(next, change->audit);
      } catch (const Failure& failure) {
        stand_by(failure.what());
        change->notes.push_back("in force; the audit record follows when the database is back");
      }
    } else {
      save(next, change->audit);
      if (change->policy_changed) publish(next);
      state_ = next;
    }
    show();
    return change;
  } catch (const Failure& failure) {
    stand_by(failure.what());
    show();
    return unavailable(failure.what());
  }
}

void PolicyAuthority::show() {
  const std::lock_guard lock(view_mutex_);
  view_ = {leading_, reason_, state_, published_at_};
}

PolicyView PolicyAuthority::view() const {
  const std::lock_guard lock(view_mutex_);
  return view_;
}

}  // namespace phoenix::orchestrator
