#include "gateway/circuit_breaker.hpp"

namespace phoenix::gateway {
namespace {

CircuitBreaker::Time::rep ticks(CircuitBreaker::Time at) {
  return at.time_since_epoch().count();
}

}  // namespace

CircuitBreaker::Pass CircuitBreaker::enter(const Limits& limits, Time now) {
  if (limits.failures == 0) return Pass::normal;
  const Time::rep until = open_until_.load();
  if (until == kClosed) return Pass::normal;
  if (ticks(now) < until || trial_.exchange(true)) return Pass::refused;
  // Another trial may have ended between the two steps.
  const Time::rep again = open_until_.load();
  if (again == until) return Pass::trial;
  trial_.store(false);
  return again == kClosed ? Pass::normal : Pass::refused;
}

void CircuitBreaker::succeeded(Pass pass) {
  if (pass == Pass::trial) {
    failures_.store(0);
    open_until_.store(kClosed);
    trial_.store(false);
  } else if (failures_.load(std::memory_order_relaxed) != 0) {
    failures_.store(0, std::memory_order_relaxed);
  }
}

void CircuitBreaker::failed(const Limits& limits, Pass pass, Time now) {
  const Time::rep until = ticks(now + limits.open);
  if (pass == Pass::trial) {
    open_until_.store(until);
    trial_.store(false);
  } else if (limits.failures > 0 && failures_.fetch_add(1) + 1 >= limits.failures) {
    // Requests that went before it opened and fail now do not hold it open longer.
    Time::rep closed = kClosed;
    open_until_.compare_exchange_strong(closed, until);
  }
}

void CircuitBreaker::abandoned(Pass pass) {
  if (pass == Pass::trial) trial_.store(false);
}

CircuitBreaker::State CircuitBreaker::state(Time now) const {
  const Time::rep until = open_until_.load();
  if (until == kClosed) return State::closed;
  return ticks(now) < until ? State::open : State::half_open;
}

void CircuitBreaker::reset() {
  failures_.store(0);
  open_until_.store(kClosed);
}

}  // namespace phoenix::gateway
