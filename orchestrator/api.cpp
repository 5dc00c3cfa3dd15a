#include "orchestrator/api.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "orchestrator/metrics_page.hpp"
#include "orchestrator/resync.hpp"
#include "orchestrator/state_store.hpp"
#include "orchestrator/status_document.hpp"
#include "orchestrator/sweep_calls.hpp"

namespace phoenix::orchestrator {
namespace {

using http::Request;
using http::Response;
using nlohmann::json;
using Params = http::Router::Params;

constexpr std::size_t kMaxLimit = 10'000;

StatusInput status_input(const ApiParts& parts) {
  StatusInput input{
      parts.authority.view(), parts.clock.monotonic(), parts.loop.decisions(), {}, parts.board.gateways()};
  for (const auto& slice : input.policy.state.policy.slices) input.evidence[slice.name] = parts.board.evidence(slice);
  return input;
}

std::string query_value(const Request& request, const char* name) {
  const auto it = request.query.find(name);
  return it == request.query.end() ? "" : it->second;
}

Result<std::size_t> limit_of(const Request& request, std::size_t fallback) {
  const std::string text = query_value(request, "limit");
  if (text.empty()) return fallback;
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size() || limit == 0 || limit > kMaxLimit) {
    return invalid_input(fmt::format("limit must be a number from 1 to {}", kMaxLimit));
  }
  return limit;
}

Response rows(const char* name, const Result<std::string>& array) {
  if (!array) return http::problem_of(array.error());
  return http::json_text(200, fmt::format("{{\"{}\":{}}}", name, *array));
}

Response verdicts(const ApiParts& parts, const Request& request) {
  static constexpr std::array kKnown{"slice", "route", "kind", "account", "since", "limit"};
  for (const auto& [name, value] : request.query) {
    if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
      return http::problem_of(
          invalid_input(fmt::format("unknown filter '{}'; there are slice, route, kind, account, since, limit", name)));
    }
  }
  const std::string kind = query_value(request, "kind");
  if (!kind.empty() && !verdict_from_string(kind))
    return http::problem_of(invalid_input(fmt::format("unknown kind of verdict '{}'", kind)));
  const auto limit = limit_of(request, 100);
  if (!limit) return http::problem_of(limit.error());
  return rows("verdicts",
              parts.arbiter.verdicts({query_value(request, "slice"), query_value(request, "route"), kind,
                                      query_value(request, "account"), query_value(request, "since"), *limit}));
}

Response groups(const ApiParts& parts, const Request& request) {
  for (const auto& [name, value] : request.query) {
    if (name != "slice" && name != "limit")
      return http::problem_of(invalid_input(fmt::format("unknown filter '{}'; there are slice, limit", name)));
  }
  const auto limit = limit_of(request, 100);
  if (!limit) return http::problem_of(limit.error());
  return rows("groups", parts.arbiter.groups(query_value(request, "slice"), *limit));
}

Response noise(const ApiParts& parts, const Request& request) {
  return rows("noise", parts.arbiter.noise(query_value(request, "slice")));
}

Response sweeps(const ApiParts& parts, const Request& request) {
  const auto limit = limit_of(request, 20);
  if (!limit) return http::problem_of(limit.error());
  return rows("sweeps", parts.arbiter.sweeps(*limit));
}

