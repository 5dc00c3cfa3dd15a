// One gateway of the simulation. What it decides comes from the gateway's own code (Sequencer, decisions.hpp); what is
// modelled is the I/O around it, which follows gateway/session.cpp, admission.cpp, settlement.cpp and
// shadow_dispatcher.cpp step by step.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <set>

#include "gateway/sequencer.hpp"
#include "tests/simulation/rules/shadow_legs.hpp"
#include "tests/simulation/rules/world.hpp"

namespace phoenix::simulation {

class GatewayModel {
 public:
  /// Takes over what the journal holds of an earlier life.
  GatewayModel(World& world, Journal& journal);

  using Reply = std::function<void(const Answer&)>;
  /// One request of a client; `reply` is called once, unless this gateway is killed first: then with a reset.
  void receive(const Operation& operation, Reply reply);
  /// SIGKILL: from here on it does nothing, and its clients' connections are reset.
  void die();
  /// Whether one side must not serve the account although everything was delivered; at the end.
  [[nodiscard]] bool names_incomplete(int account);

 private:
  friend class ShadowLegs;

  // --- match and choose, admit
  void choose(SimulatedExchange& exchange);
  gateway::Sequencer& sequencer_for(const SimulatedExchange& exchange);
  void fill_ticket(SimulatedExchange& exchange);
  void admit(SimulatedExchange& exchange);
  void check_wait(SimulatedExchange& exchange, Micros until);
  void resumed(SimulatedExchange& exchange);
  void refuse(SimulatedExchange& exchange);
  // --- forward
  [[nodiscard]] bool may_still_serve(const SimulatedExchange& exchange) const;
  void serve(SimulatedExchange& exchange);
  void send(SimulatedExchange& exchange);
  void answered(SimulatedExchange& exchange, const Answer& answer);
  bool fall_back(SimulatedExchange& exchange);
  // --- settle
  gateway::ShadowNeed shadow_need(SimulatedExchange& exchange) const;
  void adopt_assigned_id(SimulatedExchange& exchange);
  void settle(SimulatedExchange& exchange);
  void shadow_over(SimulatedExchange& exchange);
  void mark_incomplete(const SimulatedExchange& exchange);
  void compare_read(const SimulatedExchange& exchange);
  int served_by_shadow_side(const SimulatedExchange& exchange);
  void finish(SimulatedExchange& exchange, const Answer& answer);
  // --- recovery
  void replay(const Journal::Record& record);

  World& world_;
  Journal& journal_;
  // One for the slice. Where a row takes the gate away, an exchange goes to a book that only knows its own side's
  // exchanges: shadow legs keep their order, and nothing ever forbids the target side.
  std::array<gateway::Sequencer, 3> sequencers_;
  ShadowLegs to_legacy_, to_modern_;
  std::deque<SimulatedExchange> exchanges_;
  std::set<int> marked_;  // accounts it knows to be incomplete on one side
  bool all_marked_ = false;
  std::map<std::pair<int, Side>, int> served_writes_;  // by account and side
  bool dead_ = false;
};

}  // namespace phoenix::simulation
