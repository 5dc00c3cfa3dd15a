#include "gateway/responder.hpp"

#include <fmt/format.h>

#include "gateway/admission.hpp"
#include "gateway/body_capture.hpp"
#include "gateway/exchange_publisher.hpp"
#include "gateway/head_writer.hpp"
#include "gateway/settlement.hpp"
#include "gateway/shadow_dispatcher.hpp"
#include "gateway/tunnel.hpp"

namespace phoenix::gateway {
namespace {

// An answer up to this size is read whole before any of it is sent, so that a backend failing in its middle can still
// become a clean 502, and goes out in one write. Larger ones are streamed.
constexpr std::size_t kWholeResponseBytes = 64 * 1024;

std::int64_t microseconds_since(SteadyTime started) {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started).count();
}

}  // namespace

bool Responder::wants_keep_alive(const Exchange& exchange) const {
  if (context_.draining.load(std::memory_order_relaxed) || !client_.body_done()) return false;
  if (exchange.request.connection_close) return false;
  return exchange.request.minor_version == 1 || exchange.request.connection_keep_alive;
}

Awaitable<std::optional<bool>> Responder::respond(ExchangePtr& exchange, Upstream& upstream, ConnectionPtr connection,
                                                  SteadyTime started) {
  if (exchange->serving.outcome != LegOutcome::ok) co_return std::nullopt;
  if (exchange->serving.head.status == 101) co_return co_await tunnel(exchange, upstream, *connection, started);
  ResponseBody body(*connection, exchange->serving.head, exchange->request.method);
  const bool at_once = exchange->serving.head.is_event_stream();  // each piece, as it comes
  std::string content;
  std::optional<std::string_view> whole = at_once ? std::nullopt : body.whole();
  while (!whole && !body.finished() && content.size() <= kWholeResponseBytes && !at_once) {
    if (co_await body.read_some(content, upstream.timeouts().idle) != ResponseBody::State::failed) continue;
    exchange->serving.outcome = body.outcome();
    co_return std::nullopt;
  }
  if (!body.finished()) {
    const bool keep = co_await respond_streaming(exchange, upstream, body, content, started);
    if (body.reusable() && leg_.request_sent()) upstream.release(std::move(connection));
    co_return keep;
  }
  // The backend has done its part. Told before the client is, so that the client's next request finds it free.
  connection->lease.end();
  std::string unsent;
  const bool keep = respond_whole(exchange, whole ? *whole : content, started, unsent);
  body.used_whole();
  if (body.reusable() && leg_.request_sent()) upstream.release(std::move(connection));
  // The client may take its time; the backend's connection is not kept for it.
  if (unsent.empty()) co_return keep;
  co_return co_await client_.write(unsent) && keep;
}

bool Responder::respond_whole(ExchangePtr& exchange, std::string_view content, SteadyTime started,
                              std::string& unsent) {
  capture_whole_body(exchange->serving, content, exchange->settings->gateway.limits.capture_bytes);
  const bool keep = wants_keep_alive(*exchange);
  const bool has_body = exchange->serving.head.allows_body(exchange->request.method);
  std::string head = std::move(loop_.spare_head);
  head.clear();
  write_response_head(*exchange, exchange->serving.head,
                      {has_body ? ResponseFraming::Kind::content_length : ResponseFraming::Kind::none, content.size()},
                      keep, head);
  Exchange* due = record(exchange, started, content);
  const bool client_there = client_.write_now(head, content, unsent);
  loop_.spare_head = std::move(head);
  if (due != nullptr) unsent.empty() ? run_shadow_leg(*due, loop_) : post_shadow_leg(*due, loop_);
  return client_there && keep;
}

Awaitable<bool> Responder::respond_streaming(ExchangePtr& exchange, Upstream& upstream, ResponseBody& body,
                                             std::string& content, SteadyTime started) {
  // The client learns the outcome with the head: from here on the key's order counts.
  Exchange& held = *exchange;
  const auto& framing = held.serving.head.framing;
  const bool old_client = held.request.minor_version == 0;
  const auto kind = framing.content_length ? ResponseFraming::Kind::content_length
                    : old_client           ? ResponseFraming::Kind::close
                                           : ResponseFraming::Kind::chunked;
  const bool keep = wants_keep_alive(held) && kind != ResponseFraming::Kind::close;
  std::string out;
  write_response_head(held, held.serving.head, {kind, framing.content_length.value_or(0)}, keep, out);
  BodyCapture capture(held.serving, held.settings->gateway.limits.capture_bytes);
  bool client_there = true;
  bool complete = true;
  held.serving.cut = true;  // until its end has come, for the journal
  held.serving.duration_us = microseconds_since(started);
  ExchangePtr kept = hold_for_shadow(exchange, content, loop_);
  while (client_there) {
    capture.add(content);
    kind == ResponseFraming::Kind::chunked ? append_chunk(out, content) : static_cast<void>(out.append(content));
    if (body.finished() && kind == ResponseFraming::Kind::chunked) append_last_chunk(out);
    client_there = co_await client_.write(out);
    if (body.finished() || !client_there) break;
    out.clear();
    content.clear();
    complete = co_await body.read_some(content, upstream.timeouts().idle) != ResponseBody::State::failed;
    if (!complete) break;
  }
  capture.finish();
  held.serving.cut = !body.finished();
  if (!complete) held.serving.outcome = body.outcome();
  if (!client_there && !body.finished() && held.excluded.empty() && held.dropped.empty())
    held.dropped = "client_aborted";  // nobody saw the rest
  held.serving.duration_us = microseconds_since(started);
  finish_serving(held, std::move(kept));
  // A broken stream can only be told by closing: the client counts bytes or chunks.
  co_return client_there&& complete&& keep;
}

