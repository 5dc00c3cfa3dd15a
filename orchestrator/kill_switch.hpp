// The second path of a kill: straight to the gateways' admin ports, beside the policy. Needs no event log, no database
// and no orchestrator; `phoenixctl kill --direct` uses the same function.
#pragma once

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "core/runtime/bounded_queue.hpp"
#include "core/runtime/config.hpp"
#include "orchestrator/gateway_calls.hpp"

namespace phoenix::orchestrator {

struct KillOrder {
  std::string slice;  ///< or `*`
  std::string reason;
  std::string by;
  std::string kill_id = {};  ///< the latch's, where one is set already; empty: each gateway mints one
};

using KillReply = GatewayReply;

/// Asks all gateways at once and returns when each has answered or `timeout` is over.
std::vector<KillReply> kill_gateways(const std::vector<config::Endpoint>& gateways, const KillOrder& order,
                                     std::chrono::milliseconds timeout);

/// Sends kill orders in the background: the rollout loop must not wait for a gateway that hangs.
class KillSwitch {
 public:
  explicit KillSwitch(std::vector<config::Endpoint> gateways);
  ~KillSwitch();
  KillSwitch(const KillSwitch&) = delete;
  KillSwitch& operator=(const KillSwitch&) = delete;

  /// Best effort; the policy is the first path. Any thread.
  void send(KillOrder order);

 private:
  void run();

  const std::vector<config::Endpoint> gateways_;
  BoundedQueue<KillOrder> orders_;
  std::thread thread_;
};

}  // namespace phoenix::orchestrator
