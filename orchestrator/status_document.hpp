// The status document of GET /api/v1/status: what phoenixctl and Mission Control show. Pure: views in, JSON text out.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "core/runtime/config.hpp"
#include "orchestrator/evidence_board.hpp"
#include "orchestrator/policy_authority.hpp"
#include "orchestrator/rollout_planner.hpp"

namespace phoenix::orchestrator {

struct StatusInput {
  PolicyView policy;
  std::chrono::nanoseconds now{0};  ///< monotonic
  std::map<std::string, Decision> decisions;
  std::map<std::string, Evidence> evidence;
  std::vector<GatewayView> gateways;
};

/// All of it, or one slice's part. The latter is empty when there is no such slice.
std::string status_document(const config::Config& config, const StatusInput& input);
std::string slice_document(const config::Config& config, const StatusInput& input, const std::string& slice);

}  // namespace phoenix::orchestrator
