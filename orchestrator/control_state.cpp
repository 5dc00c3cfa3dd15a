#include "orchestrator/control_state.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace phoenix::orchestrator {
namespace {

// A gateway that was away for this many resets and still carries a latch brings it back: safe, and the policy stays
// small.
constexpr std::size_t kMaxResets = 64;

SlicePolicy* find(TrafficPolicy& policy, const std::string& name) {
  const auto it =
      std::find_if(policy.slices.begin(), policy.slices.end(), [&](const auto& s) { return s.name == name; });
  return it == policy.slices.end() ? nullptr : &*it;
}

/// Every change starts here: the next state with its epoch already taken.
Change with_new_epoch(const ControlState& state) {
  Change change{state, true, {}, {}};
  ++change.next.policy.epoch;
  return change;
}

void move(Change& change, SlicePolicy& slice, Stage stage, std::uint32_t weight, std::int64_t at_unix_ms) {
  if (slice.stage == stage && slice.weight_basis_points == weight) return;
  slice.stage = stage;
  slice.weight_basis_points = weight;
  slice.rung = change.next.policy.epoch;
  SliceControl& control = change.next.slices[slice.name];
  control.changed_at_unix_ms = at_unix_ms;
  control.approved_by.clear();
}

AuditEntry entry(const Author& author, std::string action, const std::string& slice, std::string from, std::string to,
                 const std::string& evidence = "null") {
  return {author.by,     std::move(action), slice,    std::move(from),
          std::move(to), author.reason,     evidence, author.at_unix_ms};
}

bool can_be_killed(Stage stage) {
  return stage != Stage::bypass && stage != Stage::retired;
}

Result<const SlicePolicy*> require_slice(const ControlState& state, const std::string& slice) {
  if (const auto* found = state.policy.find(slice)) return found;
  std::string names;
  for (const auto& s : state.policy.slices) names += (names.empty() ? "" : ", ") + s.name;
  return Error{ErrorCode::not_found, fmt::format("no slice '{}'; there are: {}", slice, names)};
}

Error conflict(std::string message) {
  return {ErrorCode::conflict, std::move(message)};
}

/// The slice, if it exists and carries no latch.
Result<const SlicePolicy*> require_unlatched(const ControlState& state, const std::string& slice) {
  auto found = require_slice(state, slice);
  if (!found) return found.error();
  if (const auto* latch = state.latch_on(slice)) {
    return conflict(
        fmt::format("slice '{}' is latched by a kill ({}: {}); reset it first: phoenixctl reset {} --reason TEXT",
                    slice, latch->by, latch->reason, slice));
  }
  return found;
}

/// Pulls one slice to shadow at weight 0 under a latch.
void pull(Change& change, SlicePolicy& slice, std::int64_t at_unix_ms) {
  move(change, slice, Stage::shadow, 0, at_unix_ms);
}

}  // namespace

std::string describe(const SlicePolicy& slice) {
  if (slice.stage != Stage::canary) return std::string(to_string(slice.stage));
  return fmt::format("canary {} %", format_percent(slice.weight_basis_points));
}

const SliceControl& ControlState::control(const std::string& slice) const {
  static const SliceControl kNone;
  const auto it = slices.find(slice);
  return it == slices.end() ? kNone : it->second;
}

const KillLatch* ControlState::latch_on(const std::string& slice) const {
  for (const auto& latch : policy.latches) {
    if (latch.slice == slice || latch.slice == "*") return &latch;
  }
  return nullptr;
}

Change add_new_slices(const ControlState& state, const std::vector<config::SliceConfig>& slices, const Author& author) {
  Change change = with_new_epoch(state);
  for (const auto& configured : slices) {
    if (state.policy.find(configured.name) != nullptr) continue;
    // The weight counts in stage canary only; elsewhere it would be a number without a meaning.
    const std::uint32_t weight = configured.stage == Stage::canary ? configured.weight_basis_points : 0;
    change.next.policy.slices.push_back({configured.name, configured.stage, weight, change.next.policy.epoch});
    change.next.slices[configured.name].changed_at_unix_ms = author.at_unix_ms;
    change.audit.push_back(entry(author, "start", configured.name, "", describe(change.next.policy.slices.back())));
  }
  if (change.audit.empty()) return {state, false, {}, {}};
  return change;
}

Change first_state(const std::vector<config::SliceConfig>& slices, const Author& author) {
  return add_new_slices(ControlState{}, slices, author);
}

Change raise_slice(const ControlState& state, const std::string& slice, Stage stage, std::uint32_t weight_basis_points,
                   const Author& author, const std::string& evidence) {
  Change change = with_new_epoch(state);
  SlicePolicy& policy = *find(change.next.policy, slice);
  const std::string from = describe(policy);
  move(change, policy, stage, weight_basis_points, author.at_unix_ms);
  change.audit.push_back(entry(author, "raise", slice, from, describe(policy), evidence));
  return change;
}

