#include "orchestrator/gateway_calls.hpp"

#include <fmt/format.h>

#include <future>
#include <nlohmann/json.hpp>

#include "core/http/client.hpp"

namespace phoenix::orchestrator {
namespace {

/// The `detail` of problem JSON, else the body's first line.
std::string detail_of(const std::string& body) {
  const auto document = nlohmann::json::parse(body, nullptr, false);
  if (document.is_object()) {
    for (const char* key : {"detail", "title"}) {
      if (document.contains(key) && document[key].is_string()) return document[key].get<std::string>();
    }
  }
  return body.substr(0, std::min<std::size_t>(body.find('\n'), 200));
}

}  // namespace

std::vector<GatewayReply> post_to_gateways(const std::vector<config::Endpoint>& gateways, const std::string& target,
                                           const std::string& body, const std::string& done,
                                           std::chrono::milliseconds timeout) {
  const auto ask = [&](const config::Endpoint& gateway) -> GatewayReply {
    http::Client client(gateway, timeout);
    const auto response = client.request("POST", target, body, {{"Content-Type", "application/json"}});
    if (!response) return {gateway.to_string(), false, response.error().message};
    if (response->status / 100 == 2) return {gateway.to_string(), true, done};
    return {gateway.to_string(), false, fmt::format("answered {}: {}", response->status, detail_of(response->body))};
  };
  std::vector<std::future<GatewayReply>> asked;
  asked.reserve(gateways.size());
  for (const auto& gateway : gateways) asked.push_back(std::async(std::launch::async, ask, std::cref(gateway)));
  std::vector<GatewayReply> replies;
  replies.reserve(asked.size());
  for (auto& reply : asked) replies.push_back(reply.get());
  return replies;
}

}  // namespace phoenix::orchestrator
