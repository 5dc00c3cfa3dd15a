#include "arbiter/admin_api.hpp"

#include <nlohmann/json.hpp>

#include "core/telemetry/metrics.hpp"

namespace phoenix::arbiter {
namespace {

using nlohmann::json;

double seconds_pending(const ArbiterStatus& status) {
  return status.oldest_open_us == 0 ? 0.0 : static_cast<double>(status.event_time_us - status.oldest_open_us) / 1e6;
}

json lag_json(const ArbiterStatus& status) {
  json list = json::array();
  for (const auto& [partition, next] : status.positions) {
    const auto lag = status.lag.find(partition);
    list.push_back({{"topic", partition.first},
                    {"partition", partition.second},
                    {"next", next},
                    {"lag", lag == status.lag.end() ? json(nullptr) : json(lag->second)}});
  }
  return list;
}

void verdict_metrics(const ArbiterStatus& status, telemetry::Page& page) {
  std::map<std::pair<std::string, std::string>, double> totals;
  for (const auto& [key, n] : status.counters) {
    const auto& [slice, route, rung, what] = key;
    if (verdict_from_string(what)) totals[{route, what}] += static_cast<double>(n);
  }
  for (const auto& [of, n] : totals) {
    page.counter("phoenix_arbiter_verdicts_total",
                 "Verdicts by route and kind; route is empty for verdicts on accounts.",
                 {{"route", of.first}, {"kind", of.second}}, n);
  }
}

void score_metrics(const ArbiterStatus& status, telemetry::Page& page) {
  for (const auto& score : status.scores) {
    const telemetry::Labels labels{{"slice", score.slice}};
    page.gauge("phoenix_arbiter_consistency_score", "Share of decided exchanges that are consistent, of the rung.",
               labels, score.score);
    page.gauge("phoenix_arbiter_consistency_score_lower", "Lower confidence bound of the score.", labels,
               score.score_lower);
    page.gauge("phoenix_arbiter_coverage_ratio", "Decided exchanges to those that had to be decided.", labels,
               score.coverage);
    page.gauge("phoenix_arbiter_tripped", "1 when the arbiter holds that modern must not serve the slice.", labels,
               score.trip_reason.empty() ? 0 : 1);
  }
  for (const auto& score : status.scores) {
    for (const auto& [currency, sum] : score.drift_minor_units) {
      page.gauge("phoenix_arbiter_drift_minor_units", "Sum of the accounts' absolute differences.",
                 {{"slice", score.slice}, {"currency", currency}}, static_cast<double>(sum));
    }
  }
}

http::Response ready(const ArbiterStatus& status) {
  return http::json_text(status.ready ? 200 : 503, json{{"ready", status.ready}, {"reason", status.reason}}.dump());
}

}  // namespace

std::string status_json(const ArbiterStatus& status, const LedgerReaderStats& readings) {
  json scores = json::array();
  for (const auto& score : status.scores) scores.push_back(json::parse(phoenix::encode(score)));
  json counters = json::array();
  for (const auto& [key, n] : status.counters) {
    const auto& [slice, route, rung, what] = key;
    counters.push_back({{"slice", slice}, {"route", route}, {"rung", rung}, {"what", what}, {"n", n}});
  }
  const json body{{"ready", status.ready},
                  {"reason", status.reason},
                  {"event_time_us", status.event_time_us},
                  {"pending", {{"exchanges", status.open}, {"oldest_seconds", seconds_pending(status)}}},
                  {"positions", lag_json(status)},
                  {"slices", scores},
                  {"counters", counters},
                  {"rejected", status.rejected},
                  {"reloads", status.reloads},
                  {"ledgers",
                   {{"readings", readings.readings},
                    {"failures", readings.failures},
                    {"accounts_to_read", status.accounts_to_read},
                    {"legacy_problem", readings.problem[0]},
                    {"modern_problem", readings.problem[1]}}}};
  return body.dump(2, ' ', false, json::error_handler_t::replace);
}

std::string metrics_text(const ArbiterStatus& status, const LedgerReaderStats& readings) {
  telemetry::Page page;
  verdict_metrics(status, page);
  score_metrics(status, page);
  page.gauge("phoenix_arbiter_pending_exchanges", "Exchanges that are not decided yet.", {},
             static_cast<double>(status.open));
  page.gauge("phoenix_arbiter_oldest_pending_seconds", "Age of the oldest of them, in event time.", {},
             seconds_pending(status));
  std::map<std::string, double> lag{{topics::kShadowRequests, 0}, {topics::kDbStateUpdates, 0}};
  for (const auto& [partition, behind] : status.lag) lag[partition.first] += static_cast<double>(behind);
  for (const auto& [topic, behind] : lag) {
    page.gauge("phoenix_arbiter_consumer_lag", "Records not read yet.", {{"topic", topic}}, behind);
  }
  for (const auto* topic : {topics::kShadowRequests, topics::kDbStateUpdates}) {
    const auto at = status.rejected.find(topic);
    page.counter("phoenix_arbiter_rejected_records_total", "Records that could not be read and were set aside.",
                 {{"topic", topic}}, at == status.rejected.end() ? 0 : static_cast<double>(at->second));
  }
  page.counter("phoenix_arbiter_ledger_readings_total", "Accounts read from both ledgers.", {},
               static_cast<double>(readings.readings));
  page.counter("phoenix_arbiter_ledger_failures_total", "Readings that failed.", {},
               static_cast<double>(readings.failures));
  return page.render();
}

http::Handler admin_handler(const StatusBoard& board, std::function<LedgerReaderStats()> readings) {
  http::Router router;
  router.add("GET", "/healthz", [](const auto&, const auto&) { return http::json_text(200, R"({"status":"ok"})"); });
  router.add("GET", "/readyz", [&board](const auto&, const auto&) { return ready(board.get()); });
  router.add("GET", "/status", [&board, readings](const auto&, const auto&) {
    return http::json_text(200, status_json(board.get(), readings()));
  });
  router.add("GET", "/metrics", [&board, readings](const auto&, const auto&) {
    http::Response response;
    response.content_type = "text/plain; version=0.0.4";
    response.body = metrics_text(board.get(), readings());
    return response;
  });
  return [router](const http::Request& request) { return router(request); };
}

}  // namespace phoenix::arbiter
