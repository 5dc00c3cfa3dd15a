// The HTTP surface: /api/v1/, health, readiness and metrics. Handlers parse and answer; the work is done elsewhere.
#pragma once

#include "core/events/event_log.hpp"
#include "core/http/server.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/config.hpp"
#include "orchestrator/arbiter_reader.hpp"
#include "orchestrator/evidence_board.hpp"
#include "orchestrator/person_actions.hpp"
#include "orchestrator/policy_authority.hpp"
#include "orchestrator/rollout_loop.hpp"

namespace phoenix::orchestrator {

/// What the handlers look at; everything in it is thread-safe and outlives the server.
struct ApiParts {
  const config::Config& config;
  const Clock& clock;
  EvidenceBoard& board;
  PolicyAuthority& authority;
  RolloutLoop& loop;
  PersonActions& actions;
  const ArbiterReader& arbiter;
  Producer& producer;
};

http::Handler make_api(const ApiParts& parts);

}  // namespace phoenix::orchestrator
