// The request's way to the serving side: head, body, and what both say before the final answer (100-continue, 103).
#pragma once

#include "gateway/client_connection.hpp"
#include "gateway/exchange.hpp"
#include "gateway/upstream.hpp"

namespace phoenix::gateway {

/// Of one session; used for one exchange after the other, on the session's loop.
class ServingLeg {
 public:
  explicit ServingLeg(ClientConnection& client) : client_(client) {}

  /// Whether the backend is to be asked before the client sends the body (RFC 9110, 10.1.1). Not where the body holds
  /// the keys, without which no side can be chosen; not in a strict line, which a slow client would hold up; and not
  /// while modern may serve: a kill must not find a request there whose body is still to come.
  [[nodiscard]] static bool asks_backend_first(const Exchange& exchange);
  /// Sends the request and reads heads until the final one, or a 101 that was asked for. Interim ones are passed on.
  Awaitable<LegOutcome> send_and_read_head(Exchange& exchange, Upstream& upstream, UpstreamConnection& connection);

  /// The client ended, or broke the rules, in the middle of its request: no fault of the backend.
  [[nodiscard]] bool client_broke_off() const { return client_broke_off_; }
  /// How, when it did.
  [[nodiscard]] const ReadResult& cut() const { return cut_; }
  /// All of the request went out. Where the backend answered without that, its connection does not stand between two
  /// messages.
  [[nodiscard]] bool request_sent() const { return request_sent_; }

 private:
  Awaitable<LegOutcome> send_all(Exchange& exchange, Upstream& upstream, UpstreamConnection& connection);
  Awaitable<LegOutcome> ask_first(Exchange& exchange, Upstream& upstream, UpstreamConnection& connection);
  Awaitable<LegOutcome> read_body(Exchange& exchange);
  Awaitable<LegOutcome> send_body(Exchange& exchange, Upstream& upstream, UpstreamConnection& connection);
  Awaitable<LegOutcome> stream_rest(Exchange& exchange, Upstream& upstream, UpstreamConnection& connection);
  Awaitable<LegOutcome> read_final_head(Exchange& exchange, Upstream& upstream, UpstreamConnection& connection);
  Awaitable<void> pass_on_interim(const Exchange& exchange);
  LegOutcome broken_off(const ReadResult& how);

  ClientConnection& client_;
  int interim_ = 0;
  bool client_broke_off_ = false;
  bool request_sent_ = false;
  ReadResult cut_;
};

}  // namespace phoenix::gateway
