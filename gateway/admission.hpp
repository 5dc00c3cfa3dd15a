// How an exchange gets its place in the order of its keys, and the side that may serve it. On the exchange's own loop.
#pragma once

#include "gateway/asio.hpp"
#include "gateway/exchange.hpp"
#include "gateway/policy_store.hpp"

namespace phoenix::gateway {

class EventLoop;

/// The ticket for the sequencer, from the exchange's keys, route and choice.
void fill_ticket(Exchange& exchange);

/// Waits until a side may serve the exchange (Exchange::serving_side) or no order is kept for it; false when neither
/// side was current in time: a strict write waits for writes before it up to `timeouts.response`, and everything else
/// for currency up to `timeouts.gate_wait`.
Awaitable<bool> admit(Exchange& exchange, EventLoop& loop);

/// The stage of the exchange's slice as the policy is now; that it began with where no route matched.
[[nodiscard]] Stage stage_now(const Exchange& exchange, const PolicyStore& policy);

/// Whether the side that was chosen may serve still. To be asked after every wait: a kill that came meanwhile must find
/// nothing dispatched to modern.
[[nodiscard]] bool may_still_serve(const Exchange& exchange, const PolicyStore& policy);

}  // namespace phoenix::gateway
