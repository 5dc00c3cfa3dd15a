#include "gateway/backend_report.hpp"

#include <nlohmann/json.hpp>

#include "gateway/coarse_clock.hpp"

namespace phoenix::gateway {
namespace {

const std::string kPrefix = "phoenix_gateway_";

std::string_view circuit_of(const BackendReport& backend, SteadyTime now) {
  switch (backend.state->gate->breaker.state(now)) {
    case CircuitBreaker::State::open:
      return "open";
    case CircuitBreaker::State::half_open:
      return "half_open";
    case CircuitBreaker::State::closed:
      break;
  }
  return "closed";
}

}  // namespace

void add_backend_metrics(telemetry::Page& page, const BackendReport& backend) {
  if (!backend.state) return;
  const SteadyTime now = coarse_now();  // as requests see it
  const std::pair<std::string, std::string> label{"backend", to_string(backend.state->side)};
  for (const auto& endpoint : backend.state->endpoints) {
    const telemetry::Labels labels{label, {"endpoint", endpoint->name}};
    page.gauge(kPrefix + "endpoint_up", "1 while it gets requests and the latest connect worked.", labels,
               endpoint->state(now) == "up" ? 1 : 0);
    page.counter(kPrefix + "endpoint_ejections_total", "Ejections after failures in a row.", labels,
                 static_cast<double>(endpoint->ejections));
  }
  for (const std::string_view state : {"closed", "open", "half_open"}) {
    page.gauge(kPrefix + "circuit_state", "1 for the state that the circuit breaker is in.",
               {label, {"state", std::string(state)}}, state == circuit_of(backend, now) ? 1 : 0);
  }
  for (const Refusal refusal : {Refusal::connect_failed, Refusal::in_flight, Refusal::circuit_open}) {
    page.counter(kPrefix + "backend_refused_total", "Serving legs that got no connection.",
                 {label, {"reason", std::string(to_string(refusal))}},
                 static_cast<double>(backend.state->gate->refused[static_cast<std::size_t>(refusal)]));
  }
}

nlohmann::json to_json(const BackendReport& backend) {
  const SteadyTime now = coarse_now();  // as requests see it
  nlohmann::json json{{"circuit", circuit_of(backend, now)},
                      {"refused", nlohmann::json::object()},
                      {"endpoints", nlohmann::json::array()}};
  for (const Refusal refusal : {Refusal::connect_failed, Refusal::in_flight, Refusal::circuit_open}) {
    json["refused"][std::string(to_string(refusal))] =
        backend.state->gate->refused[static_cast<std::size_t>(refusal)].load();
  }
  for (std::size_t i = 0; i < backend.endpoints.size(); ++i) {
    const EndpointState& endpoint = *backend.state->endpoints[i];
    json["endpoints"].push_back({{"name", endpoint.name},
                                 {"state", endpoint.state(now)},
                                 {"ejections", endpoint.ejections.load()},
                                 {"idle", backend.endpoints[i].idle},
                                 {"active", backend.endpoints[i].active}});
  }
  return json;
}

}  // namespace phoenix::gateway
