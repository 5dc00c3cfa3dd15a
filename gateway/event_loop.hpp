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
#include "gateway/calibrator.hpp"
#include "gateway/deadline.hpp"
#include "gateway/exchange.hpp"
#include "gateway/health_checker.hpp"
#include "gateway/policy_store.hpp"
#include "gateway/sequencer.hpp"
#include "gateway/settings.hpp"
#include "gateway/upstream.hpp"

namespace phoenix::gateway {

class ShadowDispatcher;
class ExchangePublisher;
class AccessLog;
class Journal;
class AccountFile;

/// What all event loops share. Immutable, or thread-safe by itself.
struct GatewayContext {
  const config::Config& config;  // what a reload cannot change
  const std::vector<std::string>& slice_names;
  PolicyStore& policy;
  std::vector<std::unique_ptr<Sequencer>>& sequencers;  // by slice index
  ExchangePublisher& publisher;
  AccessLog& access_log;
  Journal& journal;
  AccountFile& accounts;
  std::atomic<std::uint64_t> connections{0};
  std::atomic<bool> cut_off{false};   // the drain's deadline has passed: nobody waits in line any longer
  std::atomic<bool> draining{false};  // connections end with the exchange that they carry
  BackendRegistry backends{};
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
  EventLoop(GatewayContext& context, const SettingsPtr& settings, int number);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// New settings: counts for requests whose head is complete from here on. On the loop, or before it runs.
  void adopt(const SettingsPtr& settings);
  [[nodiscard]] std::uint32_t number() const { return static_cast<std::uint32_t>(number_); }
  /// Runs until stop(); one thread.
  void run();
  void stop();
  /// Runs `task` on the loop and waits for it; not from the loop itself.
  void run_and_wait(const std::function<void()>& task);

  GatewayContext& context;
  LoopContext io{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};  // its sockets are its thread's; others may post
  DeadlineSweep sweep{io};
  RandomSource random;
  SystemClock clock;
  LoopCounters counters;
  SettingsPtr settings;
  // By side; null when not configured. Whoever has a connection out holds the upstream: a reload may replace it.
  std::array<UpstreamPtr, 2> serving;
  std::array<UpstreamPtr, 2> shadow_upstream;  // apart, so that a slow shadow takes no serving connection
  std::array<std::unique_ptr<ShadowDispatcher>, 2> shadow;
  std::array<std::vector<std::weak_ptr<Upstream>>, 2> replaced;  // by reloads, and still in use by an exchange
  Calibrator calibrator{*this};
  UnsettledList unsettled;
  std::uint64_t open_sessions = 0;
  std::string spare_head;  // memory for an answer's head, which is sent in the step that writes it

 private:
  void free_memory(SteadyTime now);
  void replace(Side side, UpstreamPtr& held, UpstreamPtr next);

  const int number_;
  SteadyTime memory_freed_at_{};
  std::array<std::unique_ptr<HealthChecker>, 2> checker_;  // of the first loop, by side
  asio::executor_work_guard<Executor> work_;
};

}  // namespace phoenix::gateway
