// What the gateway of a run tells of an exchange, and how that reaches the log: late, twice.
#include <fmt/format.h>
#include <xxhash.h>

#include "tests/simulation/detector/gateway_model.hpp"

namespace phoenix::detector {

using gateway::Ticket;
using Kind = Operation::Kind;

namespace {

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
  world_.truth.over(exchange->operation, comparable, event.overlap, world_.events.now());
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

}  // namespace phoenix::detector
