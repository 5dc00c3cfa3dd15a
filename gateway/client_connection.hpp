// The client's side of a session: reads strict request heads and bounded bodies, writes answers. No decisions.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/asio.hpp"
#include "gateway/chunked_body.hpp"
#include "gateway/deadline.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/exchange.hpp"
#include "gateway/head_writer.hpp"
#include "gateway/tunnel.hpp"

namespace phoenix::gateway {

/// How reading a request ended. `status` 0 and not ok: the client went away, there is nobody to answer.
struct ReadResult {
  bool ok = false;
  int status = 0;
  std::string_view reason;
};

/// Counts as a connection and an open session for as long as it is there.
class ClientConnection {
 public:
  ClientConnection(StreamPtr stream, ClientPeer peer, EventLoop& loop);
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;
  ~ClientConnection();

  /// Ends the limit of the exchange before. Whether anything of the next request has come with it.
  bool next_has_begun();
  /// Else waits for it, however long it is until `timeouts.keep_alive`. False when there is none: nobody waits for an
  /// answer.
  Awaitable<bool> wait_for_request();
  /// Reads the request that has begun to come and parses its head into `exchange`, with the settings of the moment it
  /// was complete.
  Awaitable<ReadResult> read_head(Exchange& exchange);
  /// After the head: how the body is framed. Refuses one that says it is too large.
  ReadResult begin_body(const Exchange& exchange);
  /// Tells a client that waits to be told (Expect: 100-continue) to send its body. False when it is gone.
  Awaitable<bool> ask_for_body();
  /// Reads the body up to shadow_body_bytes; a longer one leaves `body_complete` false and the rest to read_more_body.
  Awaitable<ReadResult> read_body(Exchange& exchange);
  /// The next decoded bytes of a long body, appended to `out`; `body_done()` tells the end.
  Awaitable<ReadResult> read_more_body(std::string& out);
  [[nodiscard]] bool body_done() const { return body_done_; }
  /// Bytes behind what was read so far.
  [[nodiscard]] bool has_unread() const { return !buffer_.empty(); }

  /// False when the client is gone or takes nothing for the idle time-out.
  Awaitable<bool> write(std::string_view bytes);
  Awaitable<bool> write(std::string_view head, std::string_view body);
  /// The same as far as it goes without waiting; the rest is in `unsent`, for write().
  bool write_now(std::string_view head, std::string_view body, std::string& unsent);
  /// Over TLS: tells the client that this is the end, so that it is told apart from a cut. Bounded in time.
  Awaitable<void> end_tls();
  /// After an answer that left request bytes unread: lets the client read it before the connection is reset.
  Awaitable<void> close_gently();
  [[nodiscard]] const ClientPeer& peer() const { return peer_; }
  /// For a tunnel: the stream, its deadline, and what the client has sent already.
  TunnelEnd tunnel_end(std::string for_client) { return {*stream_, deadline_, std::move(for_client)}; }
  std::string take_unread() { return buffer_.take(); }

 private:
  Awaitable<bool> fill(std::chrono::milliseconds timeout, SocketReader::Place place);
  bool send_now(std::array<asio::const_buffer, 2>& parts);

  InputBuffer buffer_;
  StreamPtr stream_;
  EventLoop& loop_;
  Deadline deadline_;
  ClientPeer peer_;
  SettingsPtr settings_;  // of the request that is being read or answered
  ChunkedDecoder chunks_;
  bool used_ = false;  // a request has come
  bool chunked_ = false;
  bool body_done_ = true;
  std::uint64_t body_left_ = 0;
  std::uint64_t body_seen_ = 0;
};

}  // namespace phoenix::gateway
