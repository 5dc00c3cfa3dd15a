#include "arbiter/sweep_api.hpp"

#include <nlohmann/json.hpp>

#include "arbiter/sweep_store.hpp"
#include "arbiter/verdict_store.hpp"

namespace phoenix::arbiter {
namespace {

using nlohmann::json;

constexpr int kListed = 20;
constexpr std::size_t kMaxBy = 200;  // bytes

std::string text_of(const json& body, const char* name) {
  return body.is_object() && body.contains(name) && body[name].is_string() ? body[name].get<std::string>() : "";
}

http::Response post_sweep(const http::Request& request, const config::Config& config) {
  const auto& arbiter = config.arbiter;
  if (!arbiter.sweep.configured(arbiter.legacy_db, arbiter.modern_db)) {
    return http::problem(409, "not configured",
                         "name the tables to compare: arbiter.legacy_db.sweep.table and arbiter.modern_db.sweep.table");
  }
  const json body = json::parse(request.body.empty() ? "{}" : request.body, nullptr, false);
  const std::string by = text_of(body, "by").empty() ? "admin" : text_of(body, "by").substr(0, kMaxBy);
  const std::string slice = text_of(body, "slice").empty() ? arbiter.sweep.slice : text_of(body, "slice");
  const std::string action = text_of(body, "action").empty() ? "start" : text_of(body, "action");
  if (!body.is_object() || (action != "start" && action != "cancel"))
    return http::problem(400, "invalid request", R"(send {"slice":"NAME","by":"WHO","action":"start or cancel"})");
  if (slice != arbiter.sweep.slice) {
    return http::problem(
        404, "not found",
        fmt::format("slice '{}' is not swept; arbiter.sweep.slice is '{}'", slice, arbiter.sweep.slice));
  }
  try {
    SweepStore store(verdict_database(config));
    if (action == "cancel") return http::json_text(200, json{{"cancelled", store.cancel(slice, by)}}.dump());
    bool opened = false;
    const auto id = store.request(slice, by, opened);
    return http::json_text(opened ? 202 : 200, json{{"sweep", id}, {"slice", slice}, {"requested", opened}}.dump());
  } catch (const Failure& failure) {
    return http::problem_of({failure.code(), failure.what()});
  }
}

http::Response get_sweeps(const config::Config& config) {
  try {
    return http::json_text(200, "{\"sweeps\":" + SweepStore(verdict_database(config)).list(kListed) + "}");
  } catch (const Failure& failure) {
    return http::problem_of({failure.code(), failure.what()});
  }
}

double progress_ratio(const SweepProgress& progress) {
  if (progress.scanned) return 1;
  if (progress.estimated_rows <= 0) return 0;
  return std::min(0.99, static_cast<double>(progress.rows[0]) / static_cast<double>(progress.estimated_rows));
}

void side_metrics(const SweepStatus& sweep, telemetry::Page& page) {
  for (const Side side : {Side::legacy, Side::modern}) {
    const auto at = static_cast<std::size_t>(index(side));
    const telemetry::Labels labels{{"slice", sweep.slice}, {"side", std::string(to_string(side))}};
    page.gauge("phoenix_arbiter_sweep_rows", "Rows compared by the latest sweep.", labels,
               static_cast<double>(sweep.progress.rows[at]));
    page.gauge("phoenix_arbiter_sweep_database_seconds", "Time of its statements.", labels,
               static_cast<double>(sweep.progress.database_us[at]) / 1e6);
  }
}

}  // namespace

void add_sweep_routes(http::Router& router, const config::Config& config) {
  router.add("POST", "/sweep", [&config](const auto& request, const auto&) { return post_sweep(request, config); });
  router.add("GET", "/sweep", [&config](const auto&, const auto&) { return get_sweeps(config); });
}

void sweep_metrics(const ArbiterStatus& status, telemetry::Page& page) {
  std::map<std::string, double> undetected;
  for (const auto& [number, shard] : status.shards) {
    if (shard.sweep) undetected[shard.sweep->slice] = 0;
  }
  for (const auto& [number, shard] : status.shards) {
    for (const auto& [key, n] : shard.counters) {
      if (std::get<3>(key) == "sweep_undetected") undetected[std::get<0>(key)] += static_cast<double>(n);
    }
    if (!shard.sweep) continue;
    const SweepStatus& sweep = *shard.sweep;
    const telemetry::Labels labels{{"slice", sweep.slice}};
    page.gauge("phoenix_arbiter_sweep_running", "1 while both ledgers are compared in full.", labels,
               sweep.running ? 1 : 0);
    page.gauge("phoenix_arbiter_sweep_progress_ratio", "Share of the rows that are behind the latest sweep.", labels,
               progress_ratio(sweep.progress));
    page.gauge("phoenix_arbiter_sweep_rows_per_second", "Rows of the larger side, with the rests between chunks.",
               labels, sweep.rows_per_second);
    page.gauge("phoenix_arbiter_sweep_finished_timestamp_seconds", "End of the latest complete sweep; 0: never.",
               labels, sweep.last_finished_unix);
    side_metrics(sweep, page);
    for (const auto* state : {"undetected", "changed", "unseen", "explained", "rebased", "unreadable", "busy"}) {
      const auto at = sweep.progress.found.find(state);
      page.gauge("phoenix_arbiter_sweep_accounts", "Accounts of the latest sweep by what was found.",
                 {{"slice", sweep.slice}, {"state", state}},
                 at == sweep.progress.found.end() ? 0 : static_cast<double>(at->second));
    }
  }
  for (const auto& [slice, n] : undetected) {
    page.counter("phoenix_arbiter_sweep_undetected_total",
                 "Accounts that a sweep found different and no verdict had named: errors of the detector.",
                 {{"slice", slice}}, n);
  }
}

}  // namespace phoenix::arbiter