Change trip_slice(const ControlState& state, const std::string& slice, const std::string& kill_id, const Author& author,
                  const std::string& evidence) {
  Change change = with_new_epoch(state);
  SlicePolicy& policy = *find(change.next.policy, slice);
  const std::string from = describe(policy);
  change.next.policy.latches.push_back({kill_id, slice, author.reason, author.by, author.at_unix_ms});
  pull(change, policy, author.at_unix_ms);
  change.audit.push_back(entry(author, "trip", slice, from, describe(policy), evidence));
  return change;
}

Change freeze_slice(const ControlState& state, const std::string& slice, const Author& author,
                    const std::string& evidence) {
  Change change{state, false, {}, {}};
  SliceControl& control = change.next.slices[slice];
  control.pause = Pause{author.by, author.reason, true, author.at_unix_ms};
  control.approved_by.clear();
  const std::string at = describe(*state.policy.find(slice));
  change.audit.push_back(entry(author, "freeze", slice, at, at, evidence));
  return change;
}

Change merge_latches(const ControlState& state, const std::vector<GatewayStatus>& gateways, std::int64_t at_unix_ms) {
  Change change = with_new_epoch(state);
  TrafficPolicy& policy = change.next.policy;
  const auto known = [&policy](const std::string& id) {
    return std::any_of(policy.latches.begin(), policy.latches.end(), [&](const auto& l) { return l.kill_id == id; }) ||
           std::any_of(policy.resets.begin(), policy.resets.end(), [&](const auto& r) { return r.kill_id == id; });
  };
  for (const auto& gateway : gateways) {
    for (const auto& latch : gateway.latches) {
      if (known(latch.kill_id)) continue;
      if (latch.slice != "*" && policy.find(latch.slice) == nullptr) continue;  // another configuration's slice
      policy.latches.push_back(latch);
      const Author author{latch.by, fmt::format("{} (kill at gateway {})", latch.reason, gateway.gateway), at_unix_ms};
      for (SlicePolicy& slice : policy.slices) {
        if (latch.slice != "*" && latch.slice != slice.name) continue;
        if (!can_be_killed(slice.stage)) continue;
        const std::string from = describe(slice);
        pull(change, slice, at_unix_ms);
        change.audit.push_back(entry(author, "kill", slice.name, from, describe(slice)));
      }
    }
  }
  if (change.audit.empty()) return {state, false, {}, {}};
  return change;
}

Change pass_epoch(const ControlState& state, std::uint64_t applied_epoch, const Author& author) {
  Change change{state, true, {}, {}};
  change.next.policy.epoch = std::max(state.policy.epoch, applied_epoch) + 1;
  change.audit.push_back(entry(author, "pass_epoch", "", fmt::format("epoch {}", state.policy.epoch),
                               fmt::format("epoch {}", change.next.policy.epoch)));
  return change;
}

Result<Change> set_weight(const ControlState& state, const std::string& slice, std::uint32_t weight_basis_points,
                          const Author& author, const std::string& evidence) {
  const auto found = require_unlatched(state, slice);
  if (!found) return found.error();
  const SlicePolicy& before = **found;
  if (before.stage != Stage::shadow && before.stage != Stage::canary) {
    return conflict(
        fmt::format("slice '{}' is in stage {}; only shadow and canary have a weight", slice, to_string(before.stage)));
  }
  const Stage stage = weight_basis_points == 0 ? Stage::shadow : Stage::canary;
  if (before.stage == stage && before.weight_basis_points == weight_basis_points) {
    return Change{state, false, {}, {fmt::format("slice '{}' is at {} already", slice, describe(before))}};
  }
  Change change = with_new_epoch(state);
  SlicePolicy& policy = *find(change.next.policy, slice);
  move(change, policy, stage, weight_basis_points, author.at_unix_ms);
  change.audit.push_back(entry(author, "weight", slice, describe(before), describe(policy), evidence));
  return change;
}

Result<Change> pause_slice(const ControlState& state, const std::string& slice, const Author& author) {
  const auto found = require_slice(state, slice);
  if (!found) return found.error();
  Change change{state, false, {}, {}};
  SliceControl& control = change.next.slices[slice];
  control.pause = Pause{author.by, author.reason, false, author.at_unix_ms};
  control.approved_by.clear();
  change.audit.push_back(entry(author, "pause", slice, describe(**found), describe(**found)));
  return change;
}

Result<Change> resume_slice(const ControlState& state, const std::string& slice, const Author& author) {
  const auto found = require_slice(state, slice);
  if (!found) return found.error();
  if (!state.control(slice).pause) return Change{state, false, {}, {fmt::format("slice '{}' was not paused", slice)}};
  Change change{state, false, {}, {}};
  change.next.slices[slice].pause.reset();
  change.next.slices[slice].approved_by.clear();
  change.audit.push_back(entry(author, "resume", slice, describe(**found), describe(**found)));
  return change;
}

