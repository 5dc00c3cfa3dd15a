// The gateway of a run: what it decides is the Sequencer's; the I/O around it follows gateway/session.cpp,
// settlement.cpp, exchange_publisher.cpp and recovery.cpp. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/events/exchange_event.hpp"
#include "gateway/sequencer.hpp"
#include "tests/simulation/detector/world.hpp"

namespace phoenix::detector {

/// Neither answered nor surely not applied.
bool uncertain(const LegAnswer& answer);
bool accepted(const LegAnswer& answer);

class GatewayModel {
 public:
  using Reply = std::function<void(const LegAnswer&)>;

  explicit GatewayModel(World& world);

  /// One request of a client; `reply` is called once.
  void receive(const Operation& operation, Reply reply);
  /// SIGKILL; it starts again after `pause_us` with what its journal holds.
  void crash(std::int64_t pause_us);
  /// Every compared exchange received before has ended and its event is in the log. µs of the run.
  [[nodiscard]] std::int64_t settled_until_us() const;
  [[nodiscard]] const std::string& incarnation() const { return incarnation_; }

 private:
  struct Exchange {
    GatewayModel* gateway = nullptr;
    Operation operation;
    std::string id;
    gateway::Ticket ticket;
    std::int64_t received_us = 0;
    Reply reply;
    LegAnswer serving, shadow;
    Side side = Side::legacy, target = Side::legacy;
    std::string excluded, dropped;
    bool gated = false, waiting = false;
    bool sent = false;    // to the serving side
    bool served = false;  // its serving leg is over
    bool shadow_sent = false;
    bool written = false;  // its event is on its way into the log
  };
  using ExchangePtr = std::shared_ptr<Exchange>;

  [[nodiscard]] Side target_of(const Operation& operation) const;
  void fill_ticket(Exchange& exchange, std::vector<BusinessKey> keys);
  void serve(const ExchangePtr& exchange);
  void answered(const ExchangePtr& exchange, const LegAnswer& answer);
  void adopt_opened_account(Exchange& exchange);
  void send_shadow(const ExchangePtr& exchange);
  void shadow_over(const ExchangePtr& exchange, const LegAnswer& answer);
  void finish(const ExchangePtr& exchange);
  void append(const std::string& key, const std::string& frame, std::int64_t delay_us);
  void mark_incomplete(const Exchange& exchange);
  void recover(const ExchangePtr& exchange);
  void reply(Exchange& exchange, const LegAnswer& answer);
  [[nodiscard]] ExchangeEvent event_of(const Exchange& exchange);
  ExchangePtr held(const gateway::Ticket& ticket);

  World& world_;
  std::vector<std::unique_ptr<gateway::Sequencer>> lives_;  // the last one is this process's
  bool down_ = false;
  std::string incarnation_ = "run-1";
  std::uint64_t sequence_ = 0;
  std::unordered_map<std::uint64_t, ExchangePtr> under_way_;  // by number
  std::vector<ExchangePtr> graves_;                           // of dead processes, whose sequencers point at them
  std::multiset<std::int64_t> unsettled_;                     // received, not yet in the log
  std::set<std::pair<BusinessKey, Side>> incomplete_;         // as the journal knows them
};

}  // namespace phoenix::detector