// The order of the key goes on at once: a tunnel may stay for hours.
Awaitable<bool> Responder::tunnel(ExchangePtr& exchange, Upstream& upstream, UpstreamConnection& connection,
                                  SteadyTime started) {
  Exchange& held = *exchange;
  const auto side = static_cast<std::size_t>(index(held.serving_side()));
  ++loop_.counters.tunnels[side];
  std::string head;
  write_upgrade_head(held, held.serving.head, head);
  ExchangePtr kept = hold_for_shadow(exchange, {}, loop_);
  // Named, because g++ 12 destroys such temporaries of a co_await twice.
  TunnelEnd client = client_.tunnel_end(head + connection.buffer.take());
  TunnelEnd backend{connection.stream, connection.deadline, client_.take_unread()};
  const std::function<bool()> may_go_on = [&] { return may_still_serve(held, context_.policy); };
  const TunnelBytes bytes = co_await run_tunnel(loop_.io, client, backend, upstream.timeouts().idle, may_go_on);
  held.serving.body_bytes = bytes.from_backend;
  held.serving.duration_us = microseconds_since(started);
  finish_serving(held, std::move(kept));
  co_return false;
}

Awaitable<bool> Responder::respond_failed(ExchangePtr& exchange, Refusal refusal, SteadyTime started) {
  const LegOutcome outcome = exchange->serving.outcome;
  const bool refused =
      leg_.client_broke_off() && leg_.cut().status != 0;  // in the middle: the client's fault, told as such
  const int status = refused                                 ? leg_.cut().status
                     : outcome == LegOutcome::timeout        ? 504
                     : outcome == LegOutcome::connect_failed ? 503
                                                             : 502;
  const std::string_view backend = to_string(exchange->serving_side());
  const bool keep = wants_keep_alive(*exchange);
  const std::string_view why =
      outcome == LegOutcome::connect_failed ? to_string(refusal) : std::string_view(to_string(outcome));
  const std::string detail = refused ? std::string(leg_.cut().reason) : fmt::format("{}: {}", backend, why);
  const std::string answer = problem_for(*exchange, status, reason_phrase(status), detail, keep);
  exchange->serving.head.status = status;
  record(exchange, started, {});
  co_return co_await client_.write(answer) && keep;
}

std::string Responder::problem_for(const Exchange& exchange, int status, std::string_view title,
                                   std::string_view detail, bool keep) {
  std::string answer = problem_response(status, title, detail, exchange.id_text, keep, status == 503);
  if (exchange.request.method == "HEAD") answer.resize(answer.find("\r\n\r\n") + 4);
  return answer;
}

Awaitable<bool> Responder::refuse_not_current(Exchange& exchange) {
  const bool behind = exchange.choice.target == Side::legacy && !exchange.ticket.other_side_allowed;
  const bool keep = wants_keep_alive(exchange);
  const std::string answer =
      problem_for(exchange, 503, behind ? "legacy_behind" : "key_not_current",
                  "a write of this key is still on its way to the side that must serve it; retry shortly", keep);
  exchange.excluded = "gate_wait";
  exchange.serving.head.status = 503;  // for the access log
  ++counters_of(exchange).responses[static_cast<std::size_t>(index(exchange.choice.target))][503];
  context_.publisher.finish(exchange, loop_);
  co_return co_await client_.write(answer) && keep;
}

RouteCounters& Responder::counters_of(const Exchange& exchange) {
  return loop_.counters.routes[static_cast<std::size_t>(exchange.route->index)];
}

// Returns the exchange whose shadow leg is due.
Exchange* Responder::record(ExchangePtr& exchange, SteadyTime started, std::string_view content) {
  Exchange& held = *exchange;
  held.serving.duration_us = microseconds_since(started);
  Settled settled = settle(exchange, content, loop_);
  finish_serving(held, std::move(settled.ended));
  return settled.due;
}

void Responder::finish_serving(Exchange& exchange, ExchangePtr kept) {
  const auto side = static_cast<std::size_t>(index(exchange.serving_side()));
  RouteCounters& counters = counters_of(exchange);
  ++counters.responses[side][exchange.serving.head.status];
  loop_.counters.duration[static_cast<std::size_t>(exchange.route->index)][side].observe_us(
      exchange.serving.duration_us);
  ++loop_.counters.served[side];
  const bool failed = exchange.serving.outcome != LegOutcome::ok || exchange.serving.head.status >= 500;
  if (failed && !leg_.client_broke_off()) ++loop_.counters.serving_errors[side];
  if (kept) {
    context_.publisher.finish(*kept, loop_);
  } else {
    loop_.shadow[static_cast<std::size_t>(index(other(exchange.serving_side())))]->serving_ended(exchange);
  }
}

}  // namespace phoenix::gateway
