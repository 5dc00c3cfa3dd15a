#include "gateway/stream.hpp"

#include <sys/socket.h>

// The one unit in which Asio's non-template TLS code is compiled.
#include <boost/asio/ssl/impl/src.hpp>

namespace phoenix::gateway {

Awaitable<boost::system::error_code> Stream::read_elsewhere(InputBuffer& into) {
  const auto [error, bytes] = co_await async_read_some(into.prepare(), kAwait);
  into.commit(bytes);
  co_return error;
}

std::size_t Stream::send_pieces(iovec* pieces, std::size_t count, boost::system::error_code& error) {
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = count;
  const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
    error = boost::system::error_code(errno, boost::system::system_category());
  return 0;
}

bool Stream::is_quiet(bool surely) {
  if (transport_) return transport_->is_quiet();
  char byte;
  if (tls_) {
    // Session tickets may have come, which only a read takes in; nothing else may (the socket is non-blocking).
    boost::system::error_code error;
    return tls_->read_some(asio::buffer(&byte, 1), error) == 0 && error == asio::error::would_block;
  }
  return reader_.is_listening() && !(surely && has_unread());
}

bool Stream::has_unread() {
  if (transport_) return !transport_->is_quiet();
  if (tls_ && SSL_has_pending(tls_->native_handle()) == 1) return true;
  char byte;
  const ssize_t n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

}  // namespace phoenix::gateway
