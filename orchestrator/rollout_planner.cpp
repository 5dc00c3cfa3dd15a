#include "orchestrator/rollout_planner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/model/consistency_score.hpp"
#include "core/model/decimal.hpp"

namespace phoenix::orchestrator {
namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using Reason = std::optional<Obstacle>;

Reason hold(std::string reason) {
  return Obstacle{Outcome::hold, std::move(reason)};
}
Reason thin(std::string reason) {
  return Obstacle{Outcome::insufficient_evidence, std::move(reason)};
}

std::string seconds_text(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", std::max(1.0, seconds));
  if (seconds < 90 * 60) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

Reason score_is_usable(const SlicePolicy& slice, const Evidence& evidence, const config::RampConfig& ramp) {
  if (!evidence.score) return hold("no score from the arbiter yet");
  const ScoreEvent& score = *evidence.score;
  if (score.rung != slice.rung) {
    return hold(fmt::format("the arbiter's score is of rung {}, this rung is {}", score.rung, slice.rung));
  }
  if (!evidence.score_age) return hold("the arbiter's event time has not been seen to advance yet");
  if (*evidence.score_age > ramp.max_score_age) {
    return hold(fmt::format("the score is stale: no news for {}",
                            seconds_text(std::chrono::duration<double>(*evidence.score_age).count())));
  }
  return {};
}

/// The arbiter cannot miss what it never heard of; the gateways can tell.
Reason nothing_was_lost(const Evidence& evidence) {
  if (evidence.lost_events == 0) return {};
  return hold(fmt::format(
      "{} exchanges of this rung were lost before they could be compared (event log full, or their gateway died); "
      "another weight, set by hand, starts a new rung",
      evidence.lost_events));
}

/// Two gateways that write one key may have given both backends another order of its writes. That is no fault of
/// modern's, so it trips nothing; but what was compared meanwhile proves little.
Reason keys_had_one_gateway(const ScoreEvent& score) {
  if (score.split_keys == 0) return {};
  return hold(
      fmt::format("at this rung {} {} written through two gateways within 60 s, so the order of writes is not "
                  "known (table arbiter.split_keys); another weight, set by hand, starts a new rung",
                  score.split_keys, score.split_keys == 1 ? "key was" : "keys were"));
}

std::string amounts_text(const std::map<std::string, std::int64_t>& minor_units) {
  std::string text;
  for (const auto& [currency, minor] : minor_units) {
    text += text.empty() ? "" : ", ";
    text += currency + " " + format_minor(minor, minor_unit_digits(currency));
  }
  return text;
}

/// Ledgers that somebody changes on one side alone drift apart whatever modern does: no fault of its, so it trips
/// nothing.
Reason nobody_else_posted(const ScoreEvent& score) {
  for (const Side side : {Side::legacy, Side::modern}) {
    const ForeignChanges& changes = score.foreign_unpaired[static_cast<std::size_t>(index(side))];
    if (changes.count == 0) continue;
    return hold(fmt::format(
        "foreign_unpaired: at this rung {} was changed outside Phoenix {} {} ({}) without a counterpart on {}: have it "
        "posted there too or repair the accounts (phoenixctl resync), declare a job that runs on both under "
        "arbiter.jobs; another weight, set by hand, starts a new rung",
        to_string(side), changes.count, changes.count == 1 ? "time" : "times", amounts_text(changes.minor_units),
        to_string(other(side))));
  }
  return {};
}

/// Decided against what had to be decided, from the counts as well as as reported: the smaller one counts.
Reason coverage_suffices(const ScoreEvent& score, const config::RampConfig& ramp) {
  if (score.received <= score.excluded) return thin("nothing was compared at this rung yet");
  const double due = static_cast<double>(score.received - score.excluded);
  const double coverage = std::min(score.coverage, static_cast<double>(score.decided) / due);
  if (!(coverage >= ramp.min_coverage)) {  // also refuses NaN
    return thin(fmt::format("coverage {:.2f} % is below {:.2f} % ({} unknown, {} pending)", coverage * 100,
                            ramp.min_coverage * 100, score.unknown, score.pending));
  }
  if (static_cast<double>(score.unknown) > (1 - ramp.min_coverage) * due) {
    return thin(fmt::format("{} exchanges are unknown, more than coverage {:.2f} % allows", score.unknown,
                            ramp.min_coverage * 100));
  }
  return {};
}

Reason class_suffices(const char* name, const ScoreEvent::Class& counts, double per_second,
                      const config::RampConfig& ramp) {
  const double alpha = alpha_per_rung(ramp);
  if (counts.units.mismatches > counts.units.units)
    return hold(fmt::format("the score of {} contradicts itself", name));
  if (mismatch_rate_upper(counts.units, alpha) <= ramp.p0) return {};
  const std::uint64_t needed = std::max<std::uint64_t>(1, clean_units_needed(counts.units, ramp.p0, alpha));
  std::string text = fmt::format("{}: {} more clean units", name, needed);
  if (per_second > 0) text += fmt::format(", about {} to go", seconds_text(static_cast<double>(needed) / per_second));
  return thin(std::move(text));
}

/// The class that needs longer decides what is shown.
Reason classes_suffice(const SliceFacts& facts, const Evidence& evidence, const config::RampConfig& ramp) {
  Reason reads, writes;
  if (facts.reads) reads = class_suffices("reads", evidence.score->reads, evidence.reads_per_second, ramp);
  if (facts.writes) writes = class_suffices("writes", evidence.score->writes, evidence.writes_per_second, ramp);
  if (reads && writes)
    return Obstacle{std::min(reads->outcome, writes->outcome), reads->reason + "; " + writes->reason};
  return reads ? reads : writes;
}

std::uint64_t value_or_zero(const std::map<std::string, std::uint64_t>& counts, const char* backend) {
  const auto it = counts.find(backend);
  return it == counts.end() ? 0 : it->second;
}

Reason gateway_agrees(const GatewayStatus& gateway, const SlicePolicy& slice, std::uint64_t epoch,
                      const PlannerLimits& limits) {
  if (gateway.applied_epoch != epoch) {
    return hold(fmt::format("gateway {} has applied epoch {}, not {}", gateway.gateway, gateway.applied_epoch, epoch));
  }
  if (!gateway.lease_live) return hold(fmt::format("gateway {} has no live lease", gateway.gateway));
  const auto effective =
      std::find_if(gateway.slices.begin(), gateway.slices.end(), [&](const auto& s) { return s.name == slice.name; });
  if (effective == gateway.slices.end())
    return hold(fmt::format("gateway {} does not know the slice", gateway.gateway));
  if (effective->stage != slice.stage || effective->weight_basis_points != slice.weight_basis_points) {
    return hold(fmt::format("gateway {} serves {}, not {}", gateway.gateway, describe(*effective), describe(slice)));
  }
  for (const char* backend : {"legacy", "modern"}) {
    const auto waiting = value_or_zero(gateway.backlog, backend);
    if (waiting > limits.max_backlog) {
      return hold(fmt::format("gateway {}: {} shadow legs wait for {}", gateway.gateway, waiting, backend));
    }
  }
  return {};
}

/// Empty when rolling back to legacy is known to be safe.
std::string unsafe_to_roll_back(const Evidence& evidence, const PlannerLimits& limits) {
  if (evidence.live_gateways.empty()) return "no gateway reports, so whether legacy is reachable is not known";
  for (const auto& gateway : evidence.live_gateways) {
    const auto up = gateway.backend_up.find("legacy");
    if (up == gateway.backend_up.end() || !up->second) {
      return fmt::format("gateway {} does not reach legacy", gateway.gateway);
    }
    const auto behind = value_or_zero(gateway.backlog, "legacy");
    if (behind > limits.max_behind)
      return fmt::format("gateway {}: legacy is {} exchanges behind", gateway.gateway, behind);
  }
  return {};
}

bool modern_serves(const SlicePolicy& slice) {
  return slice.stage == Stage::promoted || (slice.stage == Stage::canary && slice.weight_basis_points > 0);
}

struct TripCause {
  std::string cause;
  std::string reason;
};

std::optional<TripCause> trip_cause(const SlicePolicy& slice, const Evidence& evidence, const PlannerLimits& limits) {
  // Bad news does not go stale: a trip counts for its rung however old the score is.
  if (evidence.score && evidence.score->rung == slice.rung) {
    if (!evidence.score->trip_reason.empty()) return TripCause{"score", evidence.score->trip_reason};
    if (evidence.score->cusum_tripped) return TripCause{"score", "the mismatch rate rose above what the plan allows"};
  }
  if (!modern_serves(slice)) return {};
  const ServingErrors& serving = evidence.serving;
  const auto share = [](std::uint64_t errors, std::uint64_t served) {
    return errors == 0 ? 0.0 : static_cast<double>(errors) / static_cast<double>(std::max(served, errors));
  };
  const double modern = share(serving.modern_errors, serving.modern_served);
  const double legacy = share(serving.legacy_errors, serving.legacy_served);
  if (serving.modern_errors >= limits.min_modern_errors && modern > limits.max_modern_error_share &&
      modern > 2 * legacy) {
    return TripCause{"serving_errors",
                     fmt::format("modern failed {} of {} requests it served in the last {} s (legacy {} of {})",
                                 serving.modern_errors, std::max(serving.modern_served, serving.modern_errors),
                                 limits.error_window.count(), serving.legacy_errors, serving.legacy_served)};
  }
  return {};
}

std::optional<Decision> must_fall(const ControlState& state, const SlicePolicy& slice, const Evidence& evidence,
                                  const PlannerLimits& limits) {
  const auto cause = trip_cause(slice, evidence, limits);
  if (!cause) return {};
  // In stage shadow legacy serves already: the trip only latches and is always safe.
  const std::string unsafe = modern_serves(slice) ? unsafe_to_roll_back(evidence, limits) : "";
  if (unsafe.empty()) return Decision{Outcome::trip, cause->reason, Stage::shadow, 0, cause->cause};
  const std::string reason = fmt::format("rollback_unsafe: {}; it should fall because {}", unsafe, cause->reason);
  const auto& pause = state.control(slice.name).pause;
  const bool frozen = pause.has_value();  // by the system, or by a person whose pause must not be overwritten
  return Decision{frozen ? Outcome::hold : Outcome::freeze, reason, slice.stage, slice.weight_basis_points,
                  cause->cause};
}

/// What a person or the plan decided, apart from any evidence.
std::optional<Decision> waits_for_a_person(const ControlState& state, const SlicePolicy& slice,
                                           const config::RampConfig& ramp) {
  const auto decision = [](std::string reason) {
    return Decision{Outcome::hold, std::move(reason), Stage::shadow, 0, {}};
  };
  if (const auto* latch = state.latch_on(slice.name)) {
    return decision(fmt::format("latched by {}: {} (phoenixctl reset {})", latch->by, latch->reason, slice.name));
  }
  switch (slice.stage) {
    case Stage::bypass:
      return decision("stage bypass: legacy only, nothing is compared");
    case Stage::promoted:
      return decision(fmt::format("promoted; waiting for a person: phoenixctl retire {}", slice.name));
    case Stage::retired:
      return decision("retired: modern only");
    case Stage::shadow:
    case Stage::canary:
      break;
  }
  const auto& control = state.control(slice.name);
  if (control.pause && control.approved_by.empty()) {
    return decision(control.pause->by_system
                        ? "frozen: " + control.pause->reason
                        : fmt::format("paused by {}: {}", control.pause->by, control.pause->reason));
  }
  if (!next_step(slice, ramp)) {
    return decision(
        slice.weight_basis_points == 10'000
            ? fmt::format("waiting for a person: phoenixctl promote {}", slice.name)
            : fmt::format("the plan's last step is reached; waiting for a person: phoenixctl weight set {} PERCENT",
                          slice.name));
  }
  return {};
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::promote:
      return "promote";
    case Outcome::hold:
      return "hold";
    case Outcome::insufficient_evidence:
      return "insufficient_evidence";
    case Outcome::trip:
      return "trip";
    case Outcome::freeze:
      return "freeze";
  }
  return "hold";
}

std::optional<std::uint32_t> next_step(const SlicePolicy& slice, const config::RampConfig& ramp) {
  if (slice.stage != Stage::shadow && slice.stage != Stage::canary) return {};
  const std::uint32_t now = slice.stage == Stage::canary ? slice.weight_basis_points : 0;
  std::optional<std::uint32_t> next;
  for (const auto step : ramp.steps_basis_points) {
    if (step > now && step <= 10'000 && (!next || step < *next)) next = step;
  }
  return next;
}

double alpha_per_rung(const config::RampConfig& ramp) {
  return ramp.alpha / static_cast<double>(std::max<std::size_t>(1, ramp.steps_basis_points.size()));
}

std::string bound_to_shadow(const SliceFacts& facts, std::size_t live_gateways) {
  if (!facts.unfit.empty()) return facts.unfit;
  if (facts.writes && live_gateways > 1) {
    return fmt::format(
        "{} gateways are live and the slice has writes: keys have no owner among gateways, so order cannot be kept",
        live_gateways);
  }
  return {};
}

std::optional<Obstacle> obstacle_to_raise(const SlicePolicy& slice, std::uint64_t epoch, const SliceFacts& facts,
                                          const Evidence& evidence, const config::RampConfig& ramp,
                                          const PlannerLimits& limits) {
  if (auto bound = bound_to_shadow(facts, evidence.live_gateways.size()); !bound.empty()) return hold(std::move(bound));
  if (evidence.live_gateways.empty()) return hold("no gateway is live");
  for (const auto& gateway : evidence.live_gateways) {
    if (auto reason = gateway_agrees(gateway, slice, epoch, limits)) return reason;
  }
  if (auto reason = score_is_usable(slice, evidence, ramp)) return reason;
  if (auto reason = nothing_was_lost(evidence)) return reason;
  if (auto reason = keys_had_one_gateway(*evidence.score)) return reason;
  if (auto reason = nobody_else_posted(*evidence.score)) return reason;
  if (auto reason = coverage_suffices(*evidence.score, ramp)) return reason;
  if (auto reason = classes_suffice(facts, evidence, ramp)) return reason;
  if (evidence.at_rung < ramp.min_step) {
    return hold(fmt::format("at this rung for at least {} more",
                            seconds_text(std::chrono::duration<double>(ramp.min_step - evidence.at_rung).count())));
  }
  return {};
}

Decision plan(const ControlState& state, const std::string& slice_name, const SliceFacts& facts,
              const Evidence& evidence, const config::RampConfig& ramp, const PlannerLimits& limits) {
  const SlicePolicy* slice = state.policy.find(slice_name);
  if (slice == nullptr) return {Outcome::hold, "no such slice", Stage::shadow, 0, {}};
  const bool can_fall = slice->stage != Stage::bypass && slice->stage != Stage::retired && !state.latch_on(slice_name);
  if (can_fall) {
    if (auto decision = must_fall(state, *slice, evidence, limits)) return *decision;
  }
  if (auto decision = waits_for_a_person(state, *slice, ramp)) return *decision;
  if (auto obstacle = obstacle_to_raise(*slice, state.policy.epoch, facts, evidence, ramp, limits)) {
    return {obstacle->outcome, obstacle->reason, slice->stage, slice->weight_basis_points, {}};
  }
  const auto step = *next_step(*slice, ramp);
  return {Outcome::promote,
          fmt::format("mismatch rate at most {:g} % at this rung, coverage {:.2f} %", ramp.p0 * 100,
                      evidence.score->coverage * 100),
          Stage::canary,
          step,
          {}};
}

}  // namespace phoenix::orchestrator
