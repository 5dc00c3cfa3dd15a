#include "gateway/report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gateway/shadow_dispatcher.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::array<Side, 2> kSides{Side::legacy, Side::modern};

void add_upstream(Report& report, std::size_t side, const Upstream& upstream) {
  BackendReport& backend = report.backends[side];
  // During a reload loops may still have different endpoints: those of the first loop are shown.
  if (!backend.state) {
    backend.state = upstream.backend();
    backend.endpoints.resize(backend.state->endpoints.size());
  }
  for (std::size_t i = 0; i < upstream.backend()->endpoints.size(); ++i) {
    report.idle[side] += upstream.idle_count(i);
    report.active[side] += upstream.active_count(i);
    if (upstream.backend() != backend.state) continue;
    backend.endpoints[i].idle += upstream.idle_count(i);
    backend.endpoints[i].active += upstream.active_count(i);
  }
  report.up[side] = report.up[side] && upstream.backend()->is_up();
}

void add_loop(Report& report, EventLoop& loop) {
  for (std::size_t i = 0; i < report.routes.size(); ++i) {
    const RouteCounters& counters = loop.counters.routes[i];
    report.routes[i].counters.add(counters);
    report.routes[i].account.add(*loop.counters.accounts[i]);
    for (std::size_t side = 0; side < 2; ++side) {
      loop.counters.duration[i][side].add_to(report.routes[i].duration[side].buckets,
                                             report.routes[i].duration[side].sum_us);
    }
  }
  for (std::size_t i = 0; i < report.side_deferred.size(); ++i)
    report.side_deferred[i] += loop.counters.side_deferred[i];
  for (const auto& [status, count] : loop.counters.rejected) report.rejected[status] += count;
  report.sessions += loop.open_sessions;
  report.certificate_expires_at_s = loop.settings->listener_tls.expires_at_s;
  report.idle_sessions += loop.sweep.idle_count();
  report.settled_until_us =
      std::min(report.settled_until_us, loop.unsettled.oldest_received_at_us().value_or(report.settled_until_us));
  for (std::size_t side = 0; side < 2; ++side) {
    report.served[side] += loop.counters.served[side];
    report.tunnels[side] += loop.counters.tunnels[side];
    report.serving_errors[side] += loop.counters.serving_errors[side];
    report.shadow_legs[side] += loop.counters.shadow_legs[side];
    report.shadow_errors[side] += loop.counters.shadow_errors[side];
    if (loop.shadow[side]) {
      report.backlog[side] += loop.shadow[side]->backlog();
      report.spooled[side] += loop.shadow[side]->spooled();
      report.resting += loop.shadow[side]->resting();
    }
    for (const auto* upstream : {loop.serving[side].get(), loop.shadow_upstream[side].get()}) {
      if (upstream != nullptr) add_upstream(report, side, *upstream);
    }
    for (const auto& replaced : loop.replaced[side]) {
      if (const UpstreamPtr upstream = replaced.lock()) report.active[side] += upstream->active_count();
    }
  }
}

const std::string kPrefix = "phoenix_gateway_";

void route_metrics(telemetry::Page& page, const Report::Route& route) {
  const RouteCounters& c = route.counters;
  for (const Side side : kSides) {
    const auto at = static_cast<std::size_t>(index(side));
    const std::string name(to_string(side));
    for (const auto& [code, count] : c.responses[at]) {
      page.counter(kPrefix + "requests_total", "Requests answered.",
                   {{"route", route.name}, {"served_by", name}, {"code", std::to_string(code)}},
                   static_cast<double>(count));
    }
    page.histogram_us(kPrefix + "request_duration_seconds", "Time a backend took, both legs.",
                      {{"route", route.name}, {"backend", name}}, route.duration[at].buckets,
                      route.duration[at].sum_us);
  }
  for (const auto& [outcome, count] : c.shadow.all()) {
    page.counter(kPrefix + "shadow_total", "Shadow legs by outcome.", {{"route", route.name}, {"outcome", outcome}},
                 static_cast<double>(count));
  }
  const auto bucket = [&](const std::string& name, std::uint64_t count) {
    page.counter(kPrefix + "exchanges_total",
                 "Exchanges by where they ended; they add up to those received less those in flight.",
                 {{"route", route.name}, {"bucket", name}}, static_cast<double>(count));
  };
  const Account& account = route.account;
  bucket("handed_over", account.handed_over);
  bucket("lost", account.lost);
  for (const auto& [reason, count] : account.excluded.all()) bucket("excluded_" + reason, count);
  for (const auto& [reason, count] : account.dropped.all()) bucket("dropped_" + reason, count);
  page.counter(kPrefix + "parachutes_total", "Answered by legacy because modern failed before its first byte.",
               {{"route", route.name}}, static_cast<double>(c.parachutes));
  page.counter(kPrefix + "overrides_total", "Sent to a side that a person forced.", {{"route", route.name}},
               static_cast<double>(c.overrides));
  page.counter(kPrefix + "received_total", "Exchanges received.", {{"route", route.name}},
               static_cast<double>(account.received));
  page.gauge(kPrefix + "in_flight", "Exchanges whose legs are not both over.", {{"route", route.name}},
             static_cast<double>(account.in_flight()));
}

