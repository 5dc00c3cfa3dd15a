#include "orchestrator/kill_switch.hpp"

#include <fmt/format.h>

#include <future>
#include <nlohmann/json.hpp>

#include "core/http/client.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::orchestrator {
namespace {

constexpr std::size_t kMaxOrders = 64;
constexpr std::chrono::seconds kTimeout{2};

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

KillReply kill_gateway(const config::Endpoint& gateway, const std::string& body, std::chrono::milliseconds timeout) {
  http::Client client(gateway, timeout);
  const auto response = client.request("POST", "/kill", body, {{"Content-Type", "application/json"}});
  if (!response) return {gateway.to_string(), false, response.error().message};
  if (response->status / 100 == 2) return {gateway.to_string(), true, "killed"};
  return {gateway.to_string(), false, fmt::format("answered {}: {}", response->status, detail_of(response->body))};
}

}  // namespace

std::vector<KillReply> kill_gateways(const std::vector<config::Endpoint>& gateways, const KillOrder& order,
                                     std::chrono::milliseconds timeout) {
  nlohmann::json document{{"slice", order.slice}, {"reason", order.reason}, {"by", order.by}};
  if (!order.kill_id.empty()) document["kill_id"] = order.kill_id;
  const std::string body = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::vector<std::future<KillReply>> asked;
  asked.reserve(gateways.size());
  for (const auto& gateway : gateways) {
    asked.push_back(
        std::async(std::launch::async, [&gateway, &body, timeout] { return kill_gateway(gateway, body, timeout); }));
  }
  std::vector<KillReply> replies;
  replies.reserve(asked.size());
  for (auto& reply : asked) replies.push_back(reply.get());
  return replies;
}

KillSwitch::KillSwitch(std::vector<config::Endpoint> gateways)
    : gateways_(std::move(gateways)), orders_(kMaxOrders, kMaxOrders), thread_([this] { run(); }) {}

KillSwitch::~KillSwitch() {
  orders_.close();
  thread_.join();
}

void KillSwitch::send(KillOrder order) {
  if (!orders_.try_push(std::move(order), 1))
    log::warn("kill switch: too many orders wait; the policy carries this one alone");
}

void KillSwitch::run() {
  while (true) {
    const auto batch = orders_.pop_batch(1, std::chrono::seconds(1));
    if (batch.empty() && orders_.closed()) return;
    for (const auto& order : batch) {
      for (const auto& reply : kill_gateways(gateways_, order, kTimeout)) {
        if (!reply.acknowledged) log::warn("kill switch: gateway {}: {}", reply.gateway, reply.detail);
      }
    }
  }
}

}  // namespace phoenix::orchestrator
