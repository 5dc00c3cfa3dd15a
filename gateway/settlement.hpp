// What a served exchange leaves behind: its place in the order of its keys, and what is owed to the shadow side.
#pragma once

#include <string_view>

#include "gateway/exchange.hpp"

namespace phoenix::gateway {

class EventLoop;
struct GatewayContext;
struct IntentRecord;
struct ServedRecord;

/// Whether a write needs its intent in the journal: an order of its keys, or a shadow leg, depends on its outcome.
[[nodiscard]] bool needs_record(const Exchange& exchange);

/// The keys of a write that the shadow side lacks: on record before anybody acts on it.
void record_incomplete(const Exchange& exchange, GatewayContext& context);

/// From now on `side` must not serve the keys of this write, whether or not it has a place in their order: on record,
/// and in the sequencer. Nothing where its route has no key.
void name_incomplete(const Exchange& exchange, Side side, GatewayContext& context);

/// The same for an exchange of which only its record is at hand.
void record_incomplete(const IntentRecord& intent, const ServedRecord* served, GatewayContext& context);

/// One of the two, or neither: the dispatcher keeps the exchange until its turn has come.
struct Settled {
  ExchangePtr ended;        // no shadow leg will be sent
  Exchange* due = nullptr;  // run_shadow_leg() may follow; the dispatcher keeps it
};

/// Settles both, before the client can learn the outcome; `content` is the serving side's answer. On the exchange's own
/// loop, once.
Settled settle(ExchangePtr& exchange, std::string_view content, EventLoop& loop);
/// Sends the shadow leg that is due. To be called when the client's bytes have left.
void run_shadow_leg(Exchange& exchange, EventLoop& loop);
/// The same where they have not: from the loop, behind what is to be done now.
void post_shadow_leg(Exchange& exchange, EventLoop& loop);
/// settle() and post_shadow_leg() in one. Returns the exchange that ended.
ExchangePtr hold_for_shadow(ExchangePtr& exchange, std::string_view content, EventLoop& loop);

}  // namespace phoenix::gateway
