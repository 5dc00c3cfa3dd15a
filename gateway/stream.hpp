// The bytes of one connection, to a client or to a backend: a TCP or Unix socket, and TLS over it where configured.
// A model of Asio's AsyncReadStream and AsyncWriteStream without a coroutine or allocation of its own: which of the
// transports is used is one branch per operation.
#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>

#include "gateway/asio.hpp"

namespace phoenix::gateway {

using TlsContext = asio::ssl::context;

/// Stands for a socket where a test plays the network.
class Transport {
 public:
  using Done = asio::any_completion_handler<void(boost::system::error_code, std::size_t)>;
  virtual ~Transport() = default;
  virtual void read_some(asio::mutable_buffer into, Done done) = 0;
  virtual void write_some(asio::const_buffer from, Done done) = 0;
  virtual void cancel() = 0;
  virtual void close() = 0;
  /// Neither closed by the peer nor readable.
  [[nodiscard]] virtual bool is_quiet() = 0;
};

class Stream {
 public:
  using executor_type = Executor;
  using lowest_layer_type = Socket;

  explicit Stream(asio::io_context& io) : socket_(io.get_executor()) {}
  explicit Stream(Socket socket) : socket_(std::move(socket)) {}
  Stream(asio::io_context& io, std::unique_ptr<Transport> transport)
      : socket_(io.get_executor()), transport_(std::move(transport)) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { close(); }

  executor_type get_executor() { return socket_.get_executor(); }
  Socket& socket() { return socket_; }
  /// From here on bytes are encrypted; the handshake is the caller's next step. `context` is kept.
  asio::ssl::stream<Socket&>& start_tls(std::shared_ptr<TlsContext> context) {
    tls_context_ = std::move(context);
    tls_ = std::make_unique<asio::ssl::stream<Socket&>>(socket_, *tls_context_);
    return *tls_;
  }
  /// Null without TLS.
  [[nodiscard]] asio::ssl::stream<Socket&>* tls() { return tls_.get(); }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this](auto handler, const Buffers& into) {
          if (tls_) {
            tls_->async_read_some(into, std::move(handler));
          } else if (!transport_) {
            socket_.async_read_some(into, std::move(handler));
          } else {
            transport_->read_some(first_of<asio::mutable_buffer>(into), std::move(handler));
          }
        },
        token, buffers);
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this](auto handler, const Buffers& from) {
          if (tls_) {
            tls_->async_write_some(from, std::move(handler));
          } else if (!transport_) {
            socket_.async_write_some(from, std::move(handler));
          } else {
            transport_->write_some(first_of<asio::const_buffer>(from), std::move(handler));
          }
        },
        token, buffers);
  }

  /// Ends what is waited for with operation_aborted.
  void cancel() {
    boost::system::error_code ignored;
    transport_ ? transport_->cancel() : static_cast<void>(socket_.cancel(ignored));
  }
  void close() {
    boost::system::error_code ignored;
    transport_ ? transport_->close() : static_cast<void>(socket_.close(ignored));
  }
  /// False when the peer has closed, or says something that nobody asked for. Where nobody reads: over TLS it takes in
  /// what came.
  [[nodiscard]] bool is_quiet();
  /// Whether anything has come that was not read yet. Takes nothing, so that a read may be under way.
  [[nodiscard]] bool has_unread();

 private:
  template <class Buffer, class Buffers>
  static Buffer first_of(const Buffers& buffers) {
    for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at) {
      if (Buffer(*at).size() > 0) return Buffer(*at);
    }
    return {};
  }

  Socket socket_;
  std::shared_ptr<TlsContext> tls_context_;
  std::unique_ptr<asio::ssl::stream<Socket&>> tls_;
  std::unique_ptr<Transport> transport_;
};

using StreamPtr = std::unique_ptr<Stream>;

}  // namespace phoenix::gateway
