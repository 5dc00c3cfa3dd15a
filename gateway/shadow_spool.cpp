// The part of the shadow dispatcher that lets exchanges rest in the journal and takes them back.
#include <vector>

#include "core/runtime/log.hpp"
#include "gateway/account_file.hpp"
#include "gateway/admission.hpp"
#include "gateway/coarse_clock.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/exchange_publisher.hpp"
#include "gateway/exchange_record.hpp"
#include "gateway/journal.hpp"
#include "gateway/settlement.hpp"
#include "gateway/shadow_dispatcher.hpp"

namespace phoenix::gateway {
namespace {

// From any loop.
void run_spooled(Ticket& ticket) {
  auto& leg = *static_cast<SpooledLeg*>(ticket.owner);
  leg.dispatcher->run_later(leg);
}

// Null where its route is gone: its keys are on record then.
ExchangePtr read_back(EventLoop& loop, const Journaled& at, Side side) try {
  const StoredExchange stored(loop.context.journal, at);
  const Route* route = loop.settings->routes.find(stored.intent.route, stored.intent.slice);
  ExchangePtr exchange;
  if (route != nullptr) exchange = rebuild_exchange(stored.intent, stored.served_record(), loop.settings, *route);
  if (!exchange) record_incomplete(stored.intent, stored.served_record(), loop.context);
  return exchange;
} catch (const Failure& failure) {
  log::error("a shadow leg cannot be read back, so that no key is known to be current on {} after a restart: {}",
             to_string(side), failure.what());
  loop.context.accounts.set_keys_unknown(static_cast<std::size_t>(index(side)), true);
  return nullptr;
}

}  // namespace

bool ShadowDispatcher::is_expired(const Unsettled& entry) const {
  const auto age = std::chrono::microseconds(loop_.settings->gateway.limits.spool_age).count();
  return entry.received_at_us < coarse_unix_us() - age;
}

ExchangePtr ShadowDispatcher::let_go(const Exchange& exchange) {
  Held& entry = held(exchange);
  held_bytes_ -= entry.bytes;
  held_.back().exchange->held_at = exchange.held_at;
  ExchangePtr out = std::exchange(entry, std::move(held_.back())).exchange;
  held_.pop_back();
  return out;
}

// Lets go of an exchange that the journal can give back. Null where that cannot be.
SpooledLeg* ShadowDispatcher::spool(Exchange& exchange, bool has_turn) {
  if (!exchange.journaled.served || !held(exchange).serving_over || held(exchange).shadow_over) return nullptr;
  if (!exchange.gated && !has_turn) return nullptr;  // its turn is on the way to it
  auto leg = std::make_unique<SpooledLeg>();
  leg->at = exchange.journaled;
  leg->dispatcher = this;
  leg->sequencer = exchange.sequencer;
  leg->gated = exchange.gated;
  leg->route = exchange.route->index;
  leg->ticket.owner = leg.get();
  leg->ticket.run_shadow = &run_spooled;
  if (exchange.gated && !exchange.sequencer->relocate(exchange.ticket, leg->ticket, has_turn)) return nullptr;
  UnsettledList::replace(exchange, *leg);
  let_go(exchange);
  SpooledLeg* kept = leg.get();
  spooled_.emplace(kept, std::move(leg));
  return kept;
}

// Back into memory, to be sent. Null where it can no longer be: it is given up then.
Exchange* ShadowDispatcher::unspool(SpooledLeg& leg) {
  ExchangePtr exchange = read_back(loop_, leg.at, side_);
  if (!exchange) {
    abandon(leg);
    return nullptr;
  }
  Exchange* kept = exchange.get();
  exchange->loop = &loop_;
  exchange->sequencer = leg.sequencer;
  exchange->gated = leg.gated;
  exchange->journaled = leg.at;
  const auto sequences = std::move(exchange->ticket.sequences);
  fill_ticket(*exchange);
  if (leg.gated) leg.sequencer->relocate(leg.ticket, exchange->ticket, true);
  exchange->ticket.sequences = leg.ticket.sequences.empty() ? sequences : std::move(leg.ticket.sequences);
  UnsettledList::replace(leg, *exchange);
  hold(std::move(exchange));
  held(*kept).serving_over = true;
  spooled_.erase(&leg);
  return kept;
}

void ShadowDispatcher::take_over(std::unique_ptr<SpooledLeg> leg, bool run_now) {
  leg->dispatcher = this;
  leg->ticket.owner = leg.get();
  leg->ticket.run_shadow = &run_spooled;
  SpooledLeg* kept = leg.get();
  spooled_.emplace(kept, std::move(leg));
  if (run_now) run_later(*kept);
}

// A reload has taken its route away: there is nothing to send and nothing to publish.
void ShadowDispatcher::abandon(SpooledLeg& leg) {
  loop_.counters.accounts[static_cast<std::size_t>(leg.route)]->dropped.count("route_gone");
  loop_.context.journal.done(leg.at);
  if (leg.gated) leg.sequencer->shadow_done(leg.ticket, ShadowResult::lost);
  spooled_.erase(&leg);
}

void ShadowDispatcher::run_later(SpooledLeg& leg) {
  asio::post(loop_.io, [this, &leg] { run(leg); });
}

// The front of the queue is what has waited longest; behind what is given up others get their turn.
void ShadowDispatcher::drop_expired(SteadyTime now) {
  if (now < next_look_) return;
  next_look_ = now + std::chrono::seconds(1);
  constexpr int kMostAtOnce = 1'000;
  for (int i = 0; i < kMostAtOnce && !ready_.empty(); ++i) {
    const Ready next = ready_.front();
    if (!is_expired(next.exchange != nullptr ? static_cast<const Unsettled&>(*next.exchange) : *next.spooled)) return;
    ready_.pop_front();
    Exchange* exchange = next.exchange != nullptr ? next.exchange : unspool(*next.spooled);
    if (exchange != nullptr) give_up(*exchange, "spool_expired");
  }
}

std::size_t ShadowDispatcher::resting() const {
  if (pace_ != Pace::resting) return spooled_.size();
  std::size_t count = spooled_.size();
  for (const auto& [exchange, bytes, streamed, shadow_over, serving_over] : held_) {
    const bool under_way = exchange->shadow.sent_at_us != 0;
    count += exchange->journaled.served && serving_over && !under_way ? 1 : 0;
  }
  return count;
}

std::size_t ShadowDispatcher::leave(std::string_view reason) {
  ready_.clear();
  backoff_timer_.cancel();
  std::vector<Exchange*> dropped;
  for (const auto& entry : held_) {
    if (!entry.exchange->journaled.served) dropped.push_back(entry.exchange.get());
  }
  for (Exchange* exchange : dropped) {
    exchange->dropped = reason;
    exchange->shadow.outcome = LegOutcome::dropped;
    if (exchange->write()) record_incomplete(*exchange, loop_.context);
    loop_.context.publisher.finish(*exchange, loop_);
    let_go(*exchange);
  }
  return dropped.size();
}

}  // namespace phoenix::gateway
