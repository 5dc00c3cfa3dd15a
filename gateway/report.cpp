#include "gateway/report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gateway/shadow_dispatcher.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::array<Side, 2> kSides{Side::legacy, Side::modern};

void add_loop(Report& report, EventLoop& loop) {
  for (std::size_t i = 0; i < report.routes.size(); ++i) {
    const RouteCounters& counters = loop.counters.routes[i];
    report.routes[i].counters.add(counters);
    for (std::size_t side = 0; side < 2; ++side) {
      loop.counters.duration[i][side].add_to(report.routes[i].duration[side].buckets,
                                             report.routes[i].duration[side].sum_us);
    }
  }
  for (std::size_t i = 0; i < report.side_deferred.size(); ++i)
    report.side_deferred[i] += loop.counters.side_deferred[i];
  for (const auto& [status, count] : loop.counters.rejected) report.rejected[status] += count;
  report.sessions += loop.open_sessions;
  report.settled_until_us =
      std::min(report.settled_until_us, loop.unsettled.oldest_received_at_us().value_or(report.settled_until_us));
  for (std::size_t side = 0; side < 2; ++side) {
    report.served[side] += loop.counters.served[side];
    report.serving_errors[side] += loop.counters.serving_errors[side];
    if (loop.shadow[side]) report.backlog[side] += loop.shadow[side]->backlog();
    for (const auto* upstream : {loop.serving[side].get(), loop.shadow_upstream[side].get()}) {
      if (upstream == nullptr) continue;
      report.idle[side] += upstream->idle_count();
      report.active[side] += upstream->active_count();
      report.up[side] = report.up[side] && upstream->up();
    }
  }
}

}  // namespace

std::uint64_t Report::in_flight() const {
  std::uint64_t sum = 0;
  for (const auto& route : routes) sum += route.counters.in_flight;
  return sum;
}

Report take_report(GatewayContext& context, std::vector<std::unique_ptr<EventLoop>>& loops, const Producer& producer) {
  Report report;
  const auto& slices = context.routes.slice_names();
  for (const auto& route : context.routes.routes()) {
    report.routes.push_back(
        {route.name, route.is_unmatched ? "" : slices[static_cast<std::size_t>(route.slice_index)], {}, {}});
  }
  report.side_deferred.resize(slices.size());
  report.settled_until_us = unix_us();  // before any loop is looked at: what comes meanwhile is younger
  for (auto& loop : loops) loop->run_and_wait([&] { add_loop(report, *loop); });
  for (const auto& sequencer : context.sequencers) report.keys.push_back(sequencer->summary());
  report.producer = producer.stats();
  return report;
}

GatewayStatus to_status(const Report& report, const PolicySnapshot& policy, const std::vector<std::string>& slice_names,
                        const Identity& identity, bool draining) {
  GatewayStatus status;
  status.gateway = identity.gateway;
  status.incarnation = identity.incarnation;
  status.at_us = unix_us();
  status.applied_epoch = policy.epoch;
  status.lease_live = policy.lease_live;
  status.draining = draining;
  status.settled_until_us = report.settled_until_us;
  status.latches = policy.latches;
  for (std::size_t i = 0; i < slice_names.size(); ++i) {
    const EffectiveSlice& slice = policy.slices[i];
    status.slices.push_back({slice_names[i], slice.stage, slice.weight_basis_points, slice.rung});
    for (std::size_t side = 0; side < 2; ++side) {
      status.keys_behind += report.keys[i].behind_keys[side];
      status.keys_tainted += report.keys[i].incomplete_keys[side];
    }
  }
  for (const auto& route : report.routes) {
    const RouteCounters& c = route.counters;
    status.routes.push_back(
        {route.name, route.slice, c.received, c.in_flight, c.handed_over, c.excluded.nonzero(), c.dropped.nonzero()});
  }
  for (const Side side : kSides) {
    const auto at = static_cast<std::size_t>(index(side));
    const std::string name(to_string(side));
    status.backlog[name] = report.backlog[at];
    status.backend_up[name] = report.up[at];
    status.serving_errors[name] = report.serving_errors[at];
    status.served[name] = report.served[at];
  }
  return status;
}

std::string to_status_json(const Report& report, const GatewayStatus& status) {
  nlohmann::json json = nlohmann::json::parse(encode(status));
  nlohmann::json keys = nlohmann::json::object();
  for (std::size_t i = 0; i < report.keys.size(); ++i) {
    for (const Side side : kSides) {
      const auto at = static_cast<std::size_t>(index(side));
      keys[status.slices[i].name][std::string(to_string(side))] = {{"behind", report.keys[i].behind_keys[at]},
                                                                   {"incomplete", report.keys[i].incomplete_keys[at]},
                                                                   {"examples", report.keys[i].examples[at]}};
    }
  }
  json["keys"] = keys;
  json["connections"] = report.sessions;
  json["rejected"] = report.rejected;
  json["event_log"] = {{"accepted", report.producer.accepted}, {"acknowledged", report.producer.acknowledged},
                       {"failed", report.producer.failed},     {"refused", report.producer.refused},
                       {"queued", report.producer.queued},     {"queued_bytes", report.producer.queued_bytes}};
  return json.dump(2) + "\n";
}

