#include "gateway/shadow_dispatcher.hpp"

#include <utility>

#include "core/runtime/log.hpp"
#include "gateway/admission.hpp"
#include "gateway/body_capture.hpp"
#include "gateway/coarse_clock.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/exchange_publisher.hpp"
#include "gateway/exchange_record.hpp"
#include "gateway/head_writer.hpp"
#include "gateway/journal.hpp"
#include "gateway/settlement.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::chrono::milliseconds kFirstBackoff{50};
constexpr std::chrono::milliseconds kLongestBackoff{1000};
constexpr std::chrono::milliseconds kWithoutAnswer{250};
constexpr std::size_t kMostFresh = 256;
constexpr std::size_t kLongAnswerBytes = 64 * 1024;  // beyond, an answer is read a piece at a turn

ShadowResult result_of(const Exchange& exchange) {
  if (exchange.shadow.outcome != LegOutcome::ok || is_uncertain(exchange.shadow)) return ShadowResult::lost;
  return accepted(exchange.serving) == accepted(exchange.shadow) ? ShadowResult::applied : ShadowResult::disagreed;
}

}  // namespace

ShadowDispatcher::ShadowDispatcher(EventLoop& loop, Side side)
    : loop_(loop), side_(side), backoff_timer_(loop.io.get_executor()), turn_timer_(loop.io.get_executor()) {
  turn_timer_.expires_at(std::chrono::steady_clock::time_point::max());
}

ShadowDispatcher::~ShadowDispatcher() = default;

bool ShadowDispatcher::is_full(std::size_t more_exchanges, std::size_t more_bytes) const {
  const auto loops = static_cast<std::size_t>(std::max(1, loop_.context.config.gateway.threads));
  const auto& limits = loop_.settings->gateway.limits;
  return held_.size() + more_exchanges > std::max<std::size_t>(1, limits.shadow_queue / loops) ||
         held_bytes_ + more_bytes > limits.shadow_queue_bytes / loops;
}

bool ShadowDispatcher::has_room(const Exchange& exchange) const {
  return !is_full(1, exchange.held_bytes());
}

void ShadowDispatcher::hold(ExchangePtr exchange) {
  const std::size_t bytes = exchange->held_bytes();
  held_bytes_ += bytes;
  const bool streamed = exchange->serving.cut;
  exchange->held_at = held_.size();
  held_.push_back({std::move(exchange), bytes, streamed, false, false});
}

void ShadowDispatcher::run(Exchange& exchange) {
  if (is_expired(exchange)) return give_up(exchange, "spool_expired");
  // While nothing can be sent there is no use in keeping it all in memory.
  SpooledLeg* spooled = is_full(0, 0) ? spool(exchange, true) : nullptr;
  ready_.push_back(spooled != nullptr ? Ready{nullptr, spooled} : Ready{&exchange, nullptr});
  fresh_ = std::min(fresh_ + 1, kMostFresh);
  start_workers();
}

void ShadowDispatcher::run(SpooledLeg& leg) {
  if (is_expired(leg)) {
    if (Exchange* exchange = unspool(leg)) give_up(*exchange, "spool_expired");
    return;
  }
  ready_.push_back({nullptr, &leg});
  start_workers();
}

// After the cut-off a leg would only be broken off: a write waits in the journal for the next start instead.
bool ShadowDispatcher::is_cut_off() const {
  return loop_.context.cut_off.load(std::memory_order_relaxed);
}

void ShadowDispatcher::start_workers() {
  if (ready_.empty() || is_cut_off() || pace_ != Pace::free ||
      workers_ >= loop_.settings->gateway.limits.shadow_connections)
    return;
  ++workers_;
  spawn(loop_.io, work());
}

void ShadowDispatcher::settings_changed() {
  const std::size_t allowed = loop_.settings->gateway.limits.shadow_connections;
  for (std::size_t i = std::min(ready_.size(), allowed); i > 0; --i) start_workers();
}

