#include "gateway/stream.hpp"

#include <sys/socket.h>

// The one unit in which Asio's non-template TLS code is compiled.
#include <boost/asio/ssl/impl/src.hpp>

namespace phoenix::gateway {

bool Stream::is_quiet() {
  if (transport_) return transport_->is_quiet();
  char byte;
  if (tls_) {
    // Session tickets may have come, which only a read takes in; nothing else may (the socket is non-blocking).
    boost::system::error_code error;
    return tls_->read_some(asio::buffer(&byte, 1), error) == 0 && error == asio::error::would_block;
  }
  return !has_unread();
}

bool Stream::has_unread() {
  if (transport_) return !transport_->is_quiet();
  if (tls_ && SSL_has_pending(tls_->native_handle()) == 1) return true;
  char byte;
  const ssize_t n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

}  // namespace phoenix::gateway