std::string to_metrics(const Report& report, const PolicySnapshot& policy,
                       const std::vector<std::string>& slice_names) {
  telemetry::Page page;
  const std::string p = "phoenix_gateway_";
  for (const auto& route : report.routes) {
    const RouteCounters& c = route.counters;
    for (const Side side : kSides) {
      const auto at = static_cast<std::size_t>(index(side));
      const std::string name(to_string(side));
      for (const auto& [code, count] : c.responses[at]) {
        page.counter(p + "requests_total", "Requests answered.",
                     {{"route", route.name}, {"served_by", name}, {"code", std::to_string(code)}},
                     static_cast<double>(count));
      }
      page.histogram_us(p + "request_duration_seconds", "Time a backend took, both legs.",
                        {{"route", route.name}, {"backend", name}}, route.duration[at].buckets,
                        route.duration[at].sum_us);
    }
    for (const auto& [outcome, count] : c.shadow.nonzero()) {
      page.counter(p + "shadow_total", "Shadow legs by outcome.", {{"route", route.name}, {"outcome", outcome}},
                   static_cast<double>(count));
    }
    const auto bucket = [&](const std::string& name, std::uint64_t count) {
      page.counter(p + "exchanges_total",
                   "Exchanges by where they ended; they add up to those received less those in flight.",
                   {{"route", route.name}, {"bucket", name}}, static_cast<double>(count));
    };
    bucket("handed_over", c.handed_over);
    for (const auto& [reason, count] : c.excluded.nonzero()) bucket("excluded_" + reason, count);
    for (const auto& [reason, count] : c.dropped.nonzero()) bucket("dropped_" + reason, count);
    page.counter(p + "received_total", "Exchanges received.", {{"route", route.name}}, static_cast<double>(c.received));
    page.gauge(p + "in_flight", "Exchanges whose legs are not both over.", {{"route", route.name}},
               static_cast<double>(c.in_flight));
  }
  for (std::size_t i = 0; i < slice_names.size(); ++i) {
    const telemetry::Labels slice{{"slice", slice_names[i]}};
    page.counter(p + "side_deferred_total", "Exchanges served by the other side because the target was not current.",
                 slice, static_cast<double>(report.side_deferred[i]));
    page.gauge(p + "weight_ratio", "Share of keys whose target is modern.", slice,
               policy.slices[i].weight_basis_points / 10'000.0);
    page.gauge(p + "killed", "1 while a kill is latched.", slice, policy.slices[i].killed ? 1 : 0);
    for (const Side side : kSides) {
      const auto at = static_cast<std::size_t>(index(side));
      const telemetry::Labels labels{{"slice", slice_names[i]}, {"backend", std::string(to_string(side))}};
      page.gauge(p + "keys_behind", "Keys whose shadow writes are on their way.", labels,
                 static_cast<double>(report.keys[i].behind_keys[at]));
      page.gauge(p + "keys_incomplete", "Tainted or divergent keys, which this backend must not serve.", labels,
                 static_cast<double>(report.keys[i].incomplete_keys[at]));
    }
  }
  for (const Side side : kSides) {
    const auto at = static_cast<std::size_t>(index(side));
    const std::string name(to_string(side));
    page.gauge(p + "backlog", "Shadow legs waiting.", {{"backend", name}}, static_cast<double>(report.backlog[at]));
    page.gauge(p + "backend_up", "1 when the latest connect worked.", {{"backend", name}}, report.up[at] ? 1 : 0);
    page.gauge(p + "upstream_connections", "Connections to a backend.", {{"backend", name}, {"state", "idle"}},
               static_cast<double>(report.idle[at]));
    page.gauge(p + "upstream_connections", "Connections to a backend.", {{"backend", name}, {"state", "active"}},
               static_cast<double>(report.active[at]));
  }
  for (const auto& [status, count] : report.rejected)
    page.counter(p + "rejected_total", "Requests refused before routing.", {{"code", status}},
                 static_cast<double>(count));
  page.gauge(p + "policy_epoch", "Epoch of the applied policy; 0 is the configuration.", {},
             static_cast<double>(policy.epoch));
  page.gauge(p + "policy_lease_live", "1 while the policy's lease runs.", {}, policy.lease_live ? 1 : 0);
  page.gauge(p + "client_connections", "Open client connections.", {}, static_cast<double>(report.sessions));
  page.gauge(p + "event_spool_bytes", "Events waiting for the log.", {},
             static_cast<double>(report.producer.queued_bytes));
  page.counter(p + "events_lost_total", "Events that the bounded queue refused or the log failed.", {},
               static_cast<double>(report.producer.refused + report.producer.failed));
  return page.render();
}

}  // namespace phoenix::gateway
