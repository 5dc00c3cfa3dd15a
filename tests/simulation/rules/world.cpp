#include "tests/simulation/rules/world.hpp"

#include <algorithm>
#include <set>

#include "tests/simulation/rules/client.hpp"
#include "tests/simulation/rules/gateway_model.hpp"

namespace phoenix::simulation {
namespace {

void start_gateway(World& world, std::size_t at) {
  world.lives.push_back(std::make_unique<GatewayModel>(world, *world.journals[at]));
  world.gateways[at] = world.lives.back().get();
}

void crash(World& world) {
  const auto at = static_cast<std::size_t>(world.dice.below(world.schedule.gateways));
  if (world.gateways[at] == nullptr) return;
  world.trace("gateway {} is killed", at);
  world.gateways[at]->die();
  world.gateways[at] = nullptr;
  world.events.after(5'000 + world.dice.below(15'000), [&world, at] {
    world.trace("gateway {} starts again", at);
    start_gateway(world, at);
  });
}

void kill(World& world) {
  world.trace("kill: the slice goes to stage shadow");
  world.policy.stage = Stage::shadow;
  world.policy.killed = true;
  world.events.after(40'000 + world.dice.below(60'000), [&world] {
    world.trace("reset of the kill");
    world.policy.stage = Stage::canary;
    world.policy.killed = false;
  });
}

void move_weight(World& world) {
  world.policy.weight_basis_points = static_cast<std::uint32_t>(world.dice.below(5)) * 2500;
  const bool all = world.policy.weight_basis_points == kBasisPoints;
  if (!world.policy.killed) world.policy.stage = all ? Stage::promoted : Stage::canary;
  world.trace("weight {} basis points{}", world.policy.weight_basis_points, all ? ", promoted" : "");
  if (world.events.now() >= world.schedule.horizon_us) return;
  world.events.after(10'000 + world.dice.below(30'000), [&world] { move_weight(world); });
}

// Each at a moment of its own within the horizon.
template <class What>
void befall(World& world, int times, What what) {
  for (int i = 0; i < times; ++i) {
    world.events.after(20'000 + world.dice.below(world.schedule.horizon_us - 40'000), [&world, what] { what(world); });
  }
}

void plan(World& world) {
  const Schedule& schedule = world.schedule;
  if (schedule.weight_moves) world.events.after(30'000, [&world] { move_weight(world); });
  befall(world, schedule.kills, kill);
  befall(world, schedule.crashes, crash);
  for (const Side side : {Side::legacy, Side::modern}) {
    befall(world, schedule.outages[index(side)],
           [side](World& at) { at.backend(side).go_down(20'000 + at.dice.below(60'000)); });
  }
}

std::set<int> named_incomplete(World& world) {
  std::set<int> named;
  for (const auto& backend : world.backends) {
    for (const auto& [id, account] : backend->ledger().accounts()) {
      if (std::any_of(world.gateways.begin(), world.gateways.end(), [&](auto* at) { return at->names_incomplete(id); }))
        named.insert(id);
    }
  }
  return named;
}

}  // namespace

World::World(const Schedule& schedule_, const Rules& rules_, std::uint64_t seed, bool traced_)
    : schedule(schedule_), rules(rules_), traced(traced_), dice(seed) {
  policy.stage = schedule.gateways > 1 && rules.held_at_shadow ? Stage::shadow : Stage::canary;
  policy.weight_basis_points = static_cast<std::uint32_t>(schedule.stage_weight);
  backends[0] = std::make_unique<Backend>(Side::legacy, *this);
  backends[1] = std::make_unique<Backend>(Side::modern, *this);
  for (int id = 1; id <= schedule.accounts; ++id) known_accounts.push_back(id);
  gateways.resize(static_cast<std::size_t>(schedule.gateways));
  for (std::size_t at = 0; at < gateways.size(); ++at) {
    journals.push_back(std::make_unique<Journal>());
    start_gateway(*this, at);
  }
}

World::~World() = default;

Figures run_schedule(const Schedule& schedule, const Rules& rules, std::uint64_t seed, bool traced) {
  World world(schedule, rules, seed, traced);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < schedule.clients; ++i) {
    clients.push_back(std::make_unique<Client>(world, seed * 1000 + static_cast<std::uint64_t>(i)));
    clients.back()->start();
  }
  plan(world);
  world.events.run();
  const Ledger& legacy = world.backend(Side::legacy).ledger();
  const Ledger& modern = world.backend(Side::modern).ledger();
  world.oracle.judge(legacy, modern, named_incomplete(world));
  for (const auto& finding : world.oracle.findings()) world.trace("{}", finding);
  return world.oracle.figures;
}

}  // namespace phoenix::simulation