Result<Change> approve_raise(const ControlState& state, const std::string& slice, const Author& author) {
  const auto found = require_unlatched(state, slice);
  if (!found) return found.error();
  const auto& pause = state.control(slice).pause;
  if (!pause) return conflict(fmt::format("slice '{}' is not paused: nothing waits for an approval", slice));
  if (pause->by_system) {
    return conflict(fmt::format("slice '{}' is frozen ({}); resume it when the cause is gone", slice, pause->reason));
  }
  Change change{state, false, {}, {fmt::format("the next raise of '{}' will pass once its evidence suffices", slice)}};
  change.next.slices[slice].approved_by = author.by;
  change.audit.push_back(entry(author, "approve", slice, describe(**found), describe(**found)));
  return change;
}

Result<Change> promote_slice(const ControlState& state, const std::string& slice, const Author& author,
                             const std::string& evidence) {
  const auto found = require_unlatched(state, slice);
  if (!found) return found.error();
  if ((*found)->stage != Stage::canary || (*found)->weight_basis_points != 10'000) {
    return conflict(fmt::format("slice '{}' is at {}; only canary 100 % can be promoted", slice, describe(**found)));
  }
  Change change = with_new_epoch(state);
  SlicePolicy& policy = *find(change.next.policy, slice);
  move(change, policy, Stage::promoted, 0, author.at_unix_ms);
  change.audit.push_back(entry(author, "promote", slice, describe(**found), describe(policy), evidence));
  return change;
}

Result<Change> retire_slice(const ControlState& state, const std::string& slice, const Author& author,
                            const std::string& evidence) {
  const auto found = require_unlatched(state, slice);
  if (!found) return found.error();
  if ((*found)->stage != Stage::promoted) {
    return conflict(fmt::format("slice '{}' is at {}; only a promoted slice can be retired", slice, describe(**found)));
  }
  Change change = with_new_epoch(state);
  SlicePolicy& policy = *find(change.next.policy, slice);
  move(change, policy, Stage::retired, 0, author.at_unix_ms);
  change.audit.push_back(entry(author, "retire", slice, describe(**found), describe(policy), evidence));
  return change;
}

Result<Change> kill_slice(const ControlState& state, const std::string& slice, const std::string& kill_id,
                          const Author& author) {
  if (slice != "*") {
    const auto found = require_slice(state, slice);
    if (!found) return found.error();
    if (!can_be_killed((*found)->stage)) {
      return conflict(
          fmt::format("slice '{}' is in stage {}: {}", slice, to_string((*found)->stage),
                      (*found)->stage == Stage::retired ? "there is no way back" : "legacy serves it already"));
    }
  }
  Change change = with_new_epoch(state);
  for (SlicePolicy& policy : change.next.policy.slices) {
    if (slice != "*" && policy.name != slice) continue;
    if (!can_be_killed(policy.stage)) {
      change.notes.push_back(fmt::format("slice '{}' stays {}", policy.name, to_string(policy.stage)));
      continue;
    }
    const std::string from = describe(policy);
    pull(change, policy, author.at_unix_ms);
    // One latch per slice, so that each can be reset by itself.
    change.next.policy.latches.push_back({slice == "*" ? kill_id + "/" + policy.name : kill_id, policy.name,
                                          author.reason, author.by, author.at_unix_ms});
    change.audit.push_back(entry(author, "kill", policy.name, from, describe(policy)));
  }
  if (change.audit.empty())
    return conflict("no slice can be killed: " + fmt::format("{}", fmt::join(change.notes, "; ")));
  return change;
}

Result<Change> reset_slice(const ControlState& state, const std::string& slice, const Author& author) {
  const auto found = require_slice(state, slice);
  if (!found) return found.error();
  if (state.latch_on(slice) == nullptr) return conflict(fmt::format("slice '{}' carries no latch", slice));
  Change change = with_new_epoch(state);
  TrafficPolicy& policy = change.next.policy;
  std::vector<KillLatch> kept;
  for (const KillLatch& latch : policy.latches) {
    if (latch.slice != slice && latch.slice != "*") {
      kept.push_back(latch);
      continue;
    }
    policy.resets.push_back({latch.kill_id, author.by, author.reason});
    if (latch.slice != "*") continue;
    // A latch on everything, made at a gateway: the other slices stay latched, each by itself.
    for (const SlicePolicy& other_slice : policy.slices) {
      if (other_slice.name == slice || !can_be_killed(other_slice.stage)) continue;
      KillLatch narrowed = latch;
      narrowed.kill_id += "/" + other_slice.name;
      narrowed.slice = other_slice.name;
      kept.push_back(narrowed);
    }
  }
  policy.latches = std::move(kept);
  if (policy.resets.size() > kMaxResets) policy.resets.erase(policy.resets.begin(), policy.resets.end() - kMaxResets);
  // Evidence from before the reset must not count again, although stage and weight stay.
  SlicePolicy& reset = *find(policy, slice);
  reset.rung = policy.epoch;
  change.next.slices[slice].changed_at_unix_ms = author.at_unix_ms;
  auto& pause = change.next.slices[slice].pause;
  if (pause && pause->by_system) pause.reset();
  change.audit.push_back(entry(author, "reset", slice, describe(**found) + " (latched)", describe(reset)));
  return change;
}

}  // namespace phoenix::orchestrator
