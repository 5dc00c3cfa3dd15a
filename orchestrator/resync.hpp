// Brings one account over from the side that served its last write, safely against the stream: only while no write of
// it is under way at any gateway, in a transaction that fails when somebody else moves the row, and read again on both
// sides before the gateways are told that the side has all again. Recorded in the audit.
#pragma once

#include <string>

#include "core/events/event_log.hpp"
#include "core/http/server.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/config.hpp"
#include "orchestrator/policy_authority.hpp"

namespace phoenix::orchestrator {

struct ResyncParts {
  const config::Config& config;
  const Clock& clock;
  PolicyAuthority& authority;
  Producer& producer;  ///< tells the arbiter
};

/// POST /api/v1/slices/{name}/resync: {"key", "by", "reason", "from": "legacy" | "modern", "apply": true}. Without
/// `apply` nothing is changed: the answer says what would be. Blocks for some seconds at most. Any thread.
http::Response resync(const ResyncParts& parts, const std::string& slice, const std::string& body);

}  // namespace phoenix::orchestrator
