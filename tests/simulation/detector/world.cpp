#include "tests/simulation/detector/world.hpp"

#include <utility>

#include "tests/simulation/detector/client.hpp"
#include "tests/simulation/detector/disturbances.hpp"
#include "tests/simulation/detector/gateway_model.hpp"

namespace phoenix::detector {
namespace {

constexpr std::int64_t kTimeoutUs = 60'000;

/// missing_legacy is the only fault of legacy's.
Faults faults_of(Side side, const Faults& all) {
  Faults own;
  for (const Fault fault : all) {
    if ((fault == Fault::missing_legacy) == (side == Side::legacy) && fault != Fault::ordering) own.insert(fault);
  }
  return own;
}

}  // namespace

World::World(Scenario scenario_, std::uint64_t seed, std::int64_t exchanges_, LogReader& log_)
    : scenario(std::move(scenario_)),
      exchanges(exchanges_),
      log(log_),
      dice(seed),
      weight_percent(scenario.weight_percent) {
  for (const Side side : {Side::legacy, Side::modern}) {
    const auto at = static_cast<std::size_t>(index(side));
    banks[at] =
        std::make_unique<Bank>(side, faults_of(side, scenario.faults), scenario.accounts, scenario.balance_minor);
    streams[at] = std::make_unique<ChangeStream>(side, events, dice, scenario.capture_us, kEpochUs,
                                                 [this](const auto& record) { log.state(events.now(), record); });
  }
  for (int id = 1; id <= scenario.accounts; ++id) known_accounts.push_back(id);
}

void World::send(Side side, const Operation& operation, const std::string& exchange_id,
                 std::function<void(const LegAnswer&)> done) {
  std::int64_t until_commit_us = 150 + dice.below(scenario.request_jitter_us);
  if (!dice.one_in(scenario.failed_in)) {
    return events.after(until_commit_us, [this, side, operation, exchange_id, done = std::move(done)] {
      commit(side, operation, exchange_id, true, done);
    });
  }
  // Committed and not answered, committed after the time-out, or never applied; told by a time-out or a reset.
  const auto kind = dice.below(4);
  if (operation.write()) truth.disturbed(operation);
  if (kind == 1) until_commit_us = kTimeoutUs * 3 / 2;
  if (kind != 3) {
    events.after(until_commit_us,
                 [this, side, operation, exchange_id, done] { commit(side, operation, exchange_id, false, done); });
  }
  const bool reset = kind == 2;
  events.after(reset ? until_commit_us + 200 : kTimeoutUs, [done = std::move(done), reset] {
    done({reset ? LegOutcome::reset : LegOutcome::timeout, 0, 0, ""});
  });
}

void World::commit(Side side, const Operation& operation, const std::string& exchange_id, bool answered,
                   const std::function<void(const LegAnswer&)>& done) {
  Applied applied = bank(side).apply(operation);
  if (!answered && operation.write()) truth.disturbed(operation);
  truth.applied(side, operation, applied);
  for (const auto* rows : {&applied.rows, &applied.second_transaction}) {
    for (const auto& row : *rows)
      trace(row.account, "{} commits {}: account {} {} -> {}{}", to_string(side), operation.number, row.account,
            row.before_minor.value_or(0), row.after_minor, answered ? "" : ", unanswered");
  }
  stream(side).commit(applied.rows, exchange_id);
  stream(side).commit(applied.second_transaction, exchange_id);
  if (!answered) return;
  LegAnswer answer{LegOutcome::ok, applied.status, applied.account, std::move(applied.body)};
  events.after(50 + dice.below(scenario.answer_jitter_us), [done, answer = std::move(answer)] { done(answer); });
}

void run_world(World& world) {
  GatewayModel gateway(world);
  Disturbances disturbances(world, gateway);
  Clients clients(world, gateway);
  world.events.run();
}

}  // namespace phoenix::detector
