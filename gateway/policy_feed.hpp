// The gateway's link to its control plane: reads policies from `routing-control`, sends heartbeats to `gateway-status`,
// and lets leases lapse. One thread of its own: the event log may block.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "core/events/control_events.hpp"
#include "core/events/event_log.hpp"
#include "gateway/policy_store.hpp"

namespace phoenix::gateway {

class PolicyFeed {
 public:
  /// `status` is called from the feed's thread.
  PolicyFeed(PolicyStore& policy, EventLog& log, Producer& producer, std::function<GatewayStatus()> status);
  ~PolicyFeed();
  void start();
  void stop();
  /// A change worth telling at once; the next heartbeat does not wait for its second. Any thread.
  void announce() { announce_ = true; }

 private:
  void run();
  void apply(const LogRecord& record);
  Result<void> apply_guarded(const TrafficPolicy& policy, PolicySource source);
  PolicyStore& policy_;
  EventLog& log_;
  Producer& producer_;
  std::function<GatewayStatus()> status_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> announce_{true};
  std::int64_t live_from_ = -1;  // records before this offset were in the log at start
  std::thread thread_;
};

}  // namespace phoenix::gateway
