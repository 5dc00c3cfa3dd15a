// One schedule from its seed to the oracle's figures: two banks, gateways, clients, and what befalls them.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "gateway/canary_selector.hpp"
#include "tests/simulation/rules/backend.hpp"
#include "tests/simulation/rules/event_queue.hpp"
#include "tests/simulation/rules/journal.hpp"
#include "tests/simulation/rules/oracle.hpp"
#include "tests/simulation/rules/schedule.hpp"

namespace phoenix::simulation {

class GatewayModel;

/// What all parts of a schedule share.
struct World {
  World(const Schedule& schedule, const Rules& rules, std::uint64_t seed, bool traced);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// One line of the trace, with the time; nothing unless a schedule is replayed.
  template <class... Args>
  void trace(fmt::format_string<Args...> text, Args&&... args) {
    if (traced) fmt::print("{:>9} us  {}\n", events.now(), fmt::format(text, std::forward<Args>(args)...));
  }
  Backend& backend(Side side) { return *backends[static_cast<std::size_t>(index(side))]; }

  const Schedule schedule;
  const Rules rules;
  const bool traced;
  EventQueue events;
  Dice dice;
  Oracle oracle;
  gateway::EffectiveSlice policy;
  std::array<std::unique_ptr<Backend>, 2> backends;
  std::vector<std::unique_ptr<Journal>> journals;  // by gateway
  std::vector<GatewayModel*> gateways;             // those that run; null while one is down
  std::vector<std::unique_ptr<GatewayModel>> lives;
  std::vector<int> known_accounts;  // clients know of them
  int last_exchange = 0;
};

/// Runs one schedule to its end, when everything that can be delivered has been.
Figures run_schedule(const Schedule& schedule, const Rules& rules, std::uint64_t seed, bool traced);

}  // namespace phoenix::simulation
