// Requests straight to the gateways' admin ports, all at once.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/runtime/config.hpp"

namespace phoenix::orchestrator {

struct GatewayReply {
  std::string gateway;  ///< its admin address
  bool acknowledged = false;
  std::string detail;  ///< what it answered, or why it could not be asked
};

/// POSTs `body` to `target` of every gateway at the same time and returns when each has answered or `timeout` is over,
/// in the order of `gateways`. `done` is the detail of those that answered 2xx.
std::vector<GatewayReply> post_to_gateways(const std::vector<config::Endpoint>& gateways, const std::string& target,
                                           const std::string& body, const std::string& done,
                                           std::chrono::milliseconds timeout);

}  // namespace phoenix::orchestrator
