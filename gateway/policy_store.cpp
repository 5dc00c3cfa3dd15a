#include "gateway/policy_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/events/control_events.hpp"
#include "core/model/exchange_id.hpp"
#include "core/runtime/log.hpp"
#include "gateway/durable_file.hpp"

namespace phoenix::gateway {
namespace {

// Latches are kept in the schema of the traffic policy: one format, one parser.
constexpr const char* kLatchFile = "/latches.json";
constexpr const char* kPolicyFile = "/policy.json";

std::string new_kill_id(const Clock& clock) {
  RandomSource random(random_seed());
  return "kill-" +
         make_exchange_id(static_cast<std::uint64_t>(clock.unix_ms()), random.next(), random.next()).to_string();
}

TrafficPolicy read_state(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return {};
  auto policy = decode_traffic_policy(*text);
  if (!policy) {
    throw Failure(ErrorCode::invalid_input,
                  fmt::format("state file '{}' cannot be read ({}); restore it, or remove it to start "
                              "serving legacy until the orchestrator renews the policy",
                              path, policy.error().message));
  }
  return *policy;
}

}  // namespace

PolicyStore::PolicyStore(const config::Config& config, std::vector<bool> slice_may_leave_shadow, const Clock& clock)
    : clock_(clock),
      state_dir_(config.gateway.state_dir),
      configured_(config.slices),
      may_leave_shadow_(std::move(slice_may_leave_shadow)),
      on_control_loss_(config.gateway.on_control_loss) {
  for (const auto& slice : configured_) names_.push_back(slice.name);
  load_state();
  const std::lock_guard lock(mutex_);
  rebuild_locked();
}

void PolicyStore::load_state() {
  std::error_code error;
  std::filesystem::create_directories(state_dir_, error);
  if (error)
    throw Failure(ErrorCode::invalid_input,
                  fmt::format("cannot create gateway.state_dir '{}': {}", state_dir_, error.message()));
  latches_ = read_state(state_dir_ + kLatchFile).latches;
  policy_ = read_state(state_dir_ + kPolicyFile);
  newest_renewal_ = policy_.renewal;
  was_live_ = policy_.epoch > 0;
}

int PolicyStore::index_of(std::string_view slice) const {
  const auto found = std::find(names_.begin(), names_.end(), slice);
  return found == names_.end() ? -1 : static_cast<int>(found - names_.begin());
}

bool PolicyStore::lease_live_locked() const {
  return clock_.monotonic() < lease_until_;
}

EffectiveSlice PolicyStore::effective_locked(std::size_t slice) const {
  EffectiveSlice effective{configured_[slice].stage, configured_[slice].weight_basis_points, 0, false};
  const SlicePolicy* by_policy = policy_.find(names_[slice]);
  if (policy_.epoch > 0 && by_policy != nullptr) {
    const bool obeyed = lease_live_locked() || (was_live_ && on_control_loss_ == config::OnControlLoss::hold);
    const bool reversible = by_policy->stage != Stage::retired && by_policy->stage != Stage::bypass;
    effective = {by_policy->stage, by_policy->weight_basis_points, by_policy->rung, false};
    if (!obeyed && reversible) effective = {Stage::shadow, 0, by_policy->rung, false};
  }
  const bool moves_traffic = effective.stage == Stage::canary || effective.stage == Stage::promoted;
  const bool latched = std::any_of(latches_.begin(), latches_.end(),
                                   [&](const KillLatch& latch) { return latch.slice == names_[slice]; });
  if (latched && effective.stage != Stage::bypass && effective.stage != Stage::retired)
    effective = {Stage::shadow, 0, effective.rung, true};
  if (moves_traffic && !may_leave_shadow_[slice]) effective = {Stage::shadow, 0, effective.rung, effective.killed};
  if (effective.stage == Stage::promoted) effective.weight_basis_points = kBasisPoints;
  if (effective.stage == Stage::shadow || effective.stage == Stage::bypass) effective.weight_basis_points = 0;
  return effective;
}

void PolicyStore::rebuild_locked() {
  auto next = std::make_unique<PolicySnapshot>();
  next->epoch = policy_.epoch;
  next->lease_live = lease_live_locked();
  next->latches = latches_;
  for (std::size_t i = 0; i < names_.size(); ++i) next->slices.push_back(effective_locked(i));
  const PolicySnapshot* now = current_.load(std::memory_order_relaxed);
  if (now != nullptr && now->epoch == next->epoch && now->lease_live == next->lease_live &&
      now->latches == next->latches && now->slices == next->slices)
    return;
  current_.store(next.get(), std::memory_order_release);
  snapshots_.push_back(std::move(next));
}

void PolicyStore::save_latches_locked() const {
  TrafficPolicy state;
  state.latches = latches_;
  write_durably(state_dir_ + kLatchFile, encode(state));
}

std::exception_ptr PolicyStore::save_unsaved_locked() {
  if (!latches_unsaved_) return nullptr;
  try {
    save_latches_locked();
    latches_unsaved_ = false;
    return nullptr;
  } catch (const Failure&) {
    return std::current_exception();
  }
}

void PolicyStore::save_policy_locked() const {
  write_durably(state_dir_ + kPolicyFile, encode(policy_));
}

void PolicyStore::publish_and_wait(std::unique_lock<std::mutex>& lock) {
  const PolicySnapshot* before = current_.load(std::memory_order_relaxed);
  rebuild_locked();
  const bool changed = before != current_.load(std::memory_order_relaxed);
  lock.unlock();
  if (changed && barrier_) barrier_();
}

Result<void> PolicyStore::apply(const TrafficPolicy& policy, PolicySource source) {
  std::unique_lock lock(mutex_);
  for (const auto& slice : policy.slices) {
    if (index_of(slice.name) < 0)
      return invalid_input(
          fmt::format("the policy names slice '{}', which this gateway's configuration does not have", slice.name));
  }
  if (policy.epoch < policy_.epoch || policy.epoch == 0) {
    return Error{ErrorCode::conflict,
                 fmt::format("epoch {} is older than the applied epoch {}", policy.epoch, policy_.epoch)};
  }
  const bool same_epoch = policy.epoch == policy_.epoch;
  if (same_epoch && !policy.same_content(policy_)) {
    return Error{ErrorCode::conflict,
                 fmt::format("epoch {} is applied already with other content; raise the epoch", policy.epoch)};
  }
  // A renewal must be newer than any seen: a record that is delivered again keeps nothing alive. PUT carries none (0).
  const bool renews =
      source == PolicySource::live && (policy.renewal == 0 || policy.renewal > newest_renewal_ || !same_epoch);
  newest_renewal_ = std::max(newest_renewal_, policy.renewal);
  policy_ = policy;
  if (renews) {
    lease_until_ = clock_.monotonic() + policy.ttl;
    was_live_ = true;
  } else if (!same_epoch) {
    was_live_ = false;  // read from the log's past: dead until renewed
  }
  const std::size_t latches_before = latches_.size();
  bool latches_changed = false;
  for (const auto& reset : policy.resets) {
    cleared_[reset.kill_id] = reset.by;
    std::erase_if(latches_, [&](const KillLatch& latch) { return latch.kill_id == reset.kill_id; });
  }
  latches_changed = latches_.size() != latches_before;
  for (const auto& latch : policy.latches) {
    const bool known = std::any_of(latches_.begin(), latches_.end(),
                                   [&](const KillLatch& mine) { return mine.kill_id == latch.kill_id; });
    if (known || cleared_.contains(latch.kill_id)) continue;
    latches_.push_back(latch);
    latches_changed = true;
  }
  latches_unsaved_ = latches_unsaved_ || latches_changed;
  const std::exception_ptr not_durable = save_unsaved_locked();
  if (!same_epoch && was_live_ && !not_durable) save_policy_locked();
  publish_and_wait(lock);
  if (not_durable) std::rethrow_exception(not_durable);
  return boost::system::in_place_value;
}

/// The latch that stands for this order: one of the same id, a new one, or the newest where there are many.
const KillLatch& PolicyStore::latch_locked(const std::string& slice, KillLatch wanted) {
  const auto same = [&](const KillLatch& latch) { return latch.kill_id == wanted.kill_id; };
  const auto on_slice = [&](const KillLatch& latch) { return latch.slice == slice; };
  const auto known = std::find_if(latches_.begin(), latches_.end(), same);
  if (known != latches_.end() && known->slice == slice) return *known;
  if (std::count_if(latches_.begin(), latches_.end(), on_slice) >= kMaxLatches)
    return *std::find_if(latches_.rbegin(), latches_.rend(), on_slice);
  // An order that comes again after its reset kills again: under a new id, since the old one is cleared.
  const bool usable = !wanted.kill_id.empty() && wanted.kill_id.size() <= kMaxKillId && known == latches_.end() &&
                      !cleared_.contains(wanted.kill_id);
  if (!usable) wanted.kill_id = new_kill_id(clock_);
  latches_.push_back(std::move(wanted));
  latches_unsaved_ = true;
  return latches_.back();
}

Result<KillOutcome> PolicyStore::kill(std::string_view slice, const std::string& reason, const std::string& by,
                                      const std::string& kill_id) {
  std::unique_lock lock(mutex_);
  if (slice != "*" && index_of(slice) < 0)
    return Error{ErrorCode::not_found, fmt::format("no slice is named '{}'", slice)};
  KillOutcome outcome;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (slice != "*" && names_[i] != slice) continue;
    const Stage stage = effective_locked(i).stage;
    if (stage == Stage::retired && slice != "*") {
      return Error{ErrorCode::conflict,
                   fmt::format("slice '{}' is retired: legacy no longer follows, there is no way back", slice)};
    }
    if (stage == Stage::retired) {
      outcome.unchanged_retired.push_back(names_[i]);
    } else if (stage == Stage::bypass) {
      outcome.unchanged_bypass.push_back(names_[i]);
    } else {
      const std::string id = slice == "*" && !kill_id.empty() ? kill_id + "/" + names_[i] : kill_id;
      outcome.latched.push_back(latch_locked(names_[i], {id, names_[i], reason, by, clock_.unix_ms()}));
    }
  }
  // Traffic moves even if the disk is full: obey first, then report that the latch could not be made durable.
  rebuild_locked();
  const std::exception_ptr not_durable = save_unsaved_locked();
  lock.unlock();
  if (barrier_) barrier_();
  if (not_durable) std::rethrow_exception(not_durable);
  return outcome;
}