Response sweep(const ApiParts& parts, const Request& request, const std::string& id) {
  const auto limit = limit_of(request, 1'000);
  if (!limit) return http::problem_of(limit.error());
  auto document = parts.arbiter.sweep(id, *limit);
  return document ? http::json_text(200, std::move(*document)) : http::problem_of(document.error());
}

json history_row(const AuditRow& row) {
  return {{"seq", row.seq},
          {"at_unix_ms", row.entry.at_unix_ms},
          {"who", row.entry.who},
          {"action", row.entry.action},
          {"slice", row.entry.slice},
          {"from", row.entry.from},
          {"to", row.entry.to},
          {"reason", row.entry.reason},
          {"evidence", json::parse(row.entry.evidence, nullptr, false)},
          {"config_hash", row.config_hash},
          {"prev_hash", row.prev_hash},
          {"hash", row.hash}};
}

Response history(const ApiParts& parts, const Request& request) {
  const auto limit = limit_of(request, 200);
  if (!limit) return http::problem_of(limit.error());
  const bool verify = query_value(request, "verify") == "true";
  try {
    // Verifying needs the whole chain; what is shown stays within the limit.
    const AuditHistory history =
        read_history(parts.config.orchestrator.database, parts.config.migration_name, verify ? 0 : *limit);
    json document{{"history", json::array()}};
    const std::size_t first = history.rows.size() > *limit ? history.rows.size() - *limit : 0;
    for (std::size_t i = first; i < history.rows.size(); ++i)
      document["history"].push_back(history_row(history.rows[i]));
    if (verify) {
      const AuditCheck check = verify_chain(history.rows, history.head);
      document["verification"] = {{"intact", check.intact},
                                  {"records", check.rows},
                                  {"first_bad_seq", check.first_bad_seq},
                                  {"detail", check.detail}};
    }
    return http::json_text(200, document.dump(-1, ' ', false, json::error_handler_t::replace));
  } catch (const Failure& failure) {
    return http::problem_of({failure.code(), failure.what()});
  }
}

Response ready(const ApiParts& parts) {
  const PolicyView view = parts.authority.view();
  if (view.leading) return http::json_text(200, R"({"ready":true})");
  return http::json_text(503, json{{"ready", false}, {"reason", view.standby_reason}}.dump());
}

Response metrics(const ApiParts& parts) {
  return {200,
          "text/plain; version=0.0.4",
          metrics_page(parts.config, status_input(parts), parts.loop.counters()),
          {},
          Response::Fault::none};
}

}  // namespace

http::Handler make_api(const ApiParts& parts) {
  auto router = std::make_shared<http::Router>();
  router
      ->add("GET", "/healthz", [](const Request&, const Params&) { return http::json_text(200, R"({"alive":true})"); })
      .add("GET", "/readyz", [parts](const Request&, const Params&) { return ready(parts); })
      .add("GET", "/metrics", [parts](const Request&, const Params&) { return metrics(parts); })
      .add("GET", "/api/v1/status",
           [parts](const Request&, const Params&) {
             return http::json_text(200, status_document(parts.config, status_input(parts)));
           })
      .add("GET", "/api/v1/slices/{name}",
           [parts](const Request&, const Params& params) {
             auto document = slice_document(parts.config, status_input(parts), params.at("name"));
             if (document.empty())
               return http::problem_of({ErrorCode::not_found, fmt::format("no slice '{}'", params.at("name"))});
             return http::json_text(200, std::move(document));
           })
      .add("POST", "/api/v1/kill",
           [parts](const Request& request, const Params&) {
             const auto body = json::parse(request.body, nullptr, false);
             const auto slice = body.is_object() ? body.value("slice", json("*")) : json("*");
             if (!slice.is_string()) return http::problem_of(invalid_input("'slice' must be a string"));
             return parts.actions.kill(slice.get<std::string>(), request.body);
           })
      .add("GET", "/api/v1/verdicts",
           [parts](const Request& request, const Params&) { return verdicts(parts, request); })
      .add("GET", "/api/v1/groups", [parts](const Request& request, const Params&) { return groups(parts, request); })
      .add("GET", "/api/v1/exchanges/{id}",
           [parts](const Request&, const Params& params) {
             auto document = parts.arbiter.exchange(params.at("id"));
             return document ? http::json_text(200, std::move(*document)) : http::problem_of(document.error());
           })
      .add("GET", "/api/v1/drift",
           [parts](const Request&, const Params&) { return rows("drift", parts.arbiter.drift()); })
      .add("POST", "/api/v1/slices/{name}/resync",
           [parts](const Request& request, const Params& params) {
             return resync({parts.config, parts.clock, parts.authority, parts.producer}, params.at("name"),
                           request.body);
           })
      .add("POST", "/api/v1/sweep",
           [parts](const Request& request, const Params&) { return post_sweep(parts.config, request.body); })
      .add("GET", "/api/v1/noise", [parts](const Request& request, const Params&) { return noise(parts, request); })
      .add("GET", "/api/v1/sweeps", [parts](const Request& request, const Params&) { return sweeps(parts, request); })
      .add("GET", "/api/v1/sweeps/{id}",
           [parts](const Request& request, const Params& params) { return sweep(parts, request, params.at("id")); })
      .add("GET", "/api/v1/history",
           [parts](const Request& request, const Params&) { return history(parts, request); });
  for (const char* action : {"weight", "pause", "resume", "approve", "promote", "retire", "kill", "reset"}) {
    router->add("POST", std::string("/api/v1/slices/{name}/") + action,
                [parts, action](const Request& request, const Params& params) {
                  return parts.actions.act(params.at("name"), action, request.body);
                });
  }
  return [router](const Request& request) { return (*router)(request); };
}

}  // namespace phoenix::orchestrator
