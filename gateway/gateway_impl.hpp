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
#include "gateway/account_file.hpp"
#include "gateway/durable_file.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/event_spool.hpp"
#include "gateway/exchange_publisher.hpp"
#include "gateway/gateway.hpp"
#include "gateway/journal.hpp"
#include "gateway/listener.hpp"
#include "gateway/policy_feed.hpp"
#include "gateway/recovery.hpp"
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
  void recover();
  std::int64_t settled_in_the_log(std::int64_t settled_until_us);
  void tend_spools();
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
  http::Response get_keys(const http::Request& request);
  http::Response post_keys_complete(const http::Request& request);

  SystemClock clock;
  const config::Config config;  // of the start; what a reload can change is in `settings`
  const std::vector<std::string> slice_names;
  const DirectoryLock state_lock;
  EarlierAccounts earlier;
  mutable std::mutex settings_mutex;
  SettingsPtr settings;
  Report::Reloads reloads;
  std::mutex reload_mutex;  // one reload at a time
  PolicyStore policy;
  const Identity identity;
  EventSpool events;
  Journal journal;
  Recovery recovery;
  AccountFile accounts;
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
  struct Settled {
    std::uint64_t events = 0;  // that must be in the log before `until_us` may be told
    std::int64_t until_us = 0;
  };
  std::mutex settled_mutex;
  Settled settled_next;
  std::int64_t settled_told_us = 0;
  std::string spool_problem;         // that was logged; of the thread that tends the spools
  std::atomic<bool> leaving{false};  // not ready, though connections may still be served as ever
};

}  // namespace phoenix::gateway
