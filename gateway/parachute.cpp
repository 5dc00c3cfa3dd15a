#include "gateway/parachute.hpp"

namespace phoenix::gateway {

bool may_fall_back(const Exchange& exchange, Stage stage_now, SteadyTime now) {
  if (stage_now == Stage::retired || now >= exchange.until) return false;
  // Stage shadow: it was forced to modern.
  const Stage stage = exchange.slice.stage;
  const bool has_way_back = stage == Stage::canary || stage == Stage::promoted || stage == Stage::shadow;
  if (exchange.fell_back || exchange.serving_side() != Side::modern || !has_way_back) return false;
  if (exchange.route->is_unmatched || exchange.route->config.parachute == config::Parachute::off) return false;
  if (exchange.serving.outcome == LegOutcome::connect_failed) return true;
  if (!exchange.body_complete || exchange.body_withheld) return false;  // a body that was streamed is gone
  return exchange.request.is_safe() || exchange.route->config.parachute == config::Parachute::writes;
}

void fall_back(Exchange& exchange, LoopCounters& counters, SteadyTime started) {
  const auto modern = static_cast<std::size_t>(index(Side::modern));
  ++counters.served[modern];
  ++counters.serving_errors[modern];
  ++counters.routes[static_cast<std::size_t>(exchange.route->index)].parachutes;
  exchange.fell_back = true;
  exchange.gated = false;
  exchange.failed_outcome = exchange.serving.outcome;
  exchange.shadow_before = exchange.choice.shadow;
  exchange.choice.target = Side::legacy;
  if (exchange.serving.outcome != LegOutcome::connect_failed) {
    exchange.shadow.outcome = exchange.serving.outcome;
    exchange.shadow.sent_at_us = exchange.serving.sent_at_us;
    exchange.shadow.duration_us =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started).count();
    exchange.choice.shadow = false;
  }
  exchange.serving = Leg();
}

void undo_fall_back(Exchange& exchange, LoopCounters& counters) {
  const auto modern = static_cast<std::size_t>(index(Side::modern));
  --counters.served[modern];
  --counters.serving_errors[modern];
  --counters.routes[static_cast<std::size_t>(exchange.route->index)].parachutes;
  exchange.fell_back = false;
  exchange.choice.target = Side::modern;
  exchange.choice.shadow = exchange.shadow_before;
  exchange.serving.outcome = exchange.failed_outcome;
  exchange.serving.sent_at_us = exchange.shadow.sent_at_us;
  exchange.shadow = Leg();
}

}  // namespace phoenix::gateway
