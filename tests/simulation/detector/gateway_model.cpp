#include "tests/simulation/detector/gateway_model.hpp"

#include <fmt/format.h>
#include <xxhash.h>

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

bool uncertain(const LegAnswer& answer) {
  return answer.outcome == LegOutcome::timeout || answer.outcome == LegOutcome::reset || answer.status >= 500;
}

bool accepted(const LegAnswer& answer) {
  return answer.outcome == LegOutcome::ok && answer.status >= 200 && answer.status < 300;
}

LegRecord record_of(const LegAnswer& answer, bool write) {
  LegRecord leg;
  leg.outcome = answer.outcome;
  leg.status = answer.status;
  leg.uncertain = write && uncertain(answer);
  if (answer.outcome == LegOutcome::ok) leg.headers = {{"Content-Type", "application/json"}};
  leg.body = answer.body;
  leg.body_bytes = answer.body.size();
  leg.body_hash = answer.body.empty() ? 0 : XXH3_64bits(answer.body.data(), answer.body.size());
  return leg;
}

struct RouteOf {
  const char* name;
  const char* method;
};

RouteOf route_of(Kind kind) {
  switch (kind) {
    case Kind::read:
      return {"account", "GET"};
    case Kind::deposit:
      return {"deposits", "POST"};
    case Kind::withdrawal:
      return {"withdrawals", "POST"};
    case Kind::transfer:
      return {"transfers", "POST"};
    case Kind::interest:
      return {"interest", "POST"};
    case Kind::open:
      return {"openings", "POST"};
  }
  return {"", ""};
}

std::string target_of(const Operation& operation) {
  if (operation.kind == Kind::open) return "/accounts";
  if (operation.kind == Kind::transfer) return "/transfers";
  const char* name = route_of(operation.kind).name;
  return operation.kind == Kind::read ? fmt::format("/accounts/{}", operation.account)
                                      : fmt::format("/accounts/{}/{}", operation.account, name);
}

std::string request_body(const Operation& operation) {
  const std::string amount = format_minor(operation.amount_minor, 2);
  if (operation.kind == Kind::transfer) {
    return fmt::format(R"({{"from_account":{},"to_account":{},"amount":{}}})", operation.account, operation.second,
                       amount);
  }
  if (operation.kind == Kind::interest) return fmt::format(R"({{"days":{}}})", operation.days);
  return operation.write() && operation.kind != Kind::open ? fmt::format(R"({{"amount":{}}})", amount) : "";
}

}  // namespace

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
    if (life != lives_.size() || !exchange->waiting || !lives_.back()->cancel_wait(exchange->ticket)) return;
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

ExchangeEvent GatewayModel::event_of(const Exchange& exchange) {
  const Operation& operation = exchange.operation;
  const RouteOf route = route_of(operation.kind);
  ExchangeEvent event;
  event.exchange_id = exchange.id;
  event.request_id = exchange.id;
  event.gateway = "gw-1";
  event.incarnation = incarnation_;
  event.sequence = ++sequence_;
  event.received_at_us = kEpochUs + exchange.received_us;
  event.completed_at_us = world_.unix_us();
  event.route = route.name;
  event.slice = kSlice;
  event.method = route.method;
  event.target = detector::target_of(operation);
  event.write = operation.write();
  const Ticket& ticket = exchange.ticket;
  for (std::size_t i = 0; i < ticket.keys.size(); ++i) {
    event.keys.push_back({ticket.keys[i], i < ticket.sequences.size() ? ticket.sequences[i] : 0});
  }
  event.target_side = exchange.target;
  event.serving_side = exchange.side;
  event.stage = world_.scenario.weight_percent > 0 ? Stage::canary : Stage::shadow;
  event.policy_epoch = event.rung = 1;
  event.overlap = exchange.gated && ticket.overlap;
  event.excluded = exchange.excluded;
  event.dropped = exchange.dropped;
  event.request_body = request_body(operation);
  event.request_body_bytes = event.request_body.size();
  event.request_body_hash = XXH3_64bits(event.request_body.data(), event.request_body.size());
  if (operation.write()) event.request_headers = {{"Content-Type", "application/json"}};
  event.serving = record_of(exchange.serving, event.write);
  event.shadow = record_of(exchange.shadow, event.write);
  return event;
}

void GatewayModel::finish(const ExchangePtr& exchange) {
  const Scenario& scenario = world_.scenario;
  const ExchangeEvent event = event_of(*exchange);
  const std::string key = event.keys.empty() ? event.exchange_id : event.keys.front().key;
  const std::string frame = encode(event);
  const bool comparable = event.excluded.empty() && event.dropped.empty() && event.serving.outcome == LegOutcome::ok &&
                          event.shadow.outcome == LegOutcome::ok;
  world_.truth.over(exchange->operation, comparable, world_.events.now());
  for (const int account : {exchange->operation.account, exchange->operation.second}) {
    world_.trace(account, "{} ({}) is over: {}{}{} {} {} {}; {} {} {}", exchange->operation.number, key,
                 event.overlap ? "overlap " : "", event.excluded, event.dropped, to_string(event.serving_side),
                 event.serving.status, event.serving.body, to_string(event.shadow.outcome), event.shadow.status,
                 event.shadow.body);
  }
  const bool late = world_.dice.percent(scenario.late_percent);
  const std::int64_t delay_us = 50 + world_.dice.below(late ? scenario.late_us : 400);
  world_.events.after(delay_us, [this, key, frame, received_us = exchange->received_us] {
    world_.log.exchange(world_.events.now(), key, frame);
    unsettled_.erase(unsettled_.find(received_us));
  });
  if (world_.dice.percent(scenario.repeated_percent)) append(key, frame, delay_us + world_.dice.below(50'000));
  under_way_.erase(exchange->operation.number);
}

void GatewayModel::append(const std::string& key, const std::string& frame, std::int64_t delay_us) {
  world_.events.after(delay_us, [this, key, frame] { world_.log.exchange(world_.events.now(), key, frame); });
}

// ---- a crash, and what the next process makes of the journal ------------------------------------------------------

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
