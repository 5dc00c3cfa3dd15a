// The gateway as a whole: wires loops, listeners, policy, event log and admin, and takes it down in order.
#pragma once

#include <memory>

#include "core/events/control_events.hpp"
#include "core/events/event_log.hpp"
#include "core/runtime/config.hpp"
#include "gateway/policy_store.hpp"

namespace phoenix::gateway {

/// Everything /status, /metrics and the heartbeat show, summed over the loops at one instant.
struct GatewayReport;

class Gateway {
 public:
  /// Binds its ports and opens its state; throws Failure with one clear line. Nothing is served before start().
  Gateway(config::Config config, EventLog& event_log);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  void start();
  /// Stops accepting, lets exchanges and shadow legs finish for at most `deadline`, counts what is left as dropped.
  void drain_and_stop(std::chrono::milliseconds deadline);

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::uint16_t admin_port() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::gateway
