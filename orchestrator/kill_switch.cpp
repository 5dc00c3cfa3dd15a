#include "orchestrator/kill_switch.hpp"

#include <nlohmann/json.hpp>

#include "core/runtime/log.hpp"

namespace phoenix::orchestrator {
namespace {

constexpr std::size_t kMaxOrders = 64;
constexpr std::chrono::seconds kTimeout{2};

}  // namespace

std::vector<KillReply> kill_gateways(const std::vector<config::Endpoint>& gateways, const KillOrder& order,
                                     std::chrono::milliseconds timeout) {
  nlohmann::json document{{"slice", order.slice}, {"reason", order.reason}, {"by", order.by}};
  if (!order.kill_id.empty()) document["kill_id"] = order.kill_id;
  const std::string body = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return post_to_gateways(gateways, "/kill", body, "killed", timeout);
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
