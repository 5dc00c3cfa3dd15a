// One event loop: a thread, its sockets, pools, shadow dispatchers, random source and counters. Nothing in it is shared
// but what GatewayContext names.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/events/event_log.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/config.hpp"
#include "gateway/accounting.hpp"
#include "gateway/asio.hpp"
#include "gateway/deadline.hpp"
#include "gateway/exchange.hpp"
#include "gateway/policy_store.hpp"
#include "gateway/route_table.hpp"
#include "gateway/sequencer.hpp"
#include "gateway/upstream.hpp"

namespace phoenix::gateway {

class ShadowDispatcher;
class ExchangePublisher;

/// What all event loops share. Immutable, or thread-safe by itself.
struct GatewayContext {
  const config::Config& config;
  const RouteTable& routes;
  PolicyStore& policy;
  std::vector<std::unique_ptr<Sequencer>>& sequencers;  // by slice index
  ExchangePublisher& publisher;
  std::atomic<std::uint64_t> connections{0};
  std::atomic<bool> draining{false};

  [[nodiscard]] bool has_modern() const { return !config.gateway.modern.empty(); }
};

/// An io_context whose owner can destroy what is suspended on it (sessions, shadow workers) while the members that
/// those coroutines refer to (deadlines, pools, counters) still stand.
class LoopContext : public asio::io_context {
 public:
  using asio::io_context::io_context;
  void destroy_suspended() { shutdown(); }
};

class EventLoop {
 public:
  EventLoop(GatewayContext& context, int number);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Runs until stop(); one thread.
  void run();
  void stop();
  /// Runs `task` on the loop and waits for it; not from the loop itself.
  void run_and_wait(const std::function<void()>& task);

  GatewayContext& context;
  LoopContext io{1};
  DeadlineSweep sweep{io};
  RandomSource random;
  SystemClock clock;
  LoopCounters counters;
  std::array<std::unique_ptr<Upstream>, 2> serving;          // by side; null when not configured
  std::array<std::unique_ptr<Upstream>, 2> shadow_upstream;  // apart, so that a slow shadow takes no serving connection
  std::array<std::unique_ptr<ShadowDispatcher>, 2> shadow;
  UnsettledList unsettled;
  std::uint64_t open_sessions = 0;

 private:
  asio::executor_work_guard<Executor> work_;
};

}  // namespace phoenix::gateway
