#include "arbiter/admin_api.hpp"

#include <nlohmann/json.hpp>

#include "arbiter/sweep_api.hpp"
#include "core/telemetry/metrics.hpp"

namespace phoenix::arbiter {
namespace {

using nlohmann::json;

/// What the shards add up to. Counters, rejected records and readings are sums, the oldest exchange is the oldest of
/// all.
struct Totals {
  explicit Totals(const ArbiterStatus& status) {
    for (const auto& [number, shard] : status.shards) {
      any = true;
      scores.insert(scores.end(), shard.scores.begin(), shard.scores.end());
      for (const auto& [key, n] : shard.counters) counters[key] += n;
      for (const auto& [topic, n] : shard.rejected) rejected[topic] += n;
      readings.add(shard.readings);
      open += shard.open;
      accounts_to_read += shard.accounts_to_read;
      postings_given_up += shard.postings_given_up;
      event_time_us = std::max(event_time_us, shard.event_time_us);
      if (shard.oldest_open_us == 0) continue;
      oldest_seconds = std::max(oldest_seconds, static_cast<double>(shard.event_time_us - shard.oldest_open_us) / 1e6);
    }
  }
  std::vector<ScoreEvent> scores;
  std::map<CounterKey, std::int64_t> counters;
  std::map<std::string, std::uint64_t> rejected;
  LedgerReaderStats readings;
  std::size_t open = 0, accounts_to_read = 0;
  std::uint64_t postings_given_up = 0;
  std::int64_t event_time_us = 0;
  double oldest_seconds = 0;
  bool any = false;
};

json positions_json(const ArbiterStatus& status) {
  json list = json::array();
  for (const auto& [number, shard] : status.shards) {
    for (const auto& [partition, next] : shard.positions) {
      const auto lag = status.lag.find(partition);
      list.push_back({{"shard", number},
                      {"topic", partition.first},
                      {"partition", partition.second},
                      {"next", next},
                      {"lag", lag == status.lag.end() ? json(nullptr) : json(lag->second)}});
    }
  }
  return list;
}

void verdict_metrics(const std::vector<std::string>& routes, const Totals& status, telemetry::Page& page) {
  std::map<std::pair<std::string, std::string>, double> totals;
  // From 0 on, so that a first mismatch is seen as an increase; not while standing by, where 0 would be no total.
  for (const auto& route : status.any ? routes : std::vector<std::string>{}) {
    for (const Verdict verdict : kVerdicts) totals[{route, std::string(to_string(verdict))}] = 0;
  }
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

void cause_metrics(const Totals& status, telemetry::Page& page) {
  std::map<std::pair<std::string, std::string>, double> totals;
  for (const auto& [key, n] : status.counters) {
    const auto& [slice, route, rung, what] = key;
    if (what.starts_with(kCauseCounter)) totals[{route, what.substr(kCauseCounter.size())}] += static_cast<double>(n);
  }
  for (const auto& [of, n] : totals) {
    page.counter("phoenix_arbiter_causes_total",
                 "Labelled verdicts by route and cause; route is empty for verdicts on accounts.",
                 {{"route", of.first}, {"cause", of.second}}, n);
  }
}

void score_metrics(const Totals& status, telemetry::Page& page) {
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

void split_key_metrics(const Totals& status, telemetry::Page& page) {
  std::map<std::string, double> totals;
  for (const auto& score : status.scores) totals[score.slice] = 0;
  for (const auto& [key, n] : status.counters) {
    if (std::get<3>(key) == "split_key") totals[std::get<0>(key)] += static_cast<double>(n);
  }
  for (const auto& [slice, n] : totals) {
    page.counter("phoenix_arbiter_split_keys_total",
                 "Keys that two gateways wrote within 60 s of each other, each counted once a rung.",
                 {{"slice", slice}}, n);
  }
}

void posting_metrics(const Totals& status, telemetry::Page& page) {
  page.counter("phoenix_arbiter_postings_given_up_total",
               "Changes that found no room, or whose amounts do not fit: their accounts are unknown.", {},
               static_cast<double>(status.postings_given_up));
  for (const auto& score : status.scores) {
    for (const Side side : {Side::legacy, Side::modern}) {
      page.gauge("phoenix_arbiter_foreign_unpaired",
                 "Changes outside Phoenix of the present rung that no counterpart came for.",
                 {{"slice", score.slice}, {"side", std::string(to_string(side))}},
                 static_cast<double>(score.foreign_unpaired[index(side)].count));
    }
  }
}

/// Of all shards together, by rule.
std::map<std::string, AcceptedRuleStatus> rules_of(const ArbiterStatus& status) {
  std::map<std::string, AcceptedRuleStatus> rules;
  for (const auto& [number, shard] : status.shards) {
    for (const auto& rule : shard.rules) {
      const auto [at, added] = rules.emplace(rule.rule.id, rule);
      if (added) continue;
      at->second.counts = at->second.counts + rule.counts;
      at->second.unused = at->second.unused && rule.unused;
      at->second.expired = at->second.expired || rule.expired;
    }
  }
  return rules;
}

void rule_metrics(const ArbiterStatus& status, telemetry::Page& page) {
  for (const auto& [id, rule] : rules_of(status)) {
    const auto& counts = rule.counts;
    for (const auto& [outcome, n] :
         {std::pair("matched", counts.matched), std::pair("consequence", counts.consequences),
          std::pair("refused", counts.refused), std::pair("error", counts.errors),
          std::pair("expired", counts.expired)}) {
      page.counter("phoenix_arbiter_accepted_rule_evaluations_total",
                   "What became of differences that a rule of accepted changes was asked about.",
                   {{"rule", id}, {"outcome", outcome}}, static_cast<double>(n));
    }
    page.gauge("phoenix_arbiter_accepted_rule_stale", "1 when a rule has expired or matches nothing any more.",
               {{"rule", id}}, rule.expired || rule.unused ? 1 : 0);
  }
}

json rules_json(const ArbiterStatus& status) {
  json rules = json::array();
  for (const auto& [id, rule] : rules_of(status)) {
    rules.push_back({{"id", id},
                     {"reason", rule.rule.reason},
                     {"approver", rule.rule.approver},
                     {"expires", rule.rule.expires},
                     {"routes", rule.rule.routes},
                     {"matched", rule.counts.matched},
                     {"consequences", rule.counts.consequences},
                     {"refused", rule.counts.refused},
                     {"errors", rule.counts.errors},
                     {"last_error", rule.counts.last_error},
                     {"last_matched_us", rule.counts.last_matched_us},
                     {"expired", rule.expired},
                     {"unused", rule.unused}});
  }
  return rules;
}

http::Response ready(const ArbiterStatus& status) {
  return http::json_text(status.ready ? 200 : 503, json{{"ready", status.ready}, {"reason", status.reason}}.dump());
}

}  // namespace

std::string status_json(const ArbiterStatus& status) {
  const Totals totals(status);
  json scores = json::array();
  for (const auto& score : totals.scores) scores.push_back(json::parse(phoenix::encode(score)));
  json counters = json::array();
  for (const auto& [key, n] : totals.counters) {
    const auto& [slice, route, rung, what] = key;
    counters.push_back({{"slice", slice}, {"route", route}, {"rung", rung}, {"what", what}, {"n", n}});
  }
  json shards = json::array();
  for (const auto& [number, shard] : status.shards) shards.push_back(number);
  const json body{{"ready", status.ready},
                  {"reason", status.reason},
                  {"shards", shards},
                  {"event_time_us", totals.event_time_us},
                  {"pending", {{"exchanges", totals.open}, {"oldest_seconds", totals.oldest_seconds}}},
                  {"positions", positions_json(status)},
                  {"slices", scores},
                  {"counters", counters},
                  {"rejected", totals.rejected},
                  {"accepted_changes", rules_json(status)},
                  {"reloads", status.reloads},
                  {"ledgers",
                   {{"readings", totals.readings.readings},
                    {"failures", totals.readings.failures},
                    {"accounts_to_read", totals.accounts_to_read},
                    {"legacy_problem", totals.readings.problem[0]},
                    {"modern_problem", totals.readings.problem[1]}}}};
  return body.dump(2, ' ', false, json::error_handler_t::replace);
}

std::string metrics_text(const ArbiterStatus& status) {
  const Totals totals(status);
  telemetry::Page page;
  verdict_metrics(status.routes, totals, page);
  cause_metrics(totals, page);
  score_metrics(totals, page);
  split_key_metrics(totals, page);
  posting_metrics(totals, page);
  rule_metrics(status, page);
  sweep_metrics(status, page);
  page.gauge("phoenix_arbiter_pending_exchanges", "Exchanges that are not decided yet.", {},
             static_cast<double>(totals.open));
  page.gauge("phoenix_arbiter_oldest_pending_seconds", "Age of the oldest of them, in event time.", {},
             totals.oldest_seconds);
  page.gauge("phoenix_arbiter_ready", "1 while the event log and the database can be used.", {}, status.ready ? 1 : 0);
  if (totals.event_time_us > 0) {
    page.gauge("phoenix_arbiter_event_time_seconds", "How far event time has come, as Unix time.", {},
               static_cast<double>(totals.event_time_us) / 1e6);
  }
  page.gauge("phoenix_arbiter_shards", "Partitions whose slices this arbiter judges; 0: it stands by.", {},
             static_cast<double>(status.shards.size()));
  std::map<std::string, double> lag{{topics::kShadowRequests, 0}, {topics::kDbStateUpdates, 0}};
  for (const auto& [partition, behind] : status.lag) lag[partition.first] += static_cast<double>(behind);
  for (const auto& [topic, behind] : lag) {
    page.gauge("phoenix_arbiter_consumer_lag", "Records not read yet.", {{"topic", topic}}, behind);
  }
  for (const auto* topic : {topics::kShadowRequests, topics::kDbStateUpdates}) {
    const auto at = totals.rejected.find(topic);
    page.counter("phoenix_arbiter_rejected_records_total", "Records that could not be read and were set aside.",
                 {{"topic", topic}}, at == totals.rejected.end() ? 0 : static_cast<double>(at->second));
  }
  page.counter("phoenix_arbiter_ledger_readings_total", "Accounts read from both ledgers.", {},
               static_cast<double>(totals.readings.readings));
  page.counter("phoenix_arbiter_ledger_failures_total", "Readings that failed.", {},
               static_cast<double>(totals.readings.failures));
  return page.render();
}

http::Handler admin_handler(const StatusBoard& board, const config::Config& config) {
  http::Router router;
  add_sweep_routes(router, config);
  router.add("GET", "/healthz", [](const auto&, const auto&) { return http::json_text(200, R"({"status":"ok"})"); });
  router.add("GET", "/readyz", [&board](const auto&, const auto&) { return ready(board.get()); });
  router.add("GET", "/status",
             [&board](const auto&, const auto&) { return http::json_text(200, status_json(board.get())); });
  router.add("GET", "/metrics", [&board](const auto&, const auto&) {
    http::Response response;
    response.content_type = "text/plain; version=0.0.4";
    response.body = metrics_text(board.get());
    return response;
  });
  return [router](const http::Request& request) { return router(request); };
}

}  // namespace phoenix::arbiter
