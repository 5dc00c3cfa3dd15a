// Shadow legs of one gateway to one backend: a bounded number at a time, what cannot be delivered keeps its turn.
// Follows gateway/shadow_dispatcher.cpp, with a spool that is never full.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "gateway/canary_selector.hpp"
#include "gateway/sequencer.hpp"
#include "tests/simulation/rules/backend.hpp"
#include "tests/simulation/rules/event_queue.hpp"

namespace phoenix::simulation {

class GatewayModel;

/// One client request with both legs; stays put as long as its gateway.
struct SimulatedExchange {
  Operation operation;
  gateway::EffectiveSlice slice;
  gateway::SideChoice choice;
  gateway::KeyState key_state = gateway::KeyState::available;
  gateway::Ticket ticket;
  gateway::Sequencer* sequencer = nullptr;
  GatewayModel* gateway = nullptr;
  std::function<void(const Answer&)> reply;
  Answer serving, shadow;
  bool gated = false;
  bool fell_back = false;
  bool waiting = false;
  bool stood_in_line = false;
  Micros wait_began_us = 0;
  int attempts = 0;
  int served_there = 0;  // writes of the account that the shadow side had served when the serving leg ended

  [[nodiscard]] Side serving_side() const { return gated ? ticket.side : choice.target; }
};

class ShadowLegs {
 public:
  ShadowLegs(GatewayModel& gateway, Side side) : gateway_(gateway), side_(side) {}

  /// Its turn has come.
  void run(SimulatedExchange& exchange);
  /// For a row without the rule on overlap: such a read takes its place behind the writes owed to the account by now.
  void run_after_owed_writes(SimulatedExchange& exchange);
  void write_owed(const SimulatedExchange& exchange);
  void write_delivered(const SimulatedExchange& exchange);

 private:
  void start();
  void send(SimulatedExchange& exchange);
  void back_off(SimulatedExchange& exchange);

  struct Follower {
    SimulatedExchange* exchange;
    std::set<int> behind;  // writes
  };
  GatewayModel& gateway_;
  const Side side_;
  std::deque<SimulatedExchange*> ready_;
  std::size_t open_ = 0;
  bool backing_off_ = false;
  Micros backoff_us_ = 0;
  std::map<int, std::set<int>> owed_;  // account → writes
  std::vector<Follower> followers_;
};

}  // namespace phoenix::simulation
