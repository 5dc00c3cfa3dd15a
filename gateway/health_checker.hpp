// Active health checks of one backend: a GET to each endpoint at an interval, on a connection of its own. One event
// loop of the process does it for all.
#pragma once

#include <memory>
#include <vector>

#include "gateway/dialer.hpp"

namespace phoenix::gateway {

class HealthChecker {
 public:
  /// Starts at once. Nothing is done for a backend without health_check.path.
  HealthChecker(asio::io_context& io, DeadlineSweep& sweep, const BackendStatePtr& backend,
                const std::shared_ptr<TlsContext>& tls);
  /// Checks under way end unheard.
  ~HealthChecker();
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;

 private:
  struct Check;
  static Awaitable<void> run(std::shared_ptr<Check> check);
  static Awaitable<bool> ask(Check& check);
  std::vector<std::shared_ptr<Check>> checks_;
};

}  // namespace phoenix::gateway
