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
    RouteCounters counters;
    std::array<Histogram, 2> duration;
  };
  std::vector<Route> routes;
  std::array<BackendReport, 2> backends;  // by side
  std::vector<std::uint64_t> side_deferred;
  std::map<std::string, std::uint64_t> rejected;
  std::array<std::uint64_t, 2> served{}, serving_errors{}, shadow_legs{}, shadow_errors{}, backlog{}, idle{}, active{};
  std::array<bool, 2> up{true, true};
  std::uint64_t sessions = 0;
  std::int64_t settled_until_us = 0;
  std::vector<Sequencer::Summary> keys;  // by slice
  ProducerStats producer;

  [[nodiscard]] std::uint64_t in_flight() const;
};

/// `routes`: as the loops know them, or fewer.
Report take_report(GatewayContext& context, const std::vector<RouteLabel>& routes,
                   std::vector<std::unique_ptr<EventLoop>>& loops, const Producer& producer);

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
