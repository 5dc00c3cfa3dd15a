#include "tests/simulation/detector/gateway_model.hpp"

#include <algorithm>

#include "core/model/exchange_id.hpp"

namespace phoenix::detector {

using gateway::Admission;
using gateway::Sequencer;
using gateway::ShadowNeed;
using gateway::ShadowResult;
using gateway::Ticket;
using Kind = Operation::Kind;

namespace {

constexpr std::int64_t kGateWaitUs = 50'000;

}  // namespace

bool uncertain(const LegAnswer& answer) {
  return answer.outcome == LegOutcome::timeout || answer.outcome == LegOutcome::reset || answer.status >= 500;
}

bool accepted(const LegAnswer& answer) {
  return answer.outcome == LegOutcome::ok && answer.status >= 200 && answer.status < 300;
}

GatewayModel::GatewayModel(World& world) : world_(world) {
  lives_.push_back(std::make_unique<Sequencer>());
}

std::int64_t GatewayModel::settled_until_us() const {
  return unsettled_.empty() ? world_.events.now() : *unsettled_.begin();
}

Side GatewayModel::target_of(const Operation& operation) const {
  const auto in_cohort = [&](int account) { return account * 37 % 100 < world_.weight_percent; };
  if (operation.kind == Kind::open) return world_.weight_percent == 100 ? Side::modern : Side::legacy;
  const bool modern = in_cohort(operation.account) && (operation.second == 0 || in_cohort(operation.second));
  return modern ? Side::modern : Side::legacy;
}

GatewayModel::ExchangePtr GatewayModel::held(const Ticket& ticket) {
  return under_way_.at(static_cast<Exchange*>(ticket.owner)->operation.number);
}

void GatewayModel::fill_ticket(Exchange& exchange, std::vector<BusinessKey> keys) {
  Ticket& ticket = exchange.ticket;
  ticket.keys = std::move(keys);
  ticket.write = exchange.operation.write();
  ticket.target = exchange.target;
  ticket.other_side_allowed = world_.scenario.weight_percent > 0;
  ticket.owner = &exchange;
  ticket.resume = [](Ticket& granted) {
    GatewayModel& gateway = *static_cast<Exchange*>(granted.owner)->gateway;
    ExchangePtr resumed = gateway.held(granted);
    resumed->waiting = false;
    resumed->gated = true;
    gateway.world_.events.after(0, [&gateway, resumed] { gateway.serve(resumed); });
  };
  ticket.run_shadow = [](Ticket& ready) {
    GatewayModel& gateway = *static_cast<Exchange*>(ready.owner)->gateway;
    gateway.world_.events.after(0, [&gateway, turn = gateway.held(ready)] { gateway.send_shadow(turn); });
  };
}

void GatewayModel::receive(const Operation& operation, Reply reply) {
  if (down_) {
    world_.events.after(100, [reply = std::move(reply)] { reply({LegOutcome::connect_failed, 0, 0, ""}); });
    return;
  }
  auto exchange = std::make_shared<Exchange>();
  exchange->gateway = this;
  exchange->operation = operation;
  exchange->id =
      make_exchange_id(static_cast<std::uint64_t>(world_.unix_us() / 1'000), operation.number, operation.number)
          .to_string();
  exchange->received_us = world_.events.now();
  exchange->reply = std::move(reply);
  exchange->target = exchange->side = target_of(operation);
  under_way_.emplace(operation.number, exchange);
  unsettled_.insert(exchange->received_us);
  if (operation.kind == Kind::open) return serve(exchange);
  std::vector<BusinessKey> keys{std::to_string(operation.account)};
  if (operation.second != 0) keys.push_back(std::to_string(operation.second));
  fill_ticket(*exchange, std::move(keys));
  if (lives_.back()->admit(exchange->ticket) == Admission::granted) {
    exchange->gated = true;
    return serve(exchange);
  }
  exchange->waiting = true;
  world_.events.after(kGateWaitUs, [this, exchange, life = lives_.size()] {
    if (down_ || life != lives_.size() || !exchange->waiting || !lives_.back()->cancel_wait(exchange->ticket)) return;
    exchange->waiting = false;
    exchange->excluded = "gate_wait";
    this->reply(*exchange, {LegOutcome::ok, 503, 0, ""});
    finish(exchange);
  });
}

void GatewayModel::serve(const ExchangePtr& exchange) {
  if (!under_way_.contains(exchange->operation.number)) return;  // the process died before
  if (exchange->gated) exchange->side = exchange->ticket.side;
  exchange->sent = true;
  world_.send(exchange->side, exchange->operation, exchange->id,
              [this, exchange, life = lives_.size()](const LegAnswer& answer) {
                if (life == lives_.size() && !down_) answered(exchange, answer);
              });
}

/// The account's id is known now: everything later on it stands behind this.
void GatewayModel::adopt_opened_account(Exchange& exchange) {
  if (exchange.operation.kind != Kind::open || !accepted(exchange.serving)) return;
  exchange.operation.account = exchange.serving.account;
  exchange.target = exchange.side;
  fill_ticket(exchange, {std::to_string(exchange.serving.account)});
  exchange.ticket.other_side_allowed = false;
  exchange.gated = lives_.back()->admit(exchange.ticket) == Admission::granted;
}

void GatewayModel::answered(const ExchangePtr& exchange, const LegAnswer& answer) {
  exchange->serving = answer;
  exchange->served = true;
  adopt_opened_account(*exchange);
  const bool write = exchange->operation.write();
  ShadowNeed need = answer.outcome == LegOutcome::ok ? ShadowNeed::send : ShadowNeed::none;
  if (write && uncertain(answer)) need = ShadowNeed::forfeit;
  bool run_now = need == ShadowNeed::send;
  if (exchange->gated) {
    run_now = lives_.back()->complete(exchange->ticket, need);
    if (need == ShadowNeed::send && !Sequencer::is_queued(exchange->ticket)) {
      exchange->excluded = "overlap";
      need = ShadowNeed::none;
    }
  }
  if (need == ShadowNeed::forfeit) mark_incomplete(*exchange);
  reply(*exchange, answer);
  if (need != ShadowNeed::send) return finish(exchange);
  if (run_now) world_.events.after(0, [this, exchange] { send_shadow(exchange); });
}

void GatewayModel::send_shadow(const ExchangePtr& exchange) {
  if (!under_way_.contains(exchange->operation.number) || exchange->shadow_sent) return;
  exchange->shadow_sent = true;
  world_.send(other(exchange->side), exchange->operation, exchange->id,
              [this, exchange, life = lives_.size()](const LegAnswer& answer) {
                if (life == lives_.size() && !down_) shadow_over(exchange, answer);
              });
}

void GatewayModel::shadow_over(const ExchangePtr& exchange, const LegAnswer& answer) {
  exchange->shadow = answer;
  ShadowResult result = ShadowResult::applied;
  if (answer.outcome != LegOutcome::ok || uncertain(answer)) {
    result = ShadowResult::lost;
  } else if (accepted(exchange->serving) != accepted(answer)) {
    result = ShadowResult::disagreed;
  }
  if (exchange->operation.write() && result != ShadowResult::applied) mark_incomplete(*exchange);
  if (Sequencer::is_queued(exchange->ticket)) lives_.back()->shadow_done(exchange->ticket, result);
  finish(exchange);
}

void GatewayModel::mark_incomplete(const Exchange& exchange) {
  for (const auto& key : exchange.ticket.keys) incomplete_.emplace(key, other(exchange.side));
}

void GatewayModel::reply(Exchange& exchange, const LegAnswer& answer) {
  if (!exchange.reply) return;
  world_.events.after(50, [reply = std::exchange(exchange.reply, nullptr), answer] { reply(answer); });
}

}  // namespace phoenix::detector
