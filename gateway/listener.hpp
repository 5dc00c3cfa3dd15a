// Accepts clients. Every event loop has its own listening socket on the same address (SO_REUSEPORT), so that the kernel
// spreads connections and no lock or hand-over is needed.
#pragma once

#include "gateway/asio.hpp"
#include "gateway/event_loop.hpp"

namespace phoenix::gateway {

/// Failure when another process listens on the address already. Our own sockets share it (SO_REUSEPORT), and the kernel
/// would let a second gateway in without a word and split the clients between both.
void require_free(const config::Endpoint& endpoint);

class Listener {
 public:
  /// Binds and listens; Failure names the address when it cannot.
  Listener(EventLoop& loop, const config::Endpoint& endpoint);
  /// Accepts until stop(). Beyond limits.connections a client is answered 503 and closed. What stands before HTTP (the
  /// PROXY protocol, TLS) has timeouts.request_head and holds up nobody else.
  void start();
  /// On the loop's thread.
  void stop();
  [[nodiscard]] std::uint16_t port() const;

 private:
  Awaitable<void> accept_all();
  Awaitable<void> serve_after_preamble(StreamPtr stream, asio::ip::address address, SettingsPtr settings);
  void serve(StreamPtr stream, const asio::ip::address& address, const Settings& settings);
  Awaitable<void> turn_away(StreamPtr stream);
  EventLoop& loop_;
  Acceptor acceptor_;
};

}  // namespace phoenix::gateway
