// What a person may ask of the orchestrator, as HTTP requests: weight, pause, resume, approve, promote, retire, kill,
// reset. Each carries `by`, and a kill or reset its `reason`; each ends in the audit record.
#pragma once

#include <string>

#include "core/http/server.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/config.hpp"
#include "orchestrator/evidence_board.hpp"
#include "orchestrator/policy_authority.hpp"
#include "orchestrator/rollout_loop.hpp"

namespace phoenix::orchestrator {

/// Thread-safe. Answers are JSON; refusals are problem JSON.
class PersonActions {
 public:
  PersonActions(const config::Config& config, const Clock& clock, EvidenceBoard& board, PolicyAuthority& authority,
                RolloutLoop& loop)
      : config_(config), clock_(clock), board_(board), authority_(authority), loop_(loop) {}

  /// `action`: weight | pause | resume | approve | promote | retire | kill | reset.
  http::Response act(const std::string& slice, const std::string& action, const std::string& body);
  /// `slice` may be `*`. Works without the lead and without the database: gateways are asked directly as well. Waits at
  /// most two seconds for their acknowledgement.
  http::Response kill(const std::string& slice, const std::string& body);

 private:
  struct Context;  // the parsed body
  Result<Change> transform(const ControlState& state, const std::string& slice, const std::string& action,
                           const Context& context);
  [[nodiscard]] std::string evidence_for(const ControlState& state, const std::string& slice, bool needs_evidence,
                                         bool one_step);

  const config::Config& config_;
  const Clock& clock_;
  EvidenceBoard& board_;
  PolicyAuthority& authority_;
  RolloutLoop& loop_;
};

}  // namespace phoenix::orchestrator
