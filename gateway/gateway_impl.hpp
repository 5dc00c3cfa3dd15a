// What Gateway is made of. For the files that implement it: gateway.cpp (start, reload, drain) and admin.cpp.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/http/server.hpp"
#include "gateway/access_log.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/exchange_publisher.hpp"
#include "gateway/gateway.hpp"
#include "gateway/listener.hpp"
#include "gateway/policy_feed.hpp"
#include "gateway/report.hpp"

namespace phoenix::gateway {

struct Gateway::Impl {
  Impl(config::Config configuration, EventLog& log);

  void start();
  Result<void> reload();
  void announce_drain();
  void drain_and_stop(std::chrono::milliseconds deadline);

  void barrier();
  void on_every_loop(const std::function<void(EventLoop&)>& task);
  Result<void> try_reload();
  void finish_exchanges(std::chrono::steady_clock::time_point until);
  void drop_what_is_left();
  bool sessions_or_legs_left();

  /// Any thread but an event loop's.
  Report report();
  GatewayStatus status();
  SettingsPtr settings_now() const;
  Report::Reloads reloads_now() const;

  http::Router admin_router();
  http::Response post_kill(const http::Request& request);
  http::Response put_policy(const http::Request& request);
  http::Response post_reload();

  SystemClock clock;
  const config::Config config;  // of the start; what a reload can change is in `settings`
  const std::vector<std::string> slice_names;
  mutable std::mutex settings_mutex;
  SettingsPtr settings;
  Report::Reloads reloads;
  std::mutex reload_mutex;  // one reload at a time
  PolicyStore policy;
  const Identity identity;
  std::unique_ptr<Producer> producer;
  AccessLog access_log;
  ExchangePublisher publisher;
  std::vector<std::unique_ptr<Sequencer>> sequencers;
  GatewayContext context;
  PolicyFeed feed;
  std::vector<std::unique_ptr<EventLoop>> loops;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::thread> threads;
  std::unique_ptr<http::Server> admin;
  std::atomic<bool> running{false};
  std::atomic<bool> leaving{false};  // not ready, though connections may still be served as ever
};

}  // namespace phoenix::gateway
