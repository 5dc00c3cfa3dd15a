#include "gateway/connection_preamble.hpp"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/ssl/error.hpp>

#include "gateway/head_writer.hpp"
#include "gateway/proxy_header.hpp"

namespace phoenix::gateway {
namespace {

// Takes the header's own bytes and not one more: what follows is TLS or HTTP.
Awaitable<ProxyHeader> read_proxy_header(Socket& socket) {
  std::string taken;
  std::array<char, 512> window;
  while (true) {
    const auto [error] = co_await socket.async_wait(Socket::wait_read, kAwait);
    if (error) co_return ProxyHeader{ProxyHeader::State::malformed, 0, std::nullopt};
    const ssize_t seen = ::recv(socket.native_handle(), window.data(), window.size(), MSG_PEEK | MSG_DONTWAIT);
    if (seen < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (seen <= 0) co_return ProxyHeader{ProxyHeader::State::malformed, 0, std::nullopt};
    const std::size_t before = taken.size();
    taken.append(window.data(), static_cast<std::size_t>(seen));
    const ProxyHeader header = parse_proxy_header(taken);
    const bool complete = header.state == ProxyHeader::State::complete;
    const std::size_t own = complete ? header.length - before : static_cast<std::size_t>(seen);
    static_cast<void>(::recv(socket.native_handle(), window.data(), own, MSG_DONTWAIT));
    if (header.state != ProxyHeader::State::incomplete) co_return header;
  }
}

// A person who types http:// where https:// is meant should read why.
Awaitable<void> explain_tls(Socket& socket) {
  const std::string answer = problem_response(400, "this port speaks TLS", "use https:// with this address", {}, false);
  co_await asio::async_write(socket, asio::buffer(answer), kAwait);
  boost::system::error_code ignored;
  socket.shutdown(Socket::shutdown_send, ignored);
}

}  // namespace

Awaitable<Preamble> read_preamble(Stream& stream, EventLoop& loop, const Settings& settings) {
  Preamble out;
  Deadline deadline(loop.sweep, stream);
  deadline.arm(settings.gateway.timeouts.request_head);
  if (settings.gateway.proxy_protocol) {
    const ProxyHeader header = co_await read_proxy_header(stream.socket());
    if (header.state != ProxyHeader::State::complete) {
      out.problem = "proxy_header";
      co_return out;
    }
    out.client = header.client;
  }
  if (settings.listener_tls.context) {
    boost::system::error_code ignored;
    stream.socket().non_blocking(true, ignored);
    auto& tls = stream.start_tls(settings.listener_tls.context);
    const auto [error] = co_await tls.async_handshake(asio::ssl::stream_base::server, kAwait);
    if (error) out.problem = "tls_handshake";
    const bool plain = error.category() == asio::error::get_ssl_category() &&
                       ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_HTTP_REQUEST;
    if (plain) co_await explain_tls(stream.socket());
  }
  co_return out;
}

}  // namespace phoenix::gateway
