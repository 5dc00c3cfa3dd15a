#include "gateway/listener.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <optional>

#include "core/runtime/log.hpp"
#include "gateway/connection_preamble.hpp"
#include "gateway/head_writer.hpp"
#include "gateway/session.hpp"

namespace phoenix::gateway {
namespace {

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

Tcp::endpoint resolve(const config::Endpoint& endpoint) {
  boost::system::error_code error;
  const std::string host = endpoint.host == "localhost" ? "127.0.0.1" : endpoint.host;
  const auto address = asio::ip::make_address(host, error);
  if (error)
    throw Failure(ErrorCode::invalid_input,
                  fmt::format("gateway.listen: '{}' is not an IP address of this machine", endpoint.host));
  return {address, endpoint.port};
}

/// What limits.connections counts, until a session does.
class ConnectionCount {
 public:
  explicit ConnectionCount(GatewayContext& context) : context_(context) {
    context_.connections.fetch_add(1, std::memory_order_relaxed);
  }
  ~ConnectionCount() { context_.connections.fetch_sub(1, std::memory_order_relaxed); }
  ConnectionCount(const ConnectionCount&) = delete;
  ConnectionCount& operator=(const ConnectionCount&) = delete;

 private:
  GatewayContext& context_;
};

[[noreturn]] void cannot_listen(const config::Endpoint& endpoint, const boost::system::error_code& error) {
  throw Failure(ErrorCode::unavailable,
                fmt::format("gateway.listen: cannot listen on {}: {}", endpoint.to_string(), error.message()));
}

}  // namespace

void require_free(const config::Endpoint& endpoint) {
  const Tcp::endpoint at = resolve(endpoint);
  asio::io_context io;
  Acceptor probe(io.get_executor());
  boost::system::error_code error;
  probe.open(at.protocol(), error);
  if (!error) probe.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) probe.bind(at, error);
  if (error) cannot_listen(endpoint, error);
}

Listener::Listener(EventLoop& loop, const config::Endpoint& endpoint) : loop_(loop), acceptor_(loop.io.get_executor()) {
  const Tcp::endpoint at = resolve(endpoint);
  boost::system::error_code error;
  acceptor_.open(at.protocol(), error);
  if (!error) acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.set_option(ReusePort(true), error);
  if (!error) acceptor_.bind(at, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) cannot_listen(endpoint, error);
}

std::uint16_t Listener::port() const {
  return acceptor_.local_endpoint().port();
}

void Listener::start() {
  spawn(loop_.io, accept_all());
}

void Listener::stop() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

Awaitable<void> Listener::accept_all() {
  while (acceptor_.is_open()) {
    auto [error, socket] = co_await acceptor_.async_accept(loop_.io.get_executor(), kAwait);
    if (error == asio::error::operation_aborted) break;
    if (error) {
      // Out of descriptors or memory: wait for some to come back instead of spinning.
      log::warn("accept failed: {}", error.message());
      Timer pause(loop_.io.get_executor());
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(kAwait);
      continue;
    }
    socket.set_option(Tcp::no_delay(true), error);
    const auto remote = socket.remote_endpoint(error);
    auto stream = std::make_unique<Stream>(Socket(std::move(socket)));
    const SettingsPtr settings = loop_.settings;
    const std::uint64_t most = settings->gateway.limits.connections;
    const bool full = most > 0 && loop_.context.connections.load(std::memory_order_relaxed) >= most;
    if (full) {
      spawn(loop_.io, turn_away(std::move(stream)));
    } else if (settings->gateway.proxy_protocol || settings->listener_tls.context) {
      spawn(loop_.io, serve_after_preamble(std::move(stream), remote.address(), settings));
    } else {
      serve(std::move(stream), remote.address(), *settings);
    }
  }
}

Awaitable<void> Listener::serve_after_preamble(StreamPtr stream, asio::ip::address address, SettingsPtr settings) {
  std::optional<ConnectionCount> counted(loop_.context);
  ++loop_.open_sessions;  // a drain waits for it
  const Preamble preamble = co_await read_preamble(*stream, loop_, *settings);
  --loop_.open_sessions;
  if (!preamble.problem.empty()) {
    ++loop_.counters.rejected[std::string(preamble.problem)];
    co_return;
  }
  counted.reset();
  serve(std::move(stream), preamble.client.value_or(address), *settings);
}

void Listener::serve(StreamPtr stream, const asio::ip::address& address, const Settings& settings) {
  ClientPeer peer;
  peer.address = address.to_string();
  peer.protocol = stream->tls() != nullptr ? "https" : "http";
  peer.trusted = settings.trusted_proxies.contains(address);
  spawn(loop_.io, run_session(std::move(stream), std::move(peer), loop_));
}

Awaitable<void> Listener::turn_away(StreamPtr stream) {
  ++loop_.counters.rejected["503"];
  if (loop_.settings->listener_tls.context) co_return;  // to say why would cost a handshake
  const std::string answer =
      problem_response(503, "too many connections", "limits.connections is reached; retry shortly", {}, false, true);
  co_await asio::async_write(*stream, asio::buffer(answer), kAwait);
  boost::system::error_code ignored;
  stream->socket().shutdown(Socket::shutdown_both, ignored);
}

}  // namespace phoenix::gateway
