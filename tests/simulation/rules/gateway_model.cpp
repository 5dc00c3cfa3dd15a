#include "tests/simulation/rules/gateway_model.hpp"

#include "tests/simulation/rules/decisions.hpp"

namespace phoenix::simulation {

using gateway::Admission;
using gateway::KeyState;
using gateway::Sequencer;
using gateway::Ticket;

namespace {

constexpr int kNaiveAttempts = 3;

SimulatedExchange& owner_of(Ticket& ticket) {
  return *static_cast<SimulatedExchange*>(ticket.owner);
}

}  // namespace

GatewayModel::GatewayModel(World& world, Journal& journal)
    : world_(world), journal_(journal), to_legacy_(*this, Side::legacy), to_modern_(*this, Side::modern) {
  if (!world_.rules.journal) journal_.lose();
  for (const auto& record : journal_.replay()) replay(record);
}

void GatewayModel::receive(const Operation& operation, Reply reply) {
  ++world_.oracle.figures.exchanges;
  SimulatedExchange& exchange = exchanges_.emplace_back();
  exchange.operation = operation;
  exchange.gateway = this;
  exchange.reply = std::move(reply);
  const bool opening = operation.kind == Operation::Kind::open;
  exchange.key_state = opening                    ? KeyState::none_configured
                       : operation.keys_readable  ? KeyState::available
                       : world_.rules.unknown_key ? KeyState::unavailable
                                                  : KeyState::none_configured;
  choose(exchange);
  admit(exchange);
}

void GatewayModel::choose(SimulatedExchange& exchange) {
  exchange.slice = world_.policy;
  exchange.choice = choose_side_for(exchange.slice, exchange.operation, exchange.key_state, world_.rules);
}

// --- admit -----------------------------------------------------------------------------------------------------------

Sequencer& GatewayModel::sequencer_for(const SimulatedExchange& exchange) {
  const bool at_once = exchange.slice.killed && !world_.rules.kill_drains;
  if (world_.rules.gate && !at_once) return sequencers_[0];
  return sequencers_[static_cast<std::size_t>(1 + index(exchange.choice.target))];
}

void GatewayModel::fill_ticket(SimulatedExchange& exchange) {
  Ticket& ticket = exchange.ticket;
  if (exchange.key_state == KeyState::available) ticket.keys = exchange.operation.keys();
  ticket.any_key = exchange.key_state == KeyState::unavailable;
  ticket.write = exchange.operation.write();
  ticket.strict = world_.rules.strict;
  ticket.unordered = !world_.rules.ordered;
  ticket.target = exchange.choice.target;
  const bool modern_may = exchange.slice.stage == Stage::canary || exchange.slice.stage == Stage::promoted;
  ticket.other_side_allowed = !exchange.fell_back && modern_may && world_.rules.gate;
  ticket.owner = &exchange;
  ticket.resume = [](Ticket& granted) {
    SimulatedExchange& resumed = owner_of(granted);
    resumed.waiting = false;
    resumed.gateway->world_.events.after(0, [&resumed] { resumed.gateway->resumed(resumed); });
  };
  ticket.run_shadow = [](Ticket& ready) {
    SimulatedExchange& held = owner_of(ready);
    GatewayModel& gateway = *held.gateway;
    gateway.world_.events.after(0, [&held, &gateway] {
      if (!gateway.dead_) (held.serving_side() == Side::modern ? gateway.to_legacy_ : gateway.to_modern_).run(held);
    });
  };
}

void GatewayModel::admit(SimulatedExchange& exchange) {
  exchange.gated = exchange.choice.gated;
  if (!exchange.gated) return serve(exchange);
  exchange.sequencer = &sequencer_for(exchange);
  fill_ticket(exchange);
  if (exchange.sequencer->admit(exchange.ticket) == Admission::granted) return serve(exchange);
  exchange.waiting = true;
  exchange.gated = false;
  exchange.wait_began_us = world_.events.now();
  exchange.stood_in_line = exchange.sequencer->stands_in_line(exchange.ticket);
  ++world_.oracle.figures.waits;
  world_.trace("{} waits for {}", exchange.operation.id, to_string(exchange.ticket.target));
  const Micros until = world_.events.now() + world_.schedule.response_timeout_us;
  world_.events.after(world_.schedule.gate_wait_us, [this, &exchange, until] { check_wait(exchange, until); });
}

void GatewayModel::check_wait(SimulatedExchange& exchange, Micros until) {
  if (dead_ || !exchange.waiting) return;
  const bool in_line = exchange.sequencer->stands_in_line(exchange.ticket);
  if (world_.events.now() < until && (in_line || exchange.stood_in_line)) {
    exchange.stood_in_line = in_line;
    return world_.events.after(world_.schedule.gate_wait_us, [this, &exchange, until] { check_wait(exchange, until); });
  }
  if (!exchange.sequencer->cancel_wait(exchange.ticket)) return;
  exchange.waiting = false;
  world_.oracle.figures.waited_us += world_.events.now() - exchange.wait_began_us;
  refuse(exchange);
}

void GatewayModel::resumed(SimulatedExchange& exchange) {
  if (dead_) return;
  world_.oracle.figures.waited_us += world_.events.now() - exchange.wait_began_us;
  exchange.gated = true;
  serve(exchange);
}

void GatewayModel::refuse(SimulatedExchange& exchange) {
  ++world_.oracle.figures.refused;
  world_.trace("{} is refused: no side is current", exchange.operation.id);
  finish(exchange, {LegOutcome::ok, 503});
}

// --- forward ---------------------------------------------------------------------------------------------------------

bool GatewayModel::may_still_serve(const SimulatedExchange& exchange) const {
  if (exchange.serving_side() == Side::legacy) return true;
  const Stage now = world_.policy.stage;
  return now == Stage::canary || now == Stage::promoted || now == Stage::retired;
}

void GatewayModel::serve(SimulatedExchange& exchange) {
  if (!may_still_serve(exchange)) {
    if (exchange.gated) exchange.sequencer->abandon(exchange.ticket);
    choose(exchange);
    return admit(exchange);
  }
  const bool by_cohort = exchange.slice.stage == Stage::canary && exchange.key_state == KeyState::available;
  const bool to_modern = exchange.serving_side() == Side::modern && exchange.choice.target == Side::modern;
  if (by_cohort && to_modern && reaches_beyond_cohort(exchange.slice, exchange.operation))
    ++world_.oracle.figures.beyond_cohort;
  if (exchange.operation.write()) {
    for (const int account : {exchange.operation.account, exchange.operation.second})
      ++served_writes_[{account, exchange.serving_side()}];
    journal_.intent({exchange.operation, exchange.serving_side(), exchange.key_state == KeyState::unavailable});
  }
  exchange.attempts = 0;
  send(exchange);
}

void GatewayModel::send(SimulatedExchange& exchange) {
  ++exchange.attempts;
  world_.trace("{} goes to {}", exchange.operation.id, to_string(exchange.serving_side()));
  world_.backend(exchange.serving_side()).send(exchange.operation, [this, &exchange](const Answer& answer) {
    if (!dead_) answered(exchange, answer);
  });
}

void GatewayModel::answered(SimulatedExchange& exchange, const Answer& answer) {
  exchange.serving = answer;
  const bool again = !world_.rules.nothing_resent && is_uncertain(answer) && exchange.attempts < kNaiveAttempts;
  if (again && may_still_serve(exchange)) return send(exchange);
  if (answer.outcome != LegOutcome::ok && fall_back(exchange)) return;
  settle(exchange);
  finish(exchange, answer);
}

// True when legacy takes the exchange over, or has refused to.
bool GatewayModel::fall_back(SimulatedExchange& exchange) {
  if (exchange.serving_side() != Side::modern || exchange.fell_back) return false;
  const bool allowed = may_fall_back(exchange.slice, world_.policy.stage, exchange.operation, exchange.serving);
  if (!allowed && world_.rules.safe_parachute) return false;
  world_.trace("{} failed at modern ({}): legacy takes over", exchange.operation.id,
               to_string(exchange.serving.outcome));
  if (exchange.gated) exchange.sequencer->abandon(exchange.ticket);
  if (exchange.operation.write()) journal_.over(exchange.operation.id);
  exchange.fell_back = true;
  exchange.gated = false;
  exchange.choice.target = Side::legacy;
  // A read that modern may have seen is not sent to it again. Writes are replayed by a row without the rule alone,
  // which treats them as proxies do.
  const bool read_seen = exchange.serving.outcome != LegOutcome::connect_failed && !exchange.operation.write();
  if (read_seen) exchange.choice.shadow = false;
  admit(exchange);
  return true;
}

void GatewayModel::finish(SimulatedExchange& exchange, const Answer& answer) {
  if (!exchange.reply) return;
  world_.events.after(200, [reply = std::move(exchange.reply), answer] { reply(answer); });
  exchange.reply = nullptr;
}

void GatewayModel::die() {
  dead_ = true;
  for (auto& exchange : exchanges_) finish(exchange, {LegOutcome::reset});
}

}  // namespace phoenix::simulation
