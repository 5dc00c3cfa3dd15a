#include "orchestrator/status_document.hpp"

#include <nlohmann/json.hpp>

#include "core/events/foreign_changes_json.hpp"
#include "core/model/consistency_score.hpp"

namespace phoenix::orchestrator {
namespace {

using nlohmann::json;

std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

double percent(std::uint32_t basis_points) {
  return basis_points / 100.0;
}
std::int64_t ms(std::chrono::nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

json class_json(const ScoreEvent::Class& counts, double per_second, const config::RampConfig& ramp) {
  const double alpha = alpha_per_rung(ramp);
  return {{"units", counts.units.units},
          {"unit_mismatches", counts.units.mismatches},
          {"exchanges", counts.exchanges.units},
          {"exchange_mismatches", counts.exchanges.mismatches},
          {"mismatch_rate_upper", mismatch_rate_upper(counts.units, alpha)},
          {"clean_units_needed", clean_units_needed(counts.units, ramp.p0, alpha)},
          {"units_per_second", per_second}};
}

json score_json(const Evidence& evidence, std::uint64_t rung, const config::RampConfig& ramp) {
  if (!evidence.score) return nullptr;
  const ScoreEvent& score = *evidence.score;
  const std::uint64_t due = score.received > score.excluded ? score.received - score.excluded : 0;
  return {{"rung", score.rung},
          {"of_this_rung", score.rung == rung},
          {"age_ms", evidence.score_age ? json(ms(*evidence.score_age)) : json(nullptr)},
          {"stale", !evidence.score_age || *evidence.score_age > ramp.max_score_age},
          {"score", score.score},
          {"lower", score.score_lower},
          {"coverage", score.coverage},
          {"due", due},
          {"received", score.received},
          {"excluded", score.excluded},
          {"decided", score.decided},
          {"pending", score.pending},
          {"unknown", score.unknown},
          {"balance_mismatches", score.confirmed_balance_mismatches},
          {"split_keys", score.split_keys},
          {"foreign_unpaired", foreign_changes_json<json>(score.foreign_unpaired)},
          {"cusum_tripped", score.cusum_tripped},
          {"trip_reason", score.trip_reason},
          {"drift_minor_units", score.drift_minor_units},
          {"reads", class_json(score.reads, evidence.reads_per_second, ramp)},
          {"writes", class_json(score.writes, evidence.writes_per_second, ramp)}};
}

json latch_json(const KillLatch& latch) {
  return {{"kill_id", latch.kill_id},
          {"slice", latch.slice},
          {"by", latch.by},
          {"reason", latch.reason},
          {"at_unix_ms", latch.at_unix_ms}};
}

json steps_json(const config::RampConfig& ramp) {
  json steps = json::array();
  for (const auto step : ramp.steps_basis_points) steps.push_back(percent(step));
  return steps;
}

json slice_json(const config::Config& config, const StatusInput& input, const SlicePolicy& slice) {
  const ControlState& state = input.policy.state;
  const SliceControl& control = state.control(slice.name);
  json document{{"name", slice.name},
                {"stage", to_string(slice.stage)},
                {"weight", percent(slice.weight_basis_points)},
                {"rung", slice.rung},
                {"changed_at_unix_ms", control.changed_at_unix_ms},
                {"approved_by", control.approved_by},
                {"latches", json::array()},
                {"pause", nullptr},
                {"next_step", nullptr},
                {"decision", nullptr},
                {"score", nullptr}};
  if (control.pause) {
    document["pause"] = {
        {"by", control.pause->by}, {"reason", control.pause->reason}, {"by_system", control.pause->by_system}};
  }
  for (const auto& latch : state.policy.latches) {
    if (latch.slice == slice.name || latch.slice == "*") document["latches"].push_back(latch_json(latch));
  }
  if (const auto next = next_step(slice, config.orchestrator.ramp)) document["next_step"] = percent(*next);
  if (const auto decision = input.decisions.find(slice.name); decision != input.decisions.end()) {
    document["decision"] = {{"outcome", to_string(decision->second.outcome)}, {"reason", decision->second.reason}};
  }
  if (const auto evidence = input.evidence.find(slice.name); evidence != input.evidence.end()) {
    document["score"] = score_json(evidence->second, slice.rung, config.orchestrator.ramp);
  }
  return document;
}

json gateway_json(const GatewayView& view) {
  json slices = json::array();
  for (const auto& slice : view.status.slices) {
    slices.push_back(
        {{"name", slice.name}, {"stage", to_string(slice.stage)}, {"weight", percent(slice.weight_basis_points)}});
  }
  json latches = json::array();
  for (const auto& latch : view.status.latches) latches.push_back(latch_json(latch));
  return {{"gateway", view.status.gateway},
          {"live", view.live},
          {"age_ms", ms(view.age)},
          {"applied_epoch", view.status.applied_epoch},
          {"lease_live", view.status.lease_live},
          {"draining", view.status.draining},
          {"slices", slices},
          {"latches", latches},
          {"backlog", view.status.backlog},
          {"backend_up", view.status.backend_up},
          {"served", view.status.served},
          {"serving_errors", view.status.serving_errors},
          {"keys_behind", view.status.keys_behind},
          {"keys_tainted", view.status.keys_tainted}};
}

/// What a person must look at now.
json alarms_json(const StatusInput& input) {
  json alarms = json::array();
  for (const auto& [slice, decision] : input.decisions) {
    if (decision.reason.rfind("rollback_unsafe", 0) == 0)
      alarms.push_back({{"slice", slice}, {"alarm", decision.reason}});
  }
  const auto& state = input.policy.state;
  for (const auto& slice : state.policy.slices) {
    const auto& pause = state.control(slice.name).pause;
    if (pause && pause->by_system) alarms.push_back({{"slice", slice.name}, {"alarm", pause->reason}});
  }
  return alarms;
}

}  // namespace

std::string status_document(const config::Config& config, const StatusInput& input) {
  const TrafficPolicy& policy = input.policy.state.policy;
  json slices = json::array();
  for (const auto& slice : policy.slices) slices.push_back(slice_json(config, input, slice));
  json gateways = json::array();
  for (const auto& view : input.gateways) gateways.push_back(gateway_json(view));
  const auto& published = input.policy.published_at;
  return dump({{"migration", config.migration_name},
               {"leading", input.policy.leading},
               {"standby_reason", input.policy.standby_reason},
               {"epoch", policy.epoch},
               {"renewal", policy.renewal},
               {"ttl_ms", policy.ttl.count()},
               {"published_age_ms", published ? json(ms(input.now - *published)) : json(nullptr)},
               {"plan",
                {{"steps", steps_json(config.orchestrator.ramp)},
                 {"p0", config.orchestrator.ramp.p0},
                 {"alpha", config.orchestrator.ramp.alpha},
                 {"min_coverage", config.orchestrator.ramp.min_coverage}}},
               {"slices", slices},
               {"gateways", gateways},
               {"alarms", alarms_json(input)},
               {"config_hash", config.hash}});
}

std::string slice_document(const config::Config& config, const StatusInput& input, const std::string& slice) {
  const SlicePolicy* policy = input.policy.state.policy.find(slice);
  return policy == nullptr ? "" : dump(slice_json(config, input, *policy));
}

}  // namespace phoenix::orchestrator
