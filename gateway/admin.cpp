// The gateway's admin port: health, metrics, status, kills, policies, reloads.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/runtime/log.hpp"
#include "gateway/gateway_impl.hpp"

namespace phoenix::gateway {
namespace {
using Json = nlohmann::json;
}  // namespace

http::Router Gateway::Impl::admin_router() {
  http::Router router;
  router.add("GET", "/healthz",
             [](const auto&, const auto&) { return http::json_text(200, "{\"status\":\"alive\"}\n"); });
  router.add("GET", "/readyz", [this](const auto&, const auto&) {
    if (leaving) return http::problem(503, "draining", "the gateway is shutting down");
    return http::json_text(200, "{\"status\":\"ready\"}\n");
  });
  router.add("GET", "/metrics", [this](const auto&, const auto&) {
    http::Response response;
    response.content_type = "text/plain; version=0.0.4";
    response.body = to_metrics(report(), policy.current(), policy.lease_left(), slice_names);
    return response;
  });
  router.add("GET", "/status", [this](const auto&, const auto&) {
    const Report now = report();
    return http::json_text(200, to_status_json(now, to_status(now, policy.current(), slice_names, identity, leaving)));
  });
  router.add("POST", "/kill", [this](const auto& request, const auto&) { return post_kill(request); });
  router.add("POST", "/reload", [this](const auto&, const auto&) { return post_reload(); });
  router.add("PUT", "/policy", [this](const auto& request, const auto&) { return put_policy(request); });
  return router;
}

http::Response Gateway::Impl::post_kill(const http::Request& request) {
  const Json body = Json::parse(request.body, nullptr, false);
  if (!body.is_object())
    return http::problem(400, "invalid request", "send {\"slice\":\"NAME or *\",\"reason\":\"TEXT\"}");
  const auto text = [&](const char* name) {
    return body.contains(name) && body[name].is_string() ? body[name].get<std::string>() : std::string();
  };
  const std::string slice = text("slice").empty() ? "*" : text("slice");
  if (text("reason").empty()) return http::problem(400, "invalid request", "a kill needs a reason");
  const std::string by = text("by").empty() ? "admin" : text("by");
  const auto outcome = policy.kill(slice, text("reason"), by, text("kill_id"));
  if (!outcome) return http::problem_of(outcome.error());
  const bool accept_stale =
      body.contains("accept_stale") && body["accept_stale"].is_boolean() && body["accept_stale"].get<bool>();
  log::warn("kill of '{}' by {}: {}{}", slice, by, text("reason"), accept_stale ? " (accepting stale keys)" : "");
  Json reply{{"acknowledged", true},
             {"gateway", identity.gateway},
             {"latched", Json::array()},
             {"unchanged_bypass", outcome->unchanged_bypass},
             {"unchanged_retired", outcome->unchanged_retired}};
  for (const auto& latch : outcome->latched) {
    const auto at =
        static_cast<std::size_t>(std::find(slice_names.begin(), slice_names.end(), latch.slice) - slice_names.begin());
    if (accept_stale) sequencers[at]->accept_stale(Side::legacy);
    const auto keys = sequencers[at]->summary();
    const auto legacy = static_cast<std::size_t>(index(Side::legacy));
    reply["latched"].push_back({{"slice", latch.slice},
                                {"kill_id", latch.kill_id},
                                {"keys_legacy_behind", keys.behind_keys[legacy]},
                                {"keys_legacy_incomplete", keys.incomplete_keys[legacy]},
                                {"examples", keys.examples[legacy]}});
  }
  return http::json_text(200, reply.dump(2) + "\n");
}

http::Response Gateway::Impl::put_policy(const http::Request& request) {
  const auto decoded = decode_traffic_policy(request.body);
  if (!decoded) return http::problem_of(decoded.error());
  const auto applied = policy.apply(*decoded, PolicySource::live);
  if (!applied) return http::problem_of(applied.error());
  return http::json_text(200, Json{{"applied_epoch", decoded->epoch}, {"gateway", identity.gateway}}.dump() + "\n");
}

http::Response Gateway::Impl::post_reload() {
  const auto outcome = reload();
  if (!outcome) {
    return outcome.error().code == ErrorCode::conflict
               ? http::problem_of(outcome.error())
               : http::problem(422, "the configuration was refused", outcome.error().message);
  }
  return http::json_text(
      200, Json{{"reloaded", true}, {"gateway", identity.gateway}, {"config_hash", reloads_now().config_hash}}.dump() +
               "\n");
}

}  // namespace phoenix::gateway
