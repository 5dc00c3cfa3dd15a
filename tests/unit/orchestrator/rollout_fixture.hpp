// A slice that may rise: every condition met. Tests take one away.
#pragma once

#include "orchestrator/rollout_planner.hpp"

namespace phoenix::orchestrator {

struct RaisableSlice {
  ControlState state;
  SliceFacts facts{true, true, ""};
  Evidence evidence;
  config::RampConfig ramp;

  RaisableSlice() {
    ramp.p0 = 0.01;
    ramp.alpha = 0.05;
    state.policy.epoch = 7;
    state.policy.slices.push_back({"payments", Stage::canary, 500, 7});
    state.slices["payments"];
    evidence.at_rung = std::chrono::minutes(1);
    evidence.live_gateways.push_back(gateway("gw-1"));
    set_score(5'000, 0);
    evidence.score_age = std::chrono::milliseconds(400);
  }

  SlicePolicy& slice() { return state.policy.slices.front(); }

  [[nodiscard]] GatewayStatus gateway(const std::string& id) const {
    GatewayStatus status;
    status.gateway = id;
    status.incarnation = "1";
    status.applied_epoch = state.policy.epoch;
    status.lease_live = true;
    status.slices = state.policy.slices;
    status.backlog = {{"legacy", 0}, {"modern", 3}};
    status.backend_up = {{"legacy", true}, {"modern", true}};
    return status;
  }

  void set_score(std::uint64_t units, std::uint64_t mismatches) {
    ScoreEvent score;
    score.slice = "payments";
    score.rung = slice().rung;
    score.reads.units = score.reads.exchanges = {units, mismatches};
    score.writes.units = score.writes.exchanges = {units, mismatches};
    score.score = 1;
    score.coverage = 1;
    score.received = score.decided = units * 2;
    score.event_time_us = 1;
    evidence.score = score;
  }

  [[nodiscard]] Decision decide() const { return plan(state, "payments", facts, evidence, ramp); }
};

}  // namespace phoenix::orchestrator
