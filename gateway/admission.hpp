// How an exchange gets its place in the order of its keys, and the side that may serve it. On the exchange's own loop.
#pragma once

#include "gateway/asio.hpp"
#include "gateway/exchange.hpp"

namespace phoenix::gateway {

class EventLoop;

/// The ticket for the sequencer, from the exchange's keys, route and choice.
void fill_ticket(Exchange& exchange);

/// Waits until a side may serve the exchange (Exchange::serving_side) or no order is kept for it; false when neither
/// side was current in time: a strict write waits for writes before it up to `timeouts.response`, and everything else
/// for currency up to `timeouts.gate_wait`.
Awaitable<bool> admit(Exchange& exchange, EventLoop& loop);

}  // namespace phoenix::gateway
