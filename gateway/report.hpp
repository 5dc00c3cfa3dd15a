// A consistent picture of the gateway: taken loop by loop, each on its own thread, so that every route's account
// balances.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/events/control_events.hpp"
#include "core/events/event_log.hpp"
#include "gateway/backend_report.hpp"
#include "gateway/event_loop.hpp"

namespace phoenix::gateway {

struct Report {
  struct Histogram {
    std::array<std::uint64_t, telemetry::DurationHistogram::kBoundsUs.size() + 1> buckets{};
    std::uint64_t sum_us = 0;
  };
  struct Route {
    std::string name;
    std::string slice;
    Account account;
    RouteCounters counters;
    std::array<Histogram, 2> duration;
  };
  std::vector<Route> routes;
  std::array<BackendReport, 2> backends;  // by side
  std::vector<std::uint64_t> side_deferred;
  std::map<std::string, std::uint64_t> rejected;
  std::array<std::uint64_t, 2> tunnels{}, served{}, serving_errors{}, shadow_legs{}, shadow_errors{}, backlog{}, idle{},
      active{};
  std::array<bool, 2> up{true, true};
  std::uint64_t sessions = 0;
  std::int64_t certificate_expires_at_s = 0;  // Unix time; 0: no TLS towards clients
  std::uint64_t idle_sessions = 0;            // waiting for a request, of which nothing has come yet
  std::int64_t settled_until_us = 0;          // every exchange received before has ended
  std::int64_t told_settled_until_us = 0;     // the same, and its event stands in the log
  std::vector<Sequencer::Summary> keys;       // by slice
  ProducerStats events;                       // on their way to the log
  std::uint64_t event_disk_bytes = 0;         // that they take, with what is kept ready
  std::uint64_t journal_bytes = 0;            // the same of the journal
  std::array<std::uint64_t, 2> spooled{};     // shadow legs that rest in the journal, by side
  std::uint64_t resting = 0;                  // exchanges that nobody need wait for before the end
  std::uint64_t access_log_dropped = 0;
  struct Reloads {
    std::string config_hash;        // of the configuration in force
    std::int64_t loaded_at_us = 0;  // Unix time
    std::uint64_t applied = 0;
    std::uint64_t refused = 0;
  } reloads;

  [[nodiscard]] std::uint64_t in_flight() const;
};

/// `routes`: as the loops know them, or fewer.
Report take_report(GatewayContext& context, const std::vector<RouteLabel>& routes,
                   std::vector<std::unique_ptr<EventLoop>>& loops);

struct Identity {
  std::string gateway;
  std::string incarnation;
};
GatewayStatus to_status(const Report& report, const PolicySnapshot& policy, const std::vector<std::string>& slice_names,
                        const Identity& identity, bool draining);
std::string to_status_json(const Report& report, const GatewayStatus& status);
/// `lease_left` as PolicyStore::lease_left().
std::string to_metrics(const Report& report, const PolicySnapshot& policy, std::chrono::nanoseconds lease_left,
                       const std::vector<std::string>& slice_names);

}  // namespace phoenix::gateway
