#include "gateway/shadow_dispatcher.hpp"

#include "gateway/body_capture.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/exchange_publisher.hpp"
#include "gateway/head_writer.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::chrono::milliseconds kFirstBackoff{50};
constexpr std::chrono::milliseconds kLongestBackoff{1000};

ShadowResult result_of(const Exchange& exchange) {
  if (exchange.shadow.outcome != LegOutcome::ok || is_uncertain(exchange.shadow)) return ShadowResult::lost;
  return accepted(exchange.serving) == accepted(exchange.shadow) ? ShadowResult::applied : ShadowResult::disagreed;
}

}  // namespace

ShadowDispatcher::ShadowDispatcher(EventLoop& loop, Side side)
    : loop_(loop), side_(side), backoff_timer_(loop.io.get_executor()) {}

bool ShadowDispatcher::has_room(const Exchange& exchange) const {
  const auto loops = static_cast<std::size_t>(std::max(1, loop_.context.config.gateway.threads));
  const auto& limits = loop_.settings->gateway.limits;
  return held_.size() < std::max<std::size_t>(1, limits.shadow_queue / loops) &&
         held_bytes_ + exchange.held_bytes() <= limits.shadow_queue_bytes / loops;
}

void ShadowDispatcher::hold(ExchangePtr exchange) {
  Exchange* key = exchange.get();
  const std::size_t bytes = exchange->held_bytes();
  held_bytes_ += bytes;
  held_.emplace(key, Held{std::move(exchange), bytes, false, false});
}

void ShadowDispatcher::run(Exchange& exchange) {
  ready_.push_back(&exchange);
  start_workers();
}

void ShadowDispatcher::start_workers() {
  if (ready_.empty() || backing_off_ || workers_ >= loop_.settings->gateway.limits.shadow_connections) return;
  ++workers_;
  asio::co_spawn(loop_.io, work(), asio::detached);
}

void ShadowDispatcher::settings_changed() {
  const std::size_t allowed = loop_.settings->gateway.limits.shadow_connections;
  for (std::size_t i = std::min(ready_.size(), allowed); i > 0; --i) start_workers();
}

// One connection's worth of work: sends what is ready, one exchange after the other, and ends when nothing is.
Awaitable<void> ShadowDispatcher::work() {
  // A reload may allow fewer connections than there are.
  while (!ready_.empty() && !backing_off_ && workers_ <= loop_.settings->gateway.limits.shadow_connections) {
    Exchange& exchange = *ready_.front();
    ready_.pop_front();
    const UpstreamPtr upstream = loop_.shadow_upstream[static_cast<std::size_t>(index(side_))];
    ConnectionPtr connection = (co_await upstream->acquire(exchange)).connection;
    if (!connection) {
      ready_.push_front(&exchange);  // nothing was delivered: it keeps its turn
      if (!backing_off_) co_await back_off();
      continue;
    }
    backoff_ = std::chrono::milliseconds(0);
    const bool was_reused = connection->reused;
    LegOutcome outcome = co_await attempt(exchange, *upstream, std::move(connection));
    // The backend closed an idle connection under us. Again only where a second delivery does no harm.
    const bool may_repeat = exchange.request.is_safe() || exchange.route->config.idempotent;
    if (outcome == LegOutcome::reset && was_reused && may_repeat && exchange.shadow.head_text.empty()) {
      upstream->close_idle();
      Acquired again = co_await upstream->acquire(exchange);
      if (again.connection) outcome = co_await attempt(exchange, *upstream, std::move(again.connection));
    }
    shadow_over(exchange, outcome);
  }
  --workers_;
}

Awaitable<void> ShadowDispatcher::back_off() {
  backing_off_ = true;
  backoff_ = std::min(std::max(backoff_ * 2, kFirstBackoff), kLongestBackoff);
  backoff_timer_.expires_after(backoff_);
  co_await backoff_timer_.async_wait(kAwait);
  backing_off_ = false;
}

