// The gateway's admin port: health, metrics, status, kills, policies, reloads.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/runtime/log.hpp"
#include "gateway/gateway_impl.hpp"

namespace phoenix::gateway {
namespace {
using Json = nlohmann::json;

Json to_json(const Sequencer::LaggingKeys& keys) {
  Json out;
  for (const Side side : {Side::legacy, Side::modern}) {
    const auto at = static_cast<std::size_t>(index(side));
    out[std::string(to_string(side))] = {{"behind", keys.behind[at]}, {"incomplete", keys.incomplete[at]}};
  }
  return out;
}

Json to_json(const Sequencer::StateOfKey& key) {
  Json out;
  for (const Side side : {Side::legacy, Side::modern}) {
    const auto at = static_cast<std::size_t>(index(side));
    out[std::string(to_string(side))] = {
        {"behind", key.behind[at]}, {"in_flight", key.in_flight[at]}, {"incomplete", key.incomplete[at]}};
  }
  return out;
}
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
  router.add("GET", "/keys", [this](const auto& request, const auto&) { return get_keys(request); });
  router.add("POST", "/keys/complete",
             [this](const auto& request, const auto&) { return post_keys_complete(request); });
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
    if (accept_stale) {
      journal.complete(latch.slice, Side::legacy, kEveryKey);
      sequencers[at]->mark_complete(kEveryKey, Side::legacy);
    }
    const auto keys = sequencers[at]->summary();
    const auto legacy = static_cast<std::size_t>(index(Side::legacy));
    reply["latched"].push_back({{"slice", latch.slice},
                                {"kill_id", latch.kill_id},
                                {"keys_legacy_behind", keys.behind_keys[legacy]},
                                {"keys_legacy_incomplete", keys.incomplete_keys[legacy]},
                                {"examples", keys.examples[legacy]}});
  }
  // How long the oldest shadow leg has been on its way: what legacy may still lack.
  const Report now = report();
  reply["backlog_legacy"] = now.backlog[static_cast<std::size_t>(index(Side::legacy))];
  reply["oldest_unsettled_ms"] = std::max<std::int64_t>(0, (unix_us() - now.settled_until_us) / 1000);
  return http::json_text(200, reply.dump(2) + "\n");
}

http::Response Gateway::Impl::get_keys(const http::Request& request) {
  const auto asked = [&](const char* name) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? std::string() : found->second;
  };
  const std::string slice = asked("slice");
  const std::string limit = asked("limit");
  std::size_t most = 10'000;
  if (!limit.empty() && std::from_chars(limit.data(), limit.data() + limit.size(), most).ec != std::errc())
    return http::problem(400, "invalid request", "limit must be a number");
  const std::string key = asked("key");
  Json reply = Json::object();
  for (std::size_t i = 0; i < slice_names.size(); ++i) {
    if (!key.empty() && (slice.empty() || slice == slice_names[i]))
      reply[slice_names[i]] = to_json(sequencers[i]->state_of_key(key));
    else if (slice.empty() || slice == slice_names[i])
      reply[slice_names[i]] = to_json(sequencers[i]->lagging_keys(most));
  }
  if (reply.empty()) return http::problem(404, "not found", "there is no slice '" + slice + "'");
  return http::json_text(200, reply.dump() + "\n");
}

// On record first: what a restart would bring back must not be served in between.
http::Response Gateway::Impl::post_keys_complete(const http::Request& request) {
  const Json body = Json::parse(request.body, nullptr, false);
  const bool fits = body.is_object() && body.value("slice", Json()).is_string() &&
                    body.value("side", Json()).is_string() && body.value("reason", Json()).is_string() &&
                    body.value("keys", Json()).is_array();
  if (!fits)
    return http::problem(400, "invalid request",
                         R"(send {"slice":"NAME","side":"legacy or modern","keys":["KEY", ...],"reason":"TEXT"})");
  const auto at = std::find(slice_names.begin(), slice_names.end(), body["slice"].get<std::string>());
  const auto side = side_from_string(body["side"].get<std::string>());
  if (at == slice_names.end()) return http::problem(404, "not found", "there is no such slice");
  if (!side) return http::problem(400, "invalid request", "side is legacy or modern");
  std::vector<BusinessKey> keys;
  for (const auto& key : body["keys"]) {
    if (!key.is_string()) return http::problem(400, "invalid request", "keys are strings");
    keys.push_back(key.get<std::string>());
  }
  if (!journal.complete(*at, *side, keys))
    return http::problem(503, "spool full", "the journal takes no records: " + journal.problem());
  sequencers[static_cast<std::size_t>(at - slice_names.begin())]->mark_complete(keys, *side);
  log::warn("{} keys of slice '{}' are complete on {} again, by {}: {}", keys.size(), *at, to_string(*side),
            body.value("by", Json("admin")).dump(), body["reason"].get<std::string>());
  return http::json_text(200, Json{{"complete", keys.size()}, {"gateway", identity.gateway}}.dump() + "\n");
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