void slice_metrics(telemetry::Page& page, const std::string& name, const EffectiveSlice& effective,
                   std::uint64_t side_deferred, const Sequencer::Summary& keys) {
  const telemetry::Labels slice{{"slice", name}};
  page.counter(kPrefix + "side_deferred_total",
               "Exchanges served by the other side because the target was not current.", slice,
               static_cast<double>(side_deferred));
  page.gauge(kPrefix + "weight_ratio", "Share of keys whose target is modern.", slice,
             effective.weight_basis_points / 10'000.0);
  page.gauge(kPrefix + "killed", "1 while a kill is latched.", slice, effective.killed ? 1 : 0);
  for (const Side side : kSides) {
    const auto at = static_cast<std::size_t>(index(side));
    const telemetry::Labels labels{{"slice", name}, {"backend", std::string(to_string(side))}};
    page.gauge(kPrefix + "keys_behind", "Keys whose shadow writes are on their way.", labels,
               static_cast<double>(keys.behind_keys[at]));
    page.gauge(kPrefix + "keys_incomplete", "Tainted or divergent keys, which this backend must not serve.", labels,
               static_cast<double>(keys.incomplete_keys[at]));
  }
}

void backend_metrics(telemetry::Page& page, const Report& report, Side side) {
  const auto at = static_cast<std::size_t>(index(side));
  const telemetry::Labels backend{{"backend", std::string(to_string(side))}};
  page.gauge(kPrefix + "backlog", "Shadow legs waiting.", backend, static_cast<double>(report.backlog[at]));
  page.gauge(kPrefix + "spooled_legs", "Shadow legs that rest on disk; part of the backlog.", backend,
             static_cast<double>(report.spooled[at]));
  page.gauge(kPrefix + "backend_up", "1 when the latest connect to some endpoint worked.", backend,
             report.up[at] ? 1 : 0);
  const auto legs = [&](const char* leg, std::uint64_t count, std::uint64_t errors) {
    const telemetry::Labels labels{backend.front(), {"leg", leg}};
    page.counter(kPrefix + "legs_total", "Legs that ended.", labels, static_cast<double>(count));
    page.counter(kPrefix + "leg_errors_total", "Legs that failed or were answered 5xx.", labels,
                 static_cast<double>(errors));
  };
  page.counter(kPrefix + "tunnels_total", "Connections that switched to another protocol.", backend,
               static_cast<double>(report.tunnels[at]));
  legs("serving", report.served[at], report.serving_errors[at]);
  legs("shadow", report.shadow_legs[at], report.shadow_errors[at]);
  for (const auto& [state, count] : {std::pair{"idle", report.idle[at]}, std::pair{"active", report.active[at]}}) {
    page.gauge(kPrefix + "upstream_connections", "Connections to a backend.", {backend.front(), {"state", state}},
               static_cast<double>(count));
  }
}

void event_metrics(telemetry::Page& page, const Report& report) {
  const ProducerStats& producer = report.events;
  page.gauge(kPrefix + "journal_bytes", "Journal and spool on disk.", {}, static_cast<double>(report.journal_bytes));
  page.gauge(kPrefix + "event_disk_bytes", "Files of the event spool.", {},
             static_cast<double>(report.event_disk_bytes));
  page.gauge(kPrefix + "event_spool_bytes", "Events waiting for the log.", {},
             static_cast<double>(producer.queued_bytes));
  page.counter(kPrefix + "events_acknowledged_total", "Events that the log holds.", {},
               static_cast<double>(producer.acknowledged));
  page.counter(kPrefix + "event_publish_seconds_total",
               "Processor time of the threads that bring events to the log, librdkafka's own left out.", {},
               static_cast<double>(producer.cpu_us) / 1e6);
  const auto lost = [&](const char* reason, std::uint64_t count) {
    page.counter(kPrefix + "events_lost_total", "Events that the bounded queue refused or the log failed.",
                 {{"reason", reason}}, static_cast<double>(count));
  };
  lost("refused", producer.refused);
  lost("failed", producer.failed);
}

void reload_metrics(telemetry::Page& page, const Report& report) {
  for (const auto& [result, count] :
       {std::pair{"applied", report.reloads.applied}, std::pair{"refused", report.reloads.refused}}) {
    page.counter(kPrefix + "reloads_total", "Reloads of the configuration.", {{"result", result}},
                 static_cast<double>(count));
  }
  page.gauge(kPrefix + "config_loaded_timestamp_seconds", "When the configuration in force was loaded, as Unix time.",
             {}, static_cast<double>(report.reloads.loaded_at_us) / 1e6);
  page.counter(kPrefix + "access_log_dropped_total", "Lines of the access log that could not be written.", {},
               static_cast<double>(report.access_log_dropped));
}

}  // namespace

