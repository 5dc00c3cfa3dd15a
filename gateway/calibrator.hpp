// What differs from itself is noise: a sampled share of the compared reads is sent to legacy once more when their
// exchange is over, and both of legacy's answers are published, for the arbiter to find fields that change from one
// answer to the next (timestamps, generated ids) and to propose rules for them. No client waits for it; on one event
// loop one repeat is under way at a time, and what comes in between is not repeated.
#pragma once

#include "gateway/asio.hpp"
#include "gateway/exchange.hpp"

namespace phoenix::gateway {

class EventLoop;
class Upstream;

class Calibrator {
 public:
  explicit Calibrator(EventLoop& loop) : loop_(loop) {}

  /// An exchange whose legs are over and whose event has not been published yet. On its loop; costs a comparison where
  /// its route does not calibrate.
  void consider(const Exchange& exchange);

 private:
  [[nodiscard]] bool is_drawn(const Exchange& exchange) const;
  /// The same request under an exchange id of its own, with legacy's answer as its first; null where it cannot be had.
  [[nodiscard]] ExchangePtr repeat_of(const Exchange& exchange);
  Awaitable<void> run(ExchangePtr repeat);
  Awaitable<bool> ask_again(Exchange& repeat, Upstream& upstream);

  EventLoop& loop_;
  bool busy_ = false;
};

}  // namespace phoenix::gateway
