// A crash of the gateway of a run, and what the next process makes of the journal. Follows gateway/recovery.cpp.
#include <fmt/format.h>

#include <algorithm>

#include "tests/simulation/detector/gateway_model.hpp"

namespace phoenix::detector {

using gateway::Sequencer;

void GatewayModel::crash(std::int64_t pause_us) {
  if (down_) return;
  down_ = true;
  std::vector<ExchangePtr> left;
  for (auto& [number, exchange] : under_way_) {
    graves_.push_back(exchange);
    reply(*exchange, {LegOutcome::reset, 0, 0, ""});
    if (exchange->operation.write() && exchange->sent) {
      left.push_back(exchange);
      if (!exchange->served || exchange->shadow_sent) world_.truth.disturbed(exchange->operation);
    } else {
      unsettled_.erase(unsettled_.find(exchange->received_us));
    }
  }
  under_way_.clear();
  std::sort(left.begin(), left.end(), [](const auto& a, const auto& b) {
    return std::pair(a->ticket.completion, a->operation.number) < std::pair(b->ticket.completion, b->operation.number);
  });
  world_.events.after(pause_us, [this, left] {
    down_ = false;
    lives_.push_back(std::make_unique<Sequencer>());
    incarnation_ = fmt::format("run-{}", lives_.size());
    sequence_ = 0;
    for (const auto& [key, side] : incomplete_) lives_.back()->mark_incomplete({key}, side);
    for (const auto& exchange : left) recover(exchange);
  });
}

void GatewayModel::recover(const ExchangePtr& dead) {
  auto exchange = std::make_shared<Exchange>();
  exchange->gateway = this;
  exchange->operation = dead->operation;
  exchange->id = dead->id;
  exchange->received_us = dead->received_us;
  exchange->serving = dead->serving;
  exchange->side = dead->side;
  exchange->target = dead->target;
  exchange->gated = dead->gated;
  exchange->sent = true;
  exchange->ticket.keys = dead->ticket.keys;
  exchange->ticket.write = true;
  exchange->ticket.overlap = dead->ticket.overlap;
  under_way_.emplace(exchange->operation.number, exchange);
  if (!dead->served || dead->shadow_sent) {  // nobody can say whether a backend has applied it
    mark_incomplete(*exchange);
    lives_.back()->mark_incomplete(exchange->ticket.keys, other(exchange->side));
    if (dead->served) {
      exchange->shadow.outcome = LegOutcome::reset;
    } else {
      exchange->dropped = kLostWithGateway;
    }
    return finish(exchange);
  }
  exchange->served = true;
  fill_ticket(*exchange, dead->ticket.keys);
  exchange->ticket.side = exchange->side;
  exchange->ticket.completion = dead->ticket.completion;
  if (lives_.back()->restore(exchange->ticket)) {
    world_.events.after(0, [this, exchange] { send_shadow(exchange); });
  }
}

}  // namespace phoenix::detector
