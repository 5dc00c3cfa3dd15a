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
  /// Reads the configuration file again and applies its section `gateway` to requests whose head is complete from here
  /// on; connections and exchanges under way go on. Whole or not at all: `invalid_input` for a configuration that is
  /// not valid or needs a restart, `conflict` where the state of the gateway forbids it now. Both are logged. Any
  /// thread but an event loop's.
  Result<void> reload();
  /// Not ready from here on (/readyz, heartbeat), but serving as before: what stands in front has time to notice.
  void announce_drain();
  /// gateway.drain of the configuration in force.
  [[nodiscard]] config::GatewayConfig::Drain drain() const;
  /// Stops accepting, closes idle connections, lets exchanges and shadow legs finish for at most `deadline`, counts
  /// what is left as dropped.
  void drain_and_stop(std::chrono::milliseconds deadline);

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::uint16_t admin_port() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::gateway
