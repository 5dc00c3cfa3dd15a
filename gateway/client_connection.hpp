// The client's side of a session: reads strict request heads and bounded bodies, writes answers. No decisions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/asio.hpp"
#include "gateway/chunked_body.hpp"
#include "gateway/deadline.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/exchange.hpp"
#include "gateway/head_writer.hpp"

namespace phoenix::gateway {

/// How reading a request ended. `status` 0 and not ok: the client went away, there is nobody to answer.
struct ReadResult {
  bool ok = false;
  int status = 0;
  std::string_view reason;
};

class ClientConnection {
 public:
  ClientConnection(StreamPtr stream, ClientPeer peer, EventLoop& loop);

  /// Waits for the next request and parses its head into `exchange`, with the settings of the moment it was complete.
  Awaitable<ReadResult> read_head(Exchange& exchange);
  /// Reads the body up to shadow_body_bytes; a longer one leaves `body_complete` false and the rest to read_more_body.
  Awaitable<ReadResult> read_body(Exchange& exchange);
  /// The next decoded bytes of a long body, appended to `out`; `body_done()` tells the end.
  Awaitable<ReadResult> read_more_body(std::string& out);
  [[nodiscard]] bool body_done() const { return body_done_; }

  /// False when the client is gone or takes nothing for the idle time-out.
  Awaitable<bool> write(std::string_view bytes);
  Awaitable<bool> write(std::string_view head, std::string_view body);
  /// After an answer that left request bytes unread: lets the client read it before the connection is reset.
  Awaitable<void> close_gently();
  [[nodiscard]] const ClientPeer& peer() const { return peer_; }

 private:
  Awaitable<bool> fill(std::chrono::milliseconds timeout);
  Awaitable<bool> send_continue(const Exchange& exchange);

  StreamPtr stream_;
  EventLoop& loop_;
  Deadline deadline_;
  ClientPeer peer_;
  SettingsPtr settings_;  // of the request that is being read or answered
  std::string buffer_;
  ChunkedDecoder chunks_;
  bool used_ = false;  // a request has come
  bool chunked_ = false;
  bool body_done_ = true;
  std::uint64_t body_left_ = 0;
  std::uint64_t body_seen_ = 0;
};

}  // namespace phoenix::gateway
