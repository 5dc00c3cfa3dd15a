// Keeps requests away from a backend that only fails. closed -> open after so many failures in a row; after a while
// half-open: one request tries, and its outcome closes or opens it again.
// Shared by all event loops without a lock: while it is closed and nothing fails, it is only read.
#pragma once

#include <atomic>
#include <chrono>

#include "core/runtime/config.hpp"

namespace phoenix::gateway {

class CircuitBreaker {
 public:
  using Limits = config::BackendConfig::CircuitBreaker;
  using Time = std::chrono::steady_clock::time_point;
  enum class State { closed, open, half_open };
  enum class Pass { refused, normal, trial };

  /// May a request go? Whoever got a pass says in the end how it went: once, with the same pass.
  Pass enter(const Limits& limits, Time now);
  void succeeded(Pass pass);
  void failed(const Limits& limits, Pass pass, Time now);
  /// It ended without telling anything about the backend: a trial leaves its place to the next.
  void abandoned(Pass pass);

  [[nodiscard]] State state(Time now) const;
  /// Closed, as if nothing had been.
  void reset();

 private:
  static constexpr Time::rep kClosed = 0;
  std::atomic<int> failures_{0};  // in a row, while closed
  std::atomic<Time::rep> open_until_{kClosed};
  std::atomic<bool> trial_{false};  // the one request is under way
};

}  // namespace phoenix::gateway