std::uint64_t Report::in_flight() const {
  std::uint64_t sum = 0;
  for (const auto& route : routes) sum += route.account.in_flight();
  return sum;
}

Report take_report(GatewayContext& context, const std::vector<RouteLabel>& routes,
                   std::vector<std::unique_ptr<EventLoop>>& loops) {
  Report report;
  for (const auto& route : routes) report.routes.push_back({route.name, route.slice, {}, {}, {}});
  report.side_deferred.resize(context.slice_names.size());
  report.settled_until_us = unix_us();  // before any loop is looked at: what comes meanwhile is younger
  for (auto& loop : loops) loop->run_and_wait([&] { add_loop(report, *loop); });
  for (const auto& sequencer : context.sequencers) report.keys.push_back(sequencer->summary());
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
  status.settled_until_us = report.told_settled_until_us;
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
    const Account& c = route.account;
    status.routes.push_back({route.name, route.slice, c.received, c.in_flight(), c.handed_over, c.excluded.nonzero(),
                             c.dropped.nonzero(), c.lost});
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
  for (const Side side : kSides) {
    const BackendReport& backend = report.backends[static_cast<std::size_t>(index(side))];
    if (backend.state) json["backends"][std::string(to_string(side))] = to_json(backend);
  }
  json["connections"] = report.sessions;
  json["rejected"] = report.rejected;
  json["config_hash"] = report.reloads.config_hash;
  json["reloads"] = {{"applied", report.reloads.applied},
                     {"refused", report.reloads.refused},
                     {"loaded_at_unix_ms", report.reloads.loaded_at_us / 1000}};
  json["access_log_dropped"] = report.access_log_dropped;
  json["event_log"] = {{"accepted", report.events.accepted}, {"acknowledged", report.events.acknowledged},
                       {"failed", report.events.failed},     {"refused", report.events.refused},
                       {"queued", report.events.queued},     {"queued_bytes", report.events.queued_bytes}};
  json["spool"] = {{"journal_bytes", report.journal_bytes}, {"event_bytes", report.event_disk_bytes}};
  for (const Side side : kSides)
    json["spool"]["shadow_legs"][std::string(to_string(side))] = report.spooled[static_cast<std::size_t>(index(side))];
  return json.dump(2) + "\n";
}

std::string to_metrics(const Report& report, const PolicySnapshot& policy, std::chrono::nanoseconds lease_left,
                       const std::vector<std::string>& slice_names) {
  telemetry::Page page;
  for (const auto& route : report.routes) route_metrics(page, route);
  for (std::size_t i = 0; i < slice_names.size(); ++i)
    slice_metrics(page, slice_names[i], policy.slices[i], report.side_deferred[i], report.keys[i]);
  for (const Side side : kSides) {
    backend_metrics(page, report, side);
    add_backend_metrics(page, report.backends[static_cast<std::size_t>(index(side))]);
  }
  for (const auto& [status, count] : report.rejected)
    page.counter(kPrefix + "rejected_total", "Requests refused before routing.", {{"code", status}},
                 static_cast<double>(count));
  page.gauge(kPrefix + "policy_epoch", "Epoch of the applied policy; 0 is the configuration.", {},
             static_cast<double>(policy.epoch));
  page.gauge(kPrefix + "policy_lease_live", "1 while the policy's lease runs.", {}, policy.lease_live ? 1 : 0);
  page.gauge(kPrefix + "policy_lease_seconds", "How long the lease still runs without a renewal.", {},
             std::chrono::duration<double>(lease_left).count());
  page.gauge(kPrefix + "client_connections", "Open client connections.", {}, static_cast<double>(report.sessions));
  if (report.certificate_expires_at_s > 0)
    page.gauge(kPrefix + "tls_certificate_expiry_seconds", "Unix time at which the listener's certificate ends.", {},
               static_cast<double>(report.certificate_expires_at_s));
  event_metrics(page, report);
  reload_metrics(page, report);
  return page.render();
}

}  // namespace phoenix::gateway
