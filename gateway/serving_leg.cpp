#include "gateway/serving_leg.hpp"

#include "gateway/head_writer.hpp"

namespace phoenix::gateway {
namespace {

constexpr int kMostInterim = 64;  // interim responses of one exchange; more is a backend gone wrong
// How long a backend is waited for that may not know 100-continue; clients wait about as long (curl: 1 s).
constexpr std::chrono::milliseconds kContinueWait{1'000};

bool rechunks(const Exchange& exchange) {
  return !exchange.body_complete && !exchange.request.framing.content_length;
}

}  // namespace

bool ServingLeg::asks_backend_first(const Exchange& exchange) {
  const auto& route = exchange.route->config;
  const Stage stage = exchange.slice.stage;
  if (!exchange.route->is_unmatched && (stage == Stage::canary || stage == Stage::promoted)) return false;
  if (exchange.override_side) return false;
  return exchange.request.expects_continue && exchange.request.has_body() && exchange.request.minor_version == 1 &&
         route.key.json.empty() && route.ordering != config::Ordering::strict;
}

Awaitable<LegOutcome> ServingLeg::send_and_read_head(Exchange& exchange, Upstream& upstream,
                                                     UpstreamConnection& connection) {
  connection.deadline.limit(exchange.until);
  exchange.serving.head_text.clear();
  exchange.serving.sent_at_us = unix_us();
  interim_ = 0;
  client_broke_off_ = request_sent_ = false;
  LegOutcome sent = LegOutcome::none;
  if (exchange.body_withheld) {
    sent = co_await ask_first(exchange, upstream, connection);
    if (sent == LegOutcome::ok && exchange.body_withheld) co_return sent;  // answered already
  } else {
    sent = co_await send_all(exchange, upstream, connection);
  }
  request_sent_ = sent == LegOutcome::ok;
  // A backend that takes no more of a request may have answered it already (413, 401): its answer counts.
  const bool may_be_answered = sent == LegOutcome::ok || (sent == LegOutcome::reset && !client_broke_off_);
  if (!may_be_answered) co_return sent;
  co_return co_await read_final_head(exchange, upstream, connection);
}

Awaitable<LegOutcome> ServingLeg::send_all(Exchange& exchange, Upstream& upstream, UpstreamConnection& connection) {
  std::string first_chunk;
  if (rechunks(exchange)) append_chunk(first_chunk, exchange.body);
  std::string tail;
  if (!exchange.upgrade.empty()) write_upgrade_tail(exchange.upgrade, tail);
  const LegOutcome sent =
      co_await upstream.send_request(connection, exchange.forwarded_head, tail.empty() ? serving_leg_tail() : tail,
                                     rechunks(exchange) ? first_chunk : exchange.body);
  if (sent != LegOutcome::ok || exchange.body_complete) co_return sent;
  co_return co_await stream_rest(exchange, upstream, connection);
}

// The head alone; the client is asked for the body once the backend wants it, or says nothing for a while.
Awaitable<LegOutcome> ServingLeg::ask_first(Exchange& exchange, Upstream& upstream, UpstreamConnection& connection) {
  const LegOutcome sent = co_await upstream.send_request(connection, exchange.forwarded_head, expecting_leg_tail(), {});
  if (sent != LegOutcome::ok) co_return sent;
  while (true) {
    const LegOutcome heard = co_await upstream.read_head(connection, exchange.request.method, exchange.serving,
                                                         Interim::returned, kContinueWait);
    if (heard == LegOutcome::timeout) break;
    if (heard != LegOutcome::ok) co_return heard;
    const int status = exchange.serving.head.status;
    if (status == 100) break;
    if (status == 101) co_return LegOutcome::malformed;  // nobody asked to switch
    if (status >= 200) {
      exchange.dropped = "body_refused";
      co_return heard;
    }
    if (++interim_ > kMostInterim) co_return LegOutcome::malformed;
    co_await pass_on_interim(exchange);
  }
  exchange.body_withheld = false;
  exchange.serving.head_text.clear();
  const LegOutcome read = co_await read_body(exchange);
  if (read != LegOutcome::ok) co_return read;
  co_return co_await send_body(exchange, upstream, connection);
}

LegOutcome ServingLeg::broken_off(const ReadResult& how) {
  client_broke_off_ = true;
  cut_ = how;
  return LegOutcome::reset;  // the backend sees a cut request
}

Awaitable<LegOutcome> ServingLeg::read_body(Exchange& exchange) {
  ReadResult body{true, 0, {}};
  if (!co_await client_.ask_for_body()) body.ok = false;
  // One that is too large to be kept is only streamed.
  if (body.ok && exchange.body_complete) body = co_await client_.read_body(exchange);
  if (!body.ok) {
    // The backend has a head and no byte of the body: it cannot have applied anything.
    broken_off(body);
    if (exchange.excluded.empty()) exchange.excluded = "client_aborted";
    exchange.choice.shadow = false;
    co_return LegOutcome::connect_failed;
  }
  measure_body(exchange);
  co_return LegOutcome::ok;
}

Awaitable<LegOutcome> ServingLeg::send_body(Exchange& exchange, Upstream& upstream, UpstreamConnection& connection) {
  if (!exchange.body_complete) co_return co_await stream_rest(exchange, upstream, connection);
  co_return co_await upstream.send_more(connection, exchange.body);
}

// The part of a long body beyond what is kept: from the client to the serving side alone, with back-pressure.
Awaitable<LegOutcome> ServingLeg::stream_rest(Exchange& exchange, Upstream& upstream, UpstreamConnection& connection) {
  const bool rechunk = rechunks(exchange);
  std::string piece;
  std::string framed;
  while (!client_.body_done()) {
    piece.clear();
    const ReadResult more = co_await client_.read_more_body(piece);
    if (!more.ok) co_return broken_off(more);
    framed.clear();
    if (rechunk) append_chunk(framed, piece);
    const LegOutcome sent = co_await upstream.send_more(connection, rechunk ? framed : piece);
    if (sent != LegOutcome::ok) co_return sent;
  }
  if (!rechunk) co_return LegOutcome::ok;
  framed.clear();
  append_last_chunk(framed);
  co_return co_await upstream.send_more(connection, framed);
}

Awaitable<LegOutcome> ServingLeg::read_final_head(Exchange& exchange, Upstream& upstream,
                                                  UpstreamConnection& connection) {
  while (true) {
    const LegOutcome heard =
        co_await upstream.read_head(connection, exchange.request.method, exchange.serving, Interim::returned);
    if (heard != LegOutcome::ok || exchange.serving.head.status >= 200) co_return heard;
    if (exchange.serving.head.status == 101)
      co_return is_upgrade_to(exchange.serving.head, exchange.upgrade) ? heard : LegOutcome::malformed;
    if (++interim_ > kMostInterim) co_return LegOutcome::malformed;
    co_await pass_on_interim(exchange);
  }
}

// To whom it may be sent (RFC 9110, 15.2). A 100 stays here: the client has had its own, or has sent its body unasked.
Awaitable<void> ServingLeg::pass_on_interim(const Exchange& exchange) {
  if (exchange.request.minor_version == 0 || exchange.serving.head.status == 100) co_return;
  std::string head;
  write_interim_head(exchange.serving.head, head);
  co_await client_.write(head);  // a client that is gone is noticed with the final response
}

}  // namespace phoenix::gateway
