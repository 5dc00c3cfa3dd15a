#include "gateway/admission.hpp"

#include <algorithm>

#include "gateway/event_loop.hpp"
#include "gateway/shadow_dispatcher.hpp"
#include "gateway/side_override.hpp"

namespace phoenix::gateway {
namespace {

Exchange& owner_of(Ticket& ticket) {
  return *static_cast<Exchange*>(ticket.owner);
}

void run_shadow(Ticket& ticket) {
  Exchange& exchange = owner_of(ticket);
  asio::post(exchange.loop->io, [&exchange] {
    exchange.loop->shadow[static_cast<std::size_t>(index(other(exchange.serving_side())))]->run(exchange);
  });
}

// Called from any loop: the waiting coroutine stays until it has seen this.
void resume(Ticket& ticket) {
  Exchange& exchange = owner_of(ticket);
  asio::post(exchange.loop->io, [&exchange] {
    exchange.granted = true;
    if (exchange.wait_timer != nullptr) exchange.wait_timer->cancel();
  });
}

Awaitable<bool> wait_for_turn(Exchange& exchange, EventLoop& loop) {
  const auto& timeouts = exchange.settings->gateway.timeouts;
  Timer timer(loop.io.get_executor());
  exchange.wait_timer = &timer;
  // A strict write stands in line behind others, as long as a backend may take. The currency gate is short, and it
  // counts from the end of the line: a key that no side can serve must not hold up those that stand behind it.
  const SteadyTime until = std::chrono::steady_clock::now() + timeouts.response;
  constexpr std::chrono::milliseconds kLook{100};  // whether a drain has cut it off
  bool stood_in_line = exchange.sequencer->stands_in_line(exchange.ticket);
  SteadyTime gate = std::chrono::steady_clock::now() + timeouts.gate_wait;
  while (!exchange.granted) {
    timer.expires_after(std::min(timeouts.gate_wait, kLook));
    co_await timer.async_wait(kAwait);
    const SteadyTime now = std::chrono::steady_clock::now();
    if (exchange.granted || now >= until) break;
    if (loop.context.cut_off.load(std::memory_order_relaxed)) break;
    if (now < gate) continue;
    gate = now + timeouts.gate_wait;
    const bool in_line = exchange.sequencer->stands_in_line(exchange.ticket);
    if (!in_line && !stood_in_line) break;
    stood_in_line = in_line;
  }
  if (!exchange.granted && exchange.sequencer->cancel_wait(exchange.ticket)) {
    exchange.wait_timer = nullptr;
    co_return false;
  }
  while (!exchange.granted) {  // granted at the last moment: its notice is on the way
    timer.expires_after(std::chrono::seconds(1));
    co_await timer.async_wait(kAwait);
  }
  exchange.granted = false;
  exchange.wait_timer = nullptr;
  co_return true;
}

}  // namespace

void fill_ticket(Exchange& exchange) {
  Ticket& ticket = exchange.ticket;
  ticket.keys = exchange.keys;
  ticket.any_key = exchange.key_state == KeyState::unavailable;
  ticket.write = exchange.write();
  ticket.strict = exchange.route->config.ordering == config::Ordering::strict;
  ticket.unordered = exchange.route->config.ordering == config::Ordering::none;
  ticket.target = exchange.choice.target;
  const Stage stage = exchange.slice.stage;
  // In stage shadow legacy may serve what was forced to modern; nothing else may change its side there.
  const bool both_may_serve = stage == Stage::canary || stage == Stage::promoted ||
                              (stage == Stage::shadow && exchange.choice.target == Side::modern);
  ticket.other_side_allowed = !exchange.fell_back && both_may_serve;
  ticket.owner = &exchange;
  ticket.resume = &resume;
  ticket.run_shadow = &run_shadow;
}

Awaitable<bool> admit(Exchange& exchange, EventLoop& loop) {
  exchange.gated = exchange.choice.gated;
  if (!exchange.gated) co_return true;
  fill_ticket(exchange);
  Ticket& ticket = exchange.ticket;
  bool admitted = exchange.sequencer->admit(ticket) == Admission::granted;
  if (!admitted) admitted = co_await wait_for_turn(exchange, loop);
  exchange.gated = admitted;
  if (admitted && ticket.side != ticket.target)
    ++loop.counters.side_deferred[static_cast<std::size_t>(exchange.route->slice_index)];
  co_return admitted;
}

Stage stage_now(const Exchange& exchange, const PolicyStore& policy) {
  if (exchange.route->is_unmatched) return exchange.slice.stage;
  return policy.current().slices[static_cast<std::size_t>(exchange.route->slice_index)].stage;
}

bool may_still_serve(const Exchange& exchange, const PolicyStore& policy) {
  if (exchange.serving_side() == Side::legacy || exchange.route->is_unmatched) return true;
  const EffectiveSlice& now = policy.current().slices[static_cast<std::size_t>(exchange.route->slice_index)];
  if (now.stage == Stage::canary || now.stage == Stage::promoted || now.stage == Stage::retired) return true;
  return exchange.forced && exchange.override_side == Side::modern && override_counts(exchange, now);
}

}  // namespace phoenix::gateway
