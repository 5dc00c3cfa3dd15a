#include "orchestrator/metrics_page.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "core/telemetry/metrics.hpp"

namespace phoenix::orchestrator {
namespace {

const std::string kPrefix = "phoenix_orchestrator_";
constexpr std::array kStages{Stage::bypass, Stage::shadow, Stage::canary, Stage::promoted, Stage::retired};
constexpr std::array kOutcomes{Outcome::promote, Outcome::hold, Outcome::insufficient_evidence, Outcome::trip,
                               Outcome::freeze};
constexpr std::array kKillCauses{"score", "serving_errors", "gateway", "person"};

using Counts = std::map<std::pair<std::string, std::string>, std::uint64_t>;

double count_of(const Counts& counts, const std::string& slice, const std::string& what) {
  const auto it = counts.find({slice, what});
  return it == counts.end() ? 0 : static_cast<double>(it->second);
}

/// Never heard of is older than any bound, not young.
double score_age_seconds(const StatusInput& input, const std::string& slice) {
  const auto evidence = input.evidence.find(slice);
  if (evidence == input.evidence.end() || !evidence->second.score_age) return std::numeric_limits<double>::infinity();
  return std::chrono::duration<double>(*evidence->second.score_age).count();
}

void slice_metrics(telemetry::Page& page, const StatusInput& input, const SlicePolicy& slice) {
  const telemetry::Labels labels{{"slice", slice.name}};
  for (const Stage stage : kStages) {
    page.gauge(kPrefix + "stage", "1 for the stage a slice is in",
               {{"slice", slice.name}, {"stage", std::string(to_string(stage))}}, slice.stage == stage ? 1 : 0);
  }
  page.gauge(kPrefix + "weight_ratio", "Share of keys whose target side is modern, in stage canary", labels,
             slice.weight_basis_points / 10'000.0);
  const ControlState& state = input.policy.state;
  page.gauge(kPrefix + "killed", "1 while the policy holds a kill latch on the slice", labels,
             state.latch_on(slice.name) != nullptr ? 1 : 0);
  const auto& pause = state.control(slice.name).pause;
  page.gauge(kPrefix + "paused", "1 while raises wait: a person paused, or the orchestrator froze",
             {{"slice", slice.name}, {"by", "person"}}, pause && !pause->by_system ? 1 : 0);
  page.gauge(kPrefix + "paused", "", {{"slice", slice.name}, {"by", "system"}}, pause && pause->by_system ? 1 : 0);
  page.gauge(kPrefix + "score_age_seconds", "Since the arbiter's event time last advanced; +Inf: never heard", labels,
             score_age_seconds(input, slice.name));
}

void decision_metrics(telemetry::Page& page, const std::string& slice, const LoopCounters& counters) {
  for (const Outcome outcome : kOutcomes) {
    const std::string name(to_string(outcome));
    page.counter(kPrefix + "decisions_total", "Decisions of the planner", {{"slice", slice}, {"decision", name}},
                 count_of(counters.decisions, slice, name));
  }
  for (const char* cause : kKillCauses) {
    page.counter(kPrefix + "kills_total", "Kills by what tripped them", {{"slice", slice}, {"cause", cause}},
                 count_of(counters.kills, slice, cause));
  }
}

}  // namespace

std::string metrics_page(const config::Config& config, const StatusInput& input, const LoopCounters& counters) {
  telemetry::Page page;
  page.gauge(kPrefix + "is_leader", "1 when this process may change the traffic policy", {},
             input.policy.leading ? 1 : 0);
  const TrafficPolicy& policy = input.policy.state.policy;
  page.gauge(kPrefix + "policy_epoch", "Epoch of the traffic policy", {}, static_cast<double>(policy.epoch));
  const auto live = std::count_if(input.gateways.begin(), input.gateways.end(), [](const auto& g) { return g.live; });
  page.gauge(kPrefix + "live_gateways", "Gateways whose heartbeat arrives", {}, static_cast<double>(live));
  page.gauge(kPrefix + "plan_mismatch_limit_ratio", "The plan's p0: the mismatch rate that the ramp tests against", {},
             config.orchestrator.ramp.p0);
  page.gauge(kPrefix + "plan_min_coverage_ratio", "The plan's least coverage for a raise", {},
             config.orchestrator.ramp.min_coverage);
  for (const auto& slice : policy.slices) slice_metrics(page, input, slice);
  for (const auto& slice : policy.slices) decision_metrics(page, slice.name, counters);
  page.counter(kPrefix + "malformed_events_total", "Events that could not be read and were set aside", {},
               static_cast<double>(counters.malformed_events));
  return page.render();
}

}  // namespace phoenix::orchestrator
