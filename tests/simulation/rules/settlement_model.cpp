// What a served exchange leaves behind, and what a new life of the gateway takes over. Follows gateway/settlement.cpp.
#include "tests/simulation/rules/decisions.hpp"
#include "tests/simulation/rules/gateway_model.hpp"

namespace phoenix::simulation {

using gateway::Admission;
using gateway::KeyState;
using gateway::Sequencer;
using gateway::ShadowNeed;
using gateway::ShadowResult;
using gateway::Ticket;

ShadowNeed GatewayModel::shadow_need(SimulatedExchange& exchange) const {
  const bool write = exchange.operation.write();
  const bool uncertain = is_uncertain(exchange.serving) && world_.rules.taint;
  const bool took_effect = write && (accepted(exchange.serving) || uncertain);
  if (!exchange.choice.shadow) return took_effect ? ShadowNeed::forfeit : ShadowNeed::none;
  if (write && uncertain) return ShadowNeed::forfeit;
  if (exchange.serving.outcome != LegOutcome::ok) return ShadowNeed::none;
  return ShadowNeed::send;
}

void GatewayModel::adopt_assigned_id(SimulatedExchange& exchange) {
  const bool opened = exchange.operation.kind == Operation::Kind::open && accepted(exchange.serving);
  if (!opened || !exchange.choice.shadow) return;
  if (world_.rules.ids_travel) exchange.operation.assigned = exchange.serving.account;
  exchange.sequencer = &sequencer_for(exchange);
  exchange.key_state = KeyState::available;
  fill_ticket(exchange);
  Ticket& ticket = exchange.ticket;
  ticket.keys = {std::to_string(exchange.serving.account)};
  ticket.strict = false;
  ticket.other_side_allowed = false;
  ticket.resume = [](Ticket&) {};
  exchange.gated = exchange.sequencer->admit(ticket) == Admission::granted || !exchange.sequencer->cancel_wait(ticket);
}

void GatewayModel::settle(SimulatedExchange& exchange) {
  adopt_assigned_id(exchange);
  exchange.served_there = served_by_shadow_side(exchange);
  const bool write = exchange.operation.write();
  ShadowNeed need = shadow_need(exchange);
  bool run_now = need == ShadowNeed::send;
  ShadowLegs& legs = exchange.serving_side() == Side::modern ? to_legacy_ : to_modern_;
  if (exchange.gated) {
    run_now = exchange.sequencer->complete(exchange.ticket, need);
    if (need == ShadowNeed::send && !Sequencer::is_queued(exchange.ticket)) {  // a read that overlapped a write
      if (!world_.rules.overlap_excluded) legs.run_after_owed_writes(exchange);
      return;
    }
  }
  if (need == ShadowNeed::forfeit) {
    mark_incomplete(exchange);
    world_.oracle.explained(exchange.operation.id);
  }
  if (need != ShadowNeed::send) {
    if (write && need == ShadowNeed::none) journal_.over(exchange.operation.id);
    return;
  }
  if (write) {
    journal_.waiting(exchange.operation, exchange.ticket.overlap, accepted(exchange.serving));
    legs.write_owed(exchange);
  }
  if (!run_now) return;
  world_.events.after(0, [this, &legs, &exchange] {
    if (!dead_) legs.run(exchange);
  });
}

void GatewayModel::mark_incomplete(const SimulatedExchange& exchange) {
  const Operation& operation = exchange.operation;
  journal_.incomplete(operation.id);
  world_.trace("{} makes its keys incomplete on {}", operation.id, to_string(other(exchange.serving_side())));
  if (exchange.ticket.any_key) all_marked_ = true;
  for (const int account : {operation.account, operation.second}) {
    if (account != 0) marked_.insert(account);
  }
}

void GatewayModel::shadow_over(SimulatedExchange& exchange) {
  const Operation& operation = exchange.operation;
  ShadowLegs& legs = exchange.serving_side() == Side::modern ? to_legacy_ : to_modern_;
  ShadowResult result = ShadowResult::applied;
  if (exchange.shadow.outcome != LegOutcome::ok || is_uncertain(exchange.shadow)) {
    if (world_.rules.taint) result = ShadowResult::lost;
  } else if (accepted(exchange.serving) != accepted(exchange.shadow) && world_.rules.divergence) {
    result = ShadowResult::disagreed;
  }
  if (operation.write()) {
    const bool known = all_marked_ || marked_.contains(operation.account) || marked_.contains(operation.second);
    if (exchange.ticket.overlap || known || result == ShadowResult::lost) world_.oracle.explained(operation.id);
    if (result == ShadowResult::applied) {
      journal_.over(operation.id);
    } else {
      mark_incomplete(exchange);
    }
    legs.write_delivered(exchange);
  } else {
    compare_read(exchange);
  }
  if (Sequencer::is_queued(exchange.ticket)) exchange.sequencer->shadow_done(exchange.ticket, result);
}

int GatewayModel::served_by_shadow_side(const SimulatedExchange& exchange) {
  return served_writes_[{exchange.operation.account, other(exchange.serving_side())}];
}

void GatewayModel::compare_read(const SimulatedExchange& exchange) {
  const bool both = accepted(exchange.serving) && accepted(exchange.shadow);
  const bool excluded = exchange.ticket.overlap && world_.rules.overlap_excluded;
  if (!both || excluded || exchange.serving.balance_minor == exchange.shadow.balance_minor) return;
  if (all_marked_ || marked_.contains(exchange.operation.account)) return;
  const bool overtaken = exchange.served_there != served_by_shadow_side(exchange);
  ++(overtaken ? world_.oracle.figures.overtaken : world_.oracle.figures.false_alarms);
  world_.trace("{}: FALSE ALARM, {} and {}{}", exchange.operation.id, exchange.serving.balance_minor,
               exchange.shadow.balance_minor, overtaken ? ", overtaken by a write that the shadow side served" : "");
}

// A write of an earlier life. Served and owed: it takes its place again. Of what was on its way to a backend nobody
// knows whether it arrived: its keys are incomplete on the other side of an intent, on the shadow side of a leg being
// sent.
void GatewayModel::replay(const Journal::Record& record) {
  SimulatedExchange& exchange = exchanges_.emplace_back();
  exchange.gateway = this;
  exchange.operation = record.operation;
  exchange.slice = world_.policy;
  exchange.slice.killed = false;
  exchange.key_state = record.any_key ? KeyState::unavailable : KeyState::available;
  exchange.choice.target = record.served_by;
  exchange.choice.shadow = exchange.gated = true;
  exchange.sequencer = &sequencer_for(exchange);
  fill_ticket(exchange);
  Ticket& ticket = exchange.ticket;
  if (record.operation.kind == Operation::Kind::open) ticket.keys = {std::to_string(record.operation.assigned)};
  ticket.strict = false;
  ticket.other_side_allowed = false;
  if (exchange.sequencer->admit(ticket) != Admission::granted) {
    exchange.sequencer->cancel_wait(ticket);
    world_.trace("{} could not be taken over", record.operation.id);
    return;
  }
  ticket.overlap = record.overlap;
  const bool owed = record.state == Journal::State::waiting;
  exchange.serving = {LegOutcome::ok, record.accepted ? 200 : 422};
  const bool run_now = exchange.sequencer->complete(ticket, owed ? ShadowNeed::send : ShadowNeed::forfeit);
  if (!owed) {
    world_.oracle.explained(record.operation.id);
    return mark_incomplete(exchange);
  }
  ShadowLegs& legs = record.served_by == Side::modern ? to_legacy_ : to_modern_;
  legs.write_owed(exchange);
  if (run_now) world_.events.after(0, [&legs, &exchange] { legs.run(exchange); });
}

// Asks for either side alone, in each book: only an incomplete key is refused then.
bool GatewayModel::names_incomplete(int account) {
  for (auto& sequencer : sequencers_) {
    for (const Side side : {Side::legacy, Side::modern}) {
      Ticket probe;
      probe.keys = {std::to_string(account)};
      probe.target = side;
      if (sequencer.admit(probe) == Admission::granted) {
        sequencer.abandon(probe);
      } else {
        sequencer.cancel_wait(probe);
        return true;
      }
    }
  }
  return false;
}

}  // namespace phoenix::simulation
