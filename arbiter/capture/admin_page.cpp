#include "arbiter/capture/admin_page.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/telemetry/metrics.hpp"

namespace phoenix::capture {
namespace {

std::string problem_of_side(const SideState& state) {
  if (!state.streaming) return state.problem.empty() ? "not reading" : state.problem;
  if (!state.slot_problem.empty()) return state.slot_problem;
  if (!state.marker_problem.empty()) return state.marker_problem;
  return state.log_blocked ? "the event log takes no records; reading waits" : "";
}

void lag_metrics(const SideStates& sides, telemetry::Page& page) {
  for (const auto& [side, state] : sides) {
    if (!state.lag) continue;
    const telemetry::Labels labels{{"side", side}};
    page.gauge("phoenix_capture_slot_lag_bytes", "From what is confirmed to the end of the write-ahead log.", labels,
               static_cast<double>(state.lag->bytes));
    page.gauge("phoenix_capture_slot_lag_seconds", "Age of the oldest write-ahead log that is not confirmed.", labels,
               state.lag->seconds);
    page.gauge("phoenix_capture_slot_retained_bytes", "Write-ahead log that Postgres keeps because of the slot.",
               labels, static_cast<double>(state.lag->retained));
  }
}

void counters(const std::string& side, const SideState& state, telemetry::Page& page) {
  const telemetry::Labels labels{{"side", side}};
  const auto count = [&](const char* name, const char* help, std::uint64_t n) {
    page.counter(fmt::format("phoenix_capture_{}", name), help, labels, static_cast<double>(n));
  };
  count("transactions_total", "Transactions with changes of captured tables.", state.transactions);
  count("foreign_transactions_total", "Of these, without a message of Phoenix.", state.foreign_transactions);
  count("malformed_messages_total", "Messages of Phoenix that hold no exchange id.", state.malformed_messages);
  count("values_left_out_total", "Values too long for the event log.", state.values_left_out);
  count("gaps_total", "Gap records published.", state.gaps);
  count("markers_total", "Markers published: what is not there by then does not exist.", state.markers);
  count("reconnects_total", "Attempts to connect again.", state.reconnects);
  for (const auto& [of, n] : state.records) {
    page.counter("phoenix_capture_records_total", "Records handed to the event log.",
                 {{"side", side}, {"table", of.first}, {"op", std::string(1, of.second)}}, static_cast<double>(n));
  }
}

}  // namespace

std::string unready_reason(const SideStates& sides) {
  std::string reason;
  for (const auto& [side, state] : sides) {
    const std::string problem = problem_of_side(state);
    if (!problem.empty()) reason += fmt::format("{}{}: {}", reason.empty() ? "" : "; ", side, problem);
  }
  return reason;
}

std::string metrics_text(const SideStates& sides) {
  telemetry::Page page;
  for (const auto& [side, state] : sides) {
    page.gauge("phoenix_capture_up", "1 while the slot is read.", {{"side", side}}, state.streaming ? 1 : 0);
    page.gauge("phoenix_capture_confirmed_lsn", "Position up to which the event log holds everything.",
               {{"side", side}}, static_cast<double>(state.confirmed));
  }
  lag_metrics(sides, page);
  for (const auto& [side, state] : sides) counters(side, state, page);
  return page.render();
}

http::Handler admin_handler(std::function<SideStates()> sides) {
  http::Router router;
  router.add("GET", "/healthz", [](const auto&, const auto&) { return http::json_text(200, R"({"status":"ok"})"); });
  router.add("GET", "/readyz", [sides](const auto&, const auto&) {
    const std::string reason = unready_reason(sides());
    const nlohmann::json body{{"ready", reason.empty()}, {"reason", reason}};
    return http::json_text(reason.empty() ? 200 : 503,
                           body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  });
  router.add("GET", "/metrics", [sides](const auto&, const auto&) {
    http::Response response;
    response.content_type = "text/plain; version=0.0.4";
    response.body = metrics_text(sides());
    return response;
  });
  return [router](const http::Request& request) { return router(request); };
}

}  // namespace phoenix::capture