// One connection's worth of work: sends what is ready, one exchange after the other, and ends when nothing is.
Awaitable<void> ShadowDispatcher::work() {
  bool is_first = true;
  bool tries = false;  // for all of them
  // A reload may allow fewer connections than there are.
  while (!ready_.empty() && !is_cut_off() && (pace_ == Pace::free || tries) &&
         workers_ <= loop_.settings->gateway.limits.shadow_connections) {
    // As many go at once as have come, or a busy loop would never catch up; a backlog beyond that waits for turns.
    if (!std::exchange(is_first, false) && fresh_ == 0) {
      co_await turn();
      if (ready_.empty() || !(pace_ == Pace::free || tries)) break;
    }
    if (fresh_ > 0) --fresh_;
    const Ready next = ready_.front();
    ready_.pop_front();
    Exchange* exchange = next.exchange != nullptr ? next.exchange : unspool(*next.spooled);
    if (exchange == nullptr) continue;
    UpstreamPtr upstream = loop_.shadow_upstream[static_cast<std::size_t>(index(side_))];
    ConnectionPtr connection = (co_await upstream->acquire(*exchange)).connection;
    const bool connected = connection != nullptr;
    if (!connected || is_cut_off()) {
      ready_.push_front({exchange, nullptr});  // nothing was delivered: it keeps its turn
      if (connected) upstream->release(std::move(connection));
    } else {
      if (!only_fails()) go_on();
      note(co_await deliver(*exchange, std::move(upstream), std::move(connection)));
    }
    tries = tries && pace_ == Pace::trying;  // else another one answered for it, or rests already
    if (connected && !only_fails()) continue;
    if (pace_ != Pace::free && !tries) continue;  // another one rests, or tries
    co_await back_off();
    tries = true;
  }
  if (tries && pace_ == Pace::trying) pace_ = Pace::free;
  --workers_;
}

Awaitable<Lease::Verdict> ShadowDispatcher::deliver(Exchange& exchange, UpstreamPtr upstream,
                                                    ConnectionPtr connection) {
  // Without the mark a crash would deliver it twice.
  if (exchange.journaled.intent && !loop_.context.journal.sending(exchange)) {
    upstream->release(std::move(connection));
    give_up(exchange, "spool_full");
    co_return Lease::Verdict::unknown;
  }
  const bool was_reused = connection->reused;
  LegOutcome outcome = co_await attempt(exchange, *upstream, std::move(connection));
  // The backend closed an idle connection under us. Again only where a second delivery does no harm.
  const bool may_repeat = exchange.request.is_safe() || exchange.route->config.idempotent;
  bool was_stale = outcome == LegOutcome::reset && was_reused && exchange.shadow.head_text.empty();
  if (was_stale && may_repeat && !is_cut_off()) {
    upstream->close_idle();
    Acquired again = co_await upstream->acquire(exchange);
    was_stale = !again.connection;
    if (again.connection) outcome = co_await attempt(exchange, *upstream, std::move(again.connection));
  }
  shadow_over(exchange, outcome);
  // A leg that hangs says nothing of the next one, and costs no connect: limits.shadow_connections bounds those.
  if (was_stale || outcome == LegOutcome::timeout) co_return Lease::Verdict::unknown;
  co_return outcome == LegOutcome::ok ? Lease::Verdict::good : Lease::Verdict::bad;
}

// As many as would eject an endpoint of several; a sole one is never ejected. And for a while: where one route of many
// is broken the others go on.
bool ShadowDispatcher::only_fails() const {
  const int most = loop_.shadow_upstream[static_cast<std::size_t>(index(side_))]->backend()->config.ejection.failures;
  return most > 0 && failures_ >= most && coarse_now() - answered_at_ >= kWithoutAnswer;
}

// What a leg says of the backend. One that answers is in order, whatever it answers.
void ShadowDispatcher::note(Lease::Verdict verdict) {
  if (verdict == Lease::Verdict::bad) ++failures_;
  if (verdict != Lease::Verdict::good) return;
  if (std::exchange(told_, false)) log::info("{}: shadow legs are answered again", to_string(side_));
  failures_ = 0;
  answered_at_ = coarse_now();
  go_on();
}

void ShadowDispatcher::go_on() {
  backoff_ = std::chrono::milliseconds(0);
  if (pace_ == Pace::trying) pace_ = Pace::free;
}

// Between two turns the loop looks at all its sockets, so that neither a backlog nor a backend that floods takes its
// time from clients.
Awaitable<void> ShadowDispatcher::turn() {
  ++waiting_for_turn_;
  if (!std::exchange(turning_, true)) asio::post(loop_.io, [this] { next_turn(); });
  co_await turn_timer_.async_wait(kAwait);
  --waiting_for_turn_;
}

void ShadowDispatcher::next_turn() {
  turning_ = waiting_for_turn_ > 0;
  if (!turning_) return;
  turn_timer_.cancel_one();
  asio::post(loop_.io, [this] { next_turn(); });
}

Awaitable<void> ShadowDispatcher::back_off() {
  if (only_fails() && !std::exchange(told_, true))
    log::warn("{}: {} shadow legs in a row got no answer: they wait, and one tries at a time", to_string(side_),
              failures_);
  pace_ = Pace::resting;
  backoff_ = std::min(std::max(backoff_ * 2, kFirstBackoff), kLongestBackoff);
  backoff_timer_.expires_after(backoff_);
  co_await backoff_timer_.async_wait(kAwait);
  fresh_ = 0;
  pace_ = Pace::trying;
}

