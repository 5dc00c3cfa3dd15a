#include "gateway/settlement.hpp"

#include "gateway/account_file.hpp"
#include "gateway/admission.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/exchange_record.hpp"
#include "gateway/head_writer.hpp"
#include "gateway/journal.hpp"
#include "gateway/shadow_dispatcher.hpp"

namespace phoenix::gateway {
namespace {

ShadowNeed shadow_need(Exchange& exchange, const ShadowDispatcher* dispatcher) {
  const bool took_effect = exchange.write() && (accepted(exchange.serving) || is_uncertain(exchange.serving));
  if (!exchange.choice.shadow) {
    // Of a write that fell back to legacy modern may have applied what legacy then refused.
    const bool may_be_there = exchange.write() && exchange.fell_back && is_uncertain(exchange.shadow);
    const bool owed = (took_effect || may_be_there) && exchange.choice.excluded != "shadow_off";
    return owed ? ShadowNeed::forfeit : ShadowNeed::none;
  }
  if (exchange.write() && is_uncertain(exchange.serving)) {
    exchange.dropped = "serving_uncertain";
    return ShadowNeed::forfeit;
  }
  if (exchange.serving.outcome != LegOutcome::ok) {
    exchange.dropped = "serving_failed";
    return ShadowNeed::none;
  }
  // What stands in the journal can wait there.
  if (exchange.dropped.empty() && !exchange.journaled.intent && !dispatcher->has_room(exchange))
    exchange.dropped = "shadow_queue_full";
  if (!exchange.dropped.empty()) return took_effect ? ShadowNeed::forfeit : ShadowNeed::none;
  return ShadowNeed::send;
}

// The serving side made a new key: it travels to the shadow, and everything later on that key queues behind.
void adopt_assigned_id(Exchange& exchange, std::string_view content) {
  const std::string& pointer = exchange.route->config.creates;
  if (pointer.empty() || !accepted(exchange.serving)) return;
  // Without a shadow leg the other side lacks the new key, and somebody must know that.
  const std::string_view excluded = exchange.choice.excluded;
  if (!exchange.choice.shadow && !excluded.empty() && excluded != "body_too_large") return;
  auto assigned = json_scalars_at(content, {pointer}).front();
  if (!assigned || assigned->empty() || !valid_request_id(*assigned).size()) {
    exchange.dropped = "assigned_id_missing";
    return;
  }
  exchange.assigned_id = *assigned;
  if (exchange.gated) return;
  exchange.keys = {*assigned};
  exchange.key_state = KeyState::available;
  fill_ticket(exchange);
  exchange.ticket.strict = false;
  exchange.ticket.other_side_allowed = false;  // it was served already; the place in the order must be on that side
  exchange.ticket.resume = [](Ticket&) {};     // it does not wait
  // Nobody else can know the key yet. Should it be taken nevertheless, the shadow leg goes without order.
  exchange.gated = exchange.sequencer->admit(exchange.ticket) == Admission::granted ||
                   !exchange.sequencer->cancel_wait(exchange.ticket);
}

void record_incomplete(std::string_view slice, Side side, bool any_key, const std::vector<BusinessKey>& keys,
                       GatewayContext& context) {
  if (!context.journal.incomplete(slice, side, any_key ? kEveryKey : keys))
    context.accounts.set_keys_unknown(static_cast<std::size_t>(index(side)), true);
}

// On record before the client can learn the outcome.
void put_on_record(Exchange& exchange, ShadowNeed need, EventLoop& loop) {
  Journal& journal = loop.context.journal;
  if (need == ShadowNeed::forfeit) record_incomplete(exchange, loop.context);
  if (!exchange.journaled.intent) return;
  if (need == ShadowNeed::send) {
    // Without it a crash finds a write of unknown outcome, and its keys stay on this side: those that were known
    // before.
    if (!journal.served(exchange) && !exchange.route->config.creates.empty()) record_incomplete(exchange, loop.context);
    return;
  }
  journal.done(exchange.journaled);
}

}  // namespace

bool needs_record(const Exchange& exchange) {
  const std::string_view excluded = exchange.choice.excluded;
  if (!exchange.write() || exchange.route->is_unmatched || excluded == "shadow_off") return false;
  return exchange.choice.shadow || exchange.gated;
}

void record_incomplete(const Exchange& exchange, GatewayContext& context) {
  if (!exchange.gated) return;  // no key, no currency
  const auto slice = static_cast<std::size_t>(exchange.route->slice_index);
  record_incomplete(context.slice_names[slice], other(exchange.serving_side()), exchange.ticket.any_key, exchange.keys,
                    context);
}

void name_incomplete(const Exchange& exchange, Side side, GatewayContext& context) {
  if (exchange.key_state == KeyState::none_configured || exchange.sequencer == nullptr) return;
  const bool any_key = exchange.key_state == KeyState::unavailable;
  const auto slice = static_cast<std::size_t>(exchange.route->slice_index);
  record_incomplete(context.slice_names[slice], side, any_key, exchange.keys, context);
  exchange.sequencer->mark_incomplete(any_key ? kEveryKey : exchange.keys, side);
}

void record_incomplete(const IntentRecord& intent, const ServedRecord* served, GatewayContext& context) {
  if (!(served != nullptr ? served->gated : intent.gated)) return;
  record_incomplete(intent.slice, other(intent.serving), intent.any_key, served != nullptr ? served->keys : intent.keys,
                    context);
}

Settled settle(ExchangePtr& exchange, std::string_view content, EventLoop& loop) {
  ShadowDispatcher* dispatcher = loop.shadow[static_cast<std::size_t>(index(other(exchange->serving_side())))].get();
  adopt_assigned_id(*exchange, content);
  ShadowNeed need = shadow_need(*exchange, dispatcher);
  bool run_now = need == ShadowNeed::send;
  if (exchange->gated) {
    run_now = exchange->sequencer->complete(exchange->ticket, need);
    if (need == ShadowNeed::send && !Sequencer::is_queued(exchange->ticket)) {
      exchange->excluded = "overlap";
      need = ShadowNeed::none;
    }
  }
  put_on_record(*exchange, need, loop);
  if (need != ShadowNeed::send) return {std::move(exchange), nullptr};
  Settled out{nullptr, run_now ? exchange.get() : nullptr};
  dispatcher->hold(std::move(exchange));
  return out;
}

void run_shadow_leg(Exchange& exchange, EventLoop& loop) {
  loop.shadow[static_cast<std::size_t>(index(other(exchange.serving_side())))]->run(exchange);
}

void post_shadow_leg(Exchange& exchange, EventLoop& loop) {
  asio::post(loop.io, [&exchange, &loop] { run_shadow_leg(exchange, loop); });
}

ExchangePtr hold_for_shadow(ExchangePtr& exchange, std::string_view content, EventLoop& loop) {
  Settled settled = settle(exchange, content, loop);
  if (settled.due != nullptr) post_shadow_leg(*settled.due, loop);
  return std::move(settled.ended);
}

}  // namespace phoenix::gateway