Awaitable<LegOutcome> ShadowDispatcher::attempt(Exchange& exchange, Upstream& upstream, ConnectionPtr connection) {
  const auto started = std::chrono::steady_clock::now();
  exchange.shadow.sent_at_us = unix_us();
  exchange.shadow.head_text.clear();
  const auto& gateway = loop_.settings->gateway;
  const auto& auth = (side_ == Side::legacy ? gateway.legacy : gateway.modern).shadow_auth;
  const std::string tail = write_shadow_leg(exchange, auth, exchange.shadow.sent_at_us);
  LegOutcome outcome = co_await upstream.send_request(*connection, exchange.forwarded_head, tail, exchange.body);
  if (outcome == LegOutcome::ok)
    outcome = co_await upstream.read_head(*connection, exchange.request.method, exchange.shadow);
  bool reusable = false;
  if (outcome == LegOutcome::ok) outcome = co_await receive(exchange, upstream, *connection, reusable);
  if (reusable) upstream.release(std::move(connection));
  exchange.shadow.duration_us =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started).count();
  // More ready work than this connection can do alone: another may start.
  start_workers();
  co_return outcome;
}

// Reads the answer through a bounded window: kept up to capture_bytes, hashed as a whole, never buffered beyond.
Awaitable<LegOutcome> ShadowDispatcher::receive(Exchange& exchange, Upstream& upstream, UpstreamConnection& connection,
                                                bool& reusable) {
  Leg& leg = exchange.shadow;
  ResponseBody body(connection, leg.head, exchange.request.method);
  BodyCapture capture(leg, exchange.settings->gateway.limits.capture_bytes);
  std::string window;
  const auto until = std::chrono::steady_clock::now() + upstream.timeouts().idle;
  while (!body.finished() && !leg.head.is_event_stream()) {
    window.clear();
    if (std::chrono::steady_clock::now() > until)
      co_return LegOutcome::timeout;  // a body without end must not keep the connection
    if (co_await body.read_some(window, upstream.timeouts().idle) == ResponseBody::State::failed)
      co_return body.outcome();
    capture.add(window);
  }
  capture.finish();
  leg.truncated =
      leg.truncated || !body.finished();  // the head of an event stream is compared, its events are not followed
  reusable = body.reusable();
  co_return LegOutcome::ok;
}

void ShadowDispatcher::shadow_over(Exchange& exchange, LegOutcome outcome) {
  exchange.shadow.outcome = outcome;
  const auto route = static_cast<std::size_t>(exchange.route->index);
  const auto side = static_cast<std::size_t>(index(side_));
  loop_.counters.routes[route].shadow.count(to_string(outcome));
  ++loop_.counters.shadow_legs[side];
  if (outcome != LegOutcome::ok || exchange.shadow.head.status >= 500) ++loop_.counters.shadow_errors[side];
  if (outcome == LegOutcome::ok) loop_.counters.duration[route][side].observe_us(exchange.shadow.duration_us);
  Held& held = held_.at(&exchange);
  held.shadow_over = true;
  // A client that takes long to read its answer, or follows a stream, holds up its event, not the key's next shadow
  // legs.
  if (!held.serving_over) release_order(exchange);
  finish_if_both_over(exchange);
}

void ShadowDispatcher::release_order(Exchange& exchange) {
  if (Sequencer::is_queued(exchange.ticket)) exchange.sequencer->shadow_done(exchange.ticket, result_of(exchange));
}

void ShadowDispatcher::serving_ended(Exchange& exchange) {
  held_.at(&exchange).serving_over = true;
  finish_if_both_over(exchange);
}

void ShadowDispatcher::finish_if_both_over(Exchange& exchange) {
  const auto found = held_.find(&exchange);
  if (!found->second.shadow_over || !found->second.serving_over) return;
  const ExchangePtr keep = std::move(found->second.exchange);
  held_bytes_ -= found->second.bytes;
  held_.erase(found);
  // Published before the next exchange of the key may run, so that events of a key enter the log in its order.
  loop_.context.publisher.finish(*keep, loop_.counters);
  release_order(*keep);
}

void ShadowDispatcher::drop_all(std::string_view reason) {
  ready_.clear();
  backoff_timer_.cancel();
  std::vector<Exchange*> all;
  for (const auto& [exchange, held] : held_) all.push_back(exchange);
  for (Exchange* exchange : all) {
    const auto found = held_.find(exchange);
    if (found == held_.end()) continue;
    exchange->dropped = reason;
    exchange->shadow.outcome = LegOutcome::dropped;
    loop_.context.publisher.finish(*exchange, loop_.counters);
    held_bytes_ -= found->second.bytes;
    held_.erase(found);
  }
}

}  // namespace phoenix::gateway
