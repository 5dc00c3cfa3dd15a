// What a served exchange leaves behind: its place in the order of its keys, and what is owed to the shadow side.
#pragma once

#include <string_view>

#include "gateway/exchange.hpp"

namespace phoenix::gateway {

class EventLoop;

/// Settles both, before the client can learn the outcome; `content` is the serving side's answer. Returns the exchange
/// when no shadow leg will be sent; otherwise the dispatcher keeps it. On the exchange's own loop, once.
ExchangePtr hold_for_shadow(ExchangePtr& exchange, std::string_view content, EventLoop& loop);

}  // namespace phoenix::gateway
