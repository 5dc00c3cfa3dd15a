#include "tests/simulation/detector/disturbances.hpp"

#include "core/events/control_events.hpp"

namespace phoenix::detector {
namespace {

constexpr std::int64_t kMarkerUs = 50'000;
constexpr std::int64_t kIdleMarkerUs = 1'000'000;
constexpr std::int64_t kBeatUs = 1'000'000;
constexpr std::int64_t kQuietAtEndUs = 60'000'000;  // beyond every bound of the arbiter
constexpr std::int64_t kJobDelayUs = 20'000;        // of one side behind the other
constexpr std::uint64_t kForeignMark = 1ull << 60;

}  // namespace

Disturbances::Disturbances(World& world, GatewayModel& gateway) : world_(world), gateway_(gateway) {
  const Scenario& scenario = world.scenario;
  horizon_us_ = world.exchanges * (scenario.think_us + 2'500) / scenario.clients;
  write_markers();
  beat();
  if (scenario.weight_moves) move_weight();
  spread(scenario.crashes, [this] { gateway_.crash(5'000 + world_.dice.below(15'000)); });
  for (const Side side : {Side::legacy, Side::modern}) {
    spread(scenario.capture_restarts,
           [this, side] { world_.stream(side).restart(20'000 + world_.dice.below(200'000)); });
  }
  spread(scenario.jobs_both, [this] { run_job(); });
  spread(scenario.jobs_one, [this] { correct_one_account(); });
}

template <class What>
void Disturbances::spread(int times, What what) {
  for (int i = 0; i < times; ++i)
    world_.events.after(kFirstClientUs + horizon_us_ / 20 + world_.dice.below(horizon_us_ * 9 / 10), what);
}

/// One transaction a side, as often as the arbiter has something open; at the end for as long as it may wait.
void Disturbances::write_markers() {
  if (!world_.over()) over_since_us_ = world_.events.now();
  const bool open = world_.log.anything_open();
  if (world_.events.now() > over_since_us_ + kQuietAtEndUs ||
      (world_.over() && !open && world_.events.now() > over_since_us_ + kIdleMarkerUs))
    return;
  if (open || world_.events.now() >= last_marker_us_ + kIdleMarkerUs) {
    last_marker_us_ = world_.events.now();
    const std::int64_t covers = world_.log.exchanges_end();
    for (const Side side : {Side::legacy, Side::modern})
      world_.events.after(200 + world_.dice.below(1'500), [this, side, covers] { world_.stream(side).mark(covers); });
  }
  world_.events.after(kMarkerUs, [this] { write_markers(); });
}

void Disturbances::beat() {
  GatewayStatus status;
  status.gateway = "gw-1";
  status.incarnation = gateway_.incarnation();
  status.at_us = world_.unix_us();
  status.settled_until_us = kEpochUs + gateway_.settled_until_us();
  world_.log.status(world_.events.now(), encode(status));
  if (world_.events.now() > over_since_us_ + kQuietAtEndUs || (world_.over() && !world_.log.anything_open())) return;
  world_.events.after(kBeatUs, [this] { beat(); });
}

void Disturbances::move_weight() {
  world_.weight_percent = static_cast<int>(25 * world_.dice.below(5));
  if (!world_.over()) world_.events.after(20'000 + world_.dice.below(60'000), [this] { move_weight(); });
}

/// Interest of a back office: the same amount on every account, on both sides, a little apart.
void Disturbances::run_job() {
  const std::int64_t amount_minor = 1 + world_.dice.below(500);
  const bool legacy_first = world_.dice.percent(50);
  for (const Side side : {Side::legacy, Side::modern}) {
    const bool first = (side == Side::legacy) == legacy_first;
    world_.events.after(first ? 0 : world_.dice.below(kJobDelayUs), [this, side, amount_minor] {
      for (int id = 1; id <= world_.scenario.accounts; ++id) {
        world_.truth.apart(id);
        world_.stream(side).commit({world_.bank(side).move(id, amount_minor, kForeignMark + ++foreign_)}, "");
      }
    });
  }
}

void Disturbances::correct_one_account() {
  const Side side = world_.dice.percent(50) ? Side::legacy : Side::modern;
  const int account = static_cast<int>(1 + world_.dice.below(world_.scenario.accounts));
  world_.truth.disturbed(account);
  world_.trace(account, "{} corrects account {}", to_string(side), account);
  world_.stream(side).commit(
      {world_.bank(side).move(account, world_.dice.below(20'00) - 5'00, kForeignMark + ++foreign_)}, "");
}

}  // namespace phoenix::detector
