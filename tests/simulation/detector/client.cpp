#include "tests/simulation/detector/client.hpp"

namespace phoenix::detector {

using Kind = Operation::Kind;

namespace {

constexpr std::int64_t kAfterFailureUs = 20'000;

}  // namespace

Clients::Clients(World& world, GatewayModel& gateway) : world_(world), gateway_(gateway) {
  for (const Fault fault : {Fault::duplicate, Fault::missing_modern, Fault::missing_legacy, Fault::wrong_account,
                            Fault::response_only, Fault::posted_only, Fault::type_format, Fault::status_split}) {
    if (world.scenario.faults.contains(fault)) single_faults_.push_back(fault);
  }
  for (int i = 0; i < world.scenario.clients; ++i) {
    world.events.after(kFirstClientUs + world.dice.below(world.scenario.think_us), [this] { next(); });
  }
}

void Clients::next() {
  if (world_.begun >= world_.exchanges) return;
  ++world_.begun;
  gateway_.receive(draw(), [this](const LegAnswer& answer) {
    ++world_.ended;
    if (answer.status == 201 && answer.account > world_.scenario.accounts) {
      if (world_.known_accounts.empty() || answer.account > world_.known_accounts.back())
        world_.known_accounts.push_back(answer.account);
    }
    const bool failed = answer.outcome != LegOutcome::ok;
    world_.events.after((failed ? kAfterFailureUs : 50) + world_.dice.below(2 * world_.scenario.think_us),
                        [this] { next(); });
  });
}

int Clients::draw_account() {
  const auto& known = world_.known_accounts;
  return known[static_cast<std::size_t>(world_.dice.below(static_cast<std::int64_t>(known.size())))];
}

/// Half of them round, so that ties and thresholds are met.
std::int64_t Clients::draw_amount() {
  if (world_.scenario.scarce) return 10'00 + world_.dice.below(190'00);
  if (world_.dice.one_in(25)) return kVipFreeFromMinor;
  if (world_.dice.percent(50)) return 20 * (5 + world_.dice.below(1'500));
  return 1'00 + world_.dice.below(400'00);
}

Operation Clients::draw() {
  const Scenario& scenario = world_.scenario;
  simulation::Dice& dice = world_.dice;
  Operation operation;
  operation.number = static_cast<std::uint64_t>(world_.begun);
  operation.requested_us = world_.unix_us();
  if (dice.below(1'000) < scenario.openings_per_mille) {
    operation.kind = Kind::open;
    return operation;
  }
  operation.account = draw_account();
  const std::int64_t roll = dice.below(100);
  if (roll < scenario.interest_percent) {
    operation.kind = Kind::interest;
    operation.days = static_cast<int>(1 + dice.below(31));
  } else if (roll < 30) {
    operation.kind = Kind::read;
  } else if (roll < 55) {
    operation.kind = Kind::deposit;
  } else if (roll < 70) {
    operation.kind = Kind::withdrawal;
  } else {
    operation.kind = Kind::transfer;
    operation.second = draw_account();
    if (operation.second == operation.account) {
      operation.kind = Kind::deposit;
      operation.second = 0;
    }
  }
  if (!operation.write()) return operation;
  operation.amount_minor = draw_amount();
  const bool hopeless = operation.kind == Kind::withdrawal && dice.percent(static_cast<int>(scenario.hopeless_percent));
  if (hopeless) operation.amount_minor *= 1'000'000;
  if (!single_faults_.empty() && dice.one_in(scenario.injected_in)) {
    const auto which = dice.below(static_cast<std::int64_t>(single_faults_.size()));
    operation.befallen = single_faults_[static_cast<std::size_t>(which)];
  }
  return operation;
}

}  // namespace phoenix::detector
