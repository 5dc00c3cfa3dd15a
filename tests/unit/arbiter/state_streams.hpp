// Feeds a decision core with exchanges and both ledgers' changes, one line each.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arbiter/decision_core.hpp"
#include "core/events/control_events.hpp"
#include "tests/support/deposits_config.hpp"
#include "tests/support/exchange_builder.hpp"

namespace phoenix::test {

inline config::Config state_config(config::StateSource source = config::StateSource::capture) {
  config::Config config = deposits_config();
  config.arbiter.state_source = source;
  return config;
}

class StateStreams {
 public:
  using Verdicts = std::vector<std::pair<std::string, Verdict>>;
  using Change = std::pair<std::string, std::string>;  ///< before, after

  explicit StateStreams(config::Config config = state_config(), arbiter::AcceptedChangePolicy* policy = nullptr)
      : config_(std::move(config)), policy_(policy) {
    core_ = std::make_unique<arbiter::DecisionCore>(config_, arbiter::CoreState{}, policy_);
    marker(Side::legacy, 0);  // both streams have begun
    marker(Side::modern, 0);
  }

  Verdicts apply(const ExchangeEvent& event) {
    core_->apply(record_of(event, offset_++));
    return verdicts();
  }
  Verdicts apply(const arbiter::StateRecord& record) {
    core_->apply_state(record, {topics::kDbStateUpdates, 0, state_offset_++, 0, "", ""});
    return verdicts();
  }
  arbiter::StateChange change(Side side, const std::string& account, const std::string& before,
                              const std::string& after, const std::string& id, const std::string& transaction = "") {
    arbiter::StateChange change;
    change.side = side;
    change.account = account;
    change.before = Decimal::parse(before).value();
    change.after = Decimal::parse(after).value();
    change.currency = "EUR";
    change.exchange_id = id;
    const std::uint64_t commit = ++position_[static_cast<std::size_t>(index(side))];
    change.position = {commit, 1};
    change.transaction = transaction.empty() ? "t" + std::to_string(commit) : transaction;
    return change;
  }
  Verdicts post(Side side, const std::string& account, const std::string& before, const std::string& after,
                const std::string& id, const std::string& transaction = "") {
    return apply(change(side, account, before, after, id, transaction));
  }
  void post_both(const std::string& account, const Change& legacy, const Change& modern, const std::string& id) {
    post(Side::legacy, account, legacy.first, legacy.second, id);
    post(Side::modern, account, modern.first, modern.second, id);
  }
  /// Covers every exchange applied so far.
  Verdicts marker(Side side) { return marker(side, offset_); }
  Verdicts marker(Side side, std::int64_t covers) { return apply(arbiter::StateMarker{side, covers, {}, {}}); }
  Verdicts markers() {
    Verdicts both = marker(Side::legacy);
    arbiter::CoreChanges first = last;
    const Verdicts second = marker(Side::modern);
    both.insert(both.end(), second.begin(), second.end());
    if (last.verdicts.empty()) last = std::move(first);
    return both;
  }
  Verdicts heartbeat(std::int64_t settled_until_us) {
    GatewayStatus status;
    status.gateway = "gw-1";
    status.incarnation = "first";
    status.at_us = settled_until_us;
    status.settled_until_us = settled_until_us;
    core_->apply({topics::kGatewayStatus, 0, beats_++, 0, "gw-1", encode(status)});
    return verdicts();
  }

  [[nodiscard]] std::int64_t count(const std::string& what, const std::string& route = "deposits") const {
    const auto at = core_->counters().find({"payments", route, 0, what});
    return at == core_->counters().end() ? 0 : at->second;
  }
  [[nodiscard]] ScoreEvent score() const { return core_->scores().front(); }
  [[nodiscard]] const arbiter::AccountState& account(const std::string& name) const { return core_->account(name); }
  arbiter::DecisionCore& core() { return *core_; }

  arbiter::CoreChanges last;

 private:
  Verdicts verdicts() {
    last = core_->take_changes();
    Verdicts result;
    for (const auto& verdict : last.verdicts) result.emplace_back(verdict.event.exchange_id, verdict.event.verdict);
    return result;
  }

  config::Config config_;
  arbiter::AcceptedChangePolicy* policy_;
  std::unique_ptr<arbiter::DecisionCore> core_;
  std::int64_t offset_ = 0, state_offset_ = 0, beats_ = 0;
  std::array<std::uint64_t, 2> position_{};
};

}  // namespace phoenix::test
