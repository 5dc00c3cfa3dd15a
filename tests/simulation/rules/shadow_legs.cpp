#include "tests/simulation/rules/shadow_legs.hpp"

#include <algorithm>

#include "tests/simulation/rules/decisions.hpp"
#include "tests/simulation/rules/gateway_model.hpp"

namespace phoenix::simulation {
namespace {

constexpr Micros kFirstBackoffUs = 5'000;
constexpr Micros kLongestBackoffUs = 20'000;
constexpr int kNaiveAttempts = 3;

}  // namespace

void ShadowLegs::run(SimulatedExchange& exchange) {
  ready_.push_back(&exchange);
  start();
}

void ShadowLegs::start() {
  while (!ready_.empty() && !backing_off_ && open_ < gateway_.world_.schedule.shadow_connections) {
    SimulatedExchange& exchange = *ready_.front();
    ready_.pop_front();
    exchange.attempts = 0;
    ++open_;
    if (exchange.operation.write()) gateway_.journal_.sending(exchange.operation.id);
    send(exchange);
  }
}

void ShadowLegs::send(SimulatedExchange& exchange) {
  ++exchange.attempts;
  gateway_.world_.backend(side_).send(exchange.operation, [this, &exchange](const Answer& answer) {
    if (gateway_.dead_) return;
    const bool resend = !gateway_.world_.rules.nothing_resent && is_uncertain(answer);
    if (resend && exchange.attempts < kNaiveAttempts) return send(exchange);
    --open_;
    if (answer.outcome == LegOutcome::connect_failed) return back_off(exchange);
    backoff_us_ = 0;
    exchange.shadow = answer;
    gateway_.shadow_over(exchange);
    start();
  });
}

// Nothing was delivered: it keeps its turn.
void ShadowLegs::back_off(SimulatedExchange& exchange) {
  ready_.push_front(&exchange);
  if (backing_off_) return;
  backing_off_ = true;
  backoff_us_ = std::min(std::max(backoff_us_ * 2, kFirstBackoffUs), kLongestBackoffUs);
  gateway_.world_.events.after(backoff_us_, [this] {
    backing_off_ = false;
    if (!gateway_.dead_) start();
  });
}

void ShadowLegs::write_owed(const SimulatedExchange& exchange) {
  for (const int account : {exchange.operation.account, exchange.operation.second})
    owed_[account].insert(exchange.operation.id);
}

void ShadowLegs::write_delivered(const SimulatedExchange& exchange) {
  for (const int account : {exchange.operation.account, exchange.operation.second})
    owed_[account].erase(exchange.operation.id);
  for (auto& follower : followers_) {
    if (follower.behind.erase(exchange.operation.id) > 0 && follower.behind.empty()) run(*follower.exchange);
  }
  std::erase_if(followers_, [](const Follower& follower) { return follower.behind.empty(); });
}

void ShadowLegs::run_after_owed_writes(SimulatedExchange& exchange) {
  const std::set<int>& behind = owed_[exchange.operation.account];
  if (behind.empty()) return run(exchange);
  followers_.push_back({&exchange, behind});
}

}  // namespace phoenix::simulation