Awaitable<LegOutcome> ShadowDispatcher::attempt(Exchange& exchange, Upstream& upstream, ConnectionPtr connection) {
  const auto started = std::chrono::steady_clock::now();
  exchange.shadow.sent_at_us = unix_us();
  exchange.shadow.head_text.clear();
  const auto& gateway = loop_.settings->gateway;
  const auto& auth = (side_ == Side::legacy ? gateway.legacy : gateway.modern).shadow_auth;
  std::string memory;
  const std::string_view tail = write_shadow_leg(exchange, auth, exchange.shadow.sent_at_us, memory);
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
  if (const auto whole = leg.head.is_event_stream() ? std::nullopt : body.whole()) {
    capture_whole_body(leg, *whole, exchange.settings->gateway.limits.capture_bytes, &exchange.serving);
    body.used_whole();
    reusable = body.reusable();
    co_return LegOutcome::ok;
  }
  BodyCapture capture(leg, exchange.settings->gateway.limits.capture_bytes);
  std::string window;
  const std::uint64_t most = exchange.settings->gateway.limits.shadow_response_bytes;
  const auto until = std::chrono::steady_clock::now() + upstream.timeouts().idle;
  while (!body.finished() && !leg.head.is_event_stream()) {
    window.clear();
    if (leg.body_bytes > kLongAnswerBytes) co_await turn();
    if (std::chrono::steady_clock::now() > until)
      co_return LegOutcome::timeout;  // a body without end must not keep the connection
    if (co_await body.read_some(window, upstream.timeouts().idle) == ResponseBody::State::failed)
      co_return body.outcome();
    capture.add(window);
    if (most > 0 && leg.body_bytes > most && !body.finished()) break;  // what it says further is not worth the time
  }
  capture.finish();
  leg.cut = !body.finished();
  leg.truncated =
      leg.truncated || !body.finished();  // the head of an event stream is compared, its events are not followed
  reusable = body.reusable();
  co_return LegOutcome::ok;
}

// Nothing of it was sent.
void ShadowDispatcher::give_up(Exchange& exchange, std::string_view reason) {
  exchange.dropped = reason;
  shadow_over(exchange, LegOutcome::dropped);
}

void ShadowDispatcher::shadow_over(Exchange& exchange, LegOutcome outcome) {
  exchange.shadow.outcome = outcome;
  const auto route = static_cast<std::size_t>(exchange.route->index);
  const auto side = static_cast<std::size_t>(index(side_));
  loop_.counters.routes[route].shadow.count(to_string(outcome));
  if (outcome != LegOutcome::dropped) ++loop_.counters.shadow_legs[side];
  if (outcome != LegOutcome::dropped && (outcome != LegOutcome::ok || exchange.shadow.head.status >= 500))
    ++loop_.counters.shadow_errors[side];
  if (outcome == LegOutcome::ok) loop_.counters.duration[route][side].observe_us(exchange.shadow.duration_us);
  if (exchange.write() && result_of(exchange) != ShadowResult::applied) record_incomplete(exchange, loop_.context);
  Held& entry = held(exchange);
  entry.shadow_over = true;
  // A client that takes long to read its answer, or follows a stream, holds up its event, not the key's next shadow
  // legs.
  if (!entry.serving_over) release_order(exchange);
  finish_if_both_over(exchange);
}

void ShadowDispatcher::release_order(Exchange& exchange) {
  if (Sequencer::is_queued(exchange.ticket)) exchange.sequencer->shadow_done(exchange.ticket, result_of(exchange));
}

void ShadowDispatcher::serving_ended(Exchange& exchange) {
  Held& entry = held(exchange);
  entry.serving_over = true;
  if (entry.shadow_over) {
    finish_if_both_over(exchange);
    return;
  }
  // An answer that was streamed is on record as far as it had come when its client saw the first of it.
  if (entry.streamed && exchange.journaled.served) loop_.context.journal.served(exchange);
  if (is_full(0, 0)) spool(exchange, false);
}

void ShadowDispatcher::finish_if_both_over(Exchange& exchange) {
  if (!held(exchange).shadow_over || !held(exchange).serving_over) return;
  const ExchangePtr keep = let_go(exchange);
  // Published before the next exchange of the key may run, so that events of a key enter the log in its order.
  loop_.calibrator.consider(*keep);
  loop_.context.publisher.finish(*keep, loop_);
  release_order(*keep);
}

}  // namespace phoenix::gateway