Result<void> PolicyStore::narrow(const std::vector<bool>& slice_may_leave_shadow) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const Stage stage = effective_locked(i).stage;
    const bool moves_traffic = stage == Stage::canary || stage == Stage::promoted;
    if (moves_traffic && !slice_may_leave_shadow[i]) {
      return Error{
          ErrorCode::conflict,
          fmt::format("slice '{}' is in stage {}, which needs shadow: dual on each of its routes that may write; "
                      "bring the slice back to stage shadow first",
                      names_[i], to_string(stage))};
    }
  }
  for (std::size_t i = 0; i < names_.size(); ++i)
    may_leave_shadow_[i] = may_leave_shadow_[i] && slice_may_leave_shadow[i];
  return boost::system::in_place_value;
}

void PolicyStore::widen(const std::vector<bool>& slice_may_leave_shadow, config::OnControlLoss on_control_loss) {
  std::unique_lock lock(mutex_);
  may_leave_shadow_ = slice_may_leave_shadow;
  on_control_loss_ = on_control_loss;
  publish_and_wait(lock);
}

void PolicyStore::tick() {
  std::unique_lock lock(mutex_);
  static_cast<void>(save_unsaved_locked());  // a disk that was full may have room by now
  const bool was = current_.load(std::memory_order_relaxed)->lease_live;
  const bool holds = on_control_loss_ == config::OnControlLoss::hold;
  publish_and_wait(lock);
  const bool is = current().lease_live;
  if (was && !is) log::warn("the policy's lease has lapsed: {}", holds ? "holding the last policy" : "serving legacy");
}

std::chrono::nanoseconds PolicyStore::lease_left() const {
  const std::lock_guard lock(mutex_);
  return std::max(lease_until_ - clock_.monotonic(), std::chrono::nanoseconds(0));
}

}  // namespace phoenix::gateway
