// The bytes of one connection, to a client or to a backend: a TCP or Unix socket, and TLS over it where configured.
// A model of Asio's AsyncReadStream and AsyncWriteStream without a coroutine or allocation of its own: which of the
// transports is used is one branch per operation.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <optional>

#include "gateway/asio.hpp"
#include "gateway/input_buffer.hpp"
#include "gateway/socket_reader.hpp"

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

  /// Reads what comes next; `eof` at the end of the stream, and over TLS only if the peer has said that this is the
  /// end.
  auto read(InputBuffer& into, SocketReader::Place place) {
    if (!is_plain()) return Read{reader_.finished(), read_elsewhere(into)};
    reader_.start(into, place);
    return Read{reader_.finished(), std::nullopt};
  }
  /// The same ahead of a read() into the same buffer, where waiting costs nothing: on a plain socket.
  void listen(InputBuffer& into) {
    if (is_plain()) reader_.start(into, SocketReader::Place::between_messages);
  }
  /// Sends what the kernel takes at once and returns how much that was: nothing but over a plain socket. What is left,
  /// async_write_some() sends.
  template <std::size_t N>
  std::size_t send_now(const std::array<asio::const_buffer, N>& parts, boost::system::error_code& error) {
    if (!is_plain()) return 0;
    std::array<iovec, N> pieces;
    for (std::size_t i = 0; i < N; ++i) pieces[i] = {const_cast<void*>(parts[i].data()), parts[i].size()};
    return send_pieces(pieces.data(), N, error);
  }

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
  /// Of a pooled connection, which listens: false when the peer has closed, or says something that nobody asked for.
  /// Over TLS it takes in what came. A reset that came together with the end of the latest answer is seen where
  /// `surely`, which costs a system call.
  [[nodiscard]] bool is_quiet(bool surely);
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

  /// On a plain socket without a coroutine's frame of its own, which each connection that waits would hold.
  class Read {
   public:
    Read(SocketReader::Finished plain, std::optional<Awaitable<boost::system::error_code>> elsewhere)
        : plain_(plain), elsewhere_(std::move(elsewhere)) {}
    [[nodiscard]] bool await_ready() const noexcept { return !elsewhere_ && plain_.await_ready(); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) {
      if (elsewhere_) return elsewhere_->await_suspend(caller);
      plain_.await_suspend(caller);
      return true;
    }
    boost::system::error_code await_resume() { return elsewhere_ ? elsewhere_->await_resume() : plain_.await_resume(); }

   private:
    SocketReader::Finished plain_;
    std::optional<Awaitable<boost::system::error_code>> elsewhere_;
  };
  Awaitable<boost::system::error_code> read_elsewhere(InputBuffer& into);

  [[nodiscard]] bool is_plain() const { return !tls_ && !transport_; }
  std::size_t send_pieces(iovec* pieces, std::size_t count, boost::system::error_code& error);

  Socket socket_;
  SocketReader reader_{socket_};
  std::shared_ptr<TlsContext> tls_context_;
  std::unique_ptr<asio::ssl::stream<Socket&>> tls_;
  std::unique_ptr<Transport> transport_;
};

using StreamPtr = std::unique_ptr<Stream>;

/// What is left of `parts` once the first `bytes` are sent.
template <std::size_t N>
void drop_front(std::array<asio::const_buffer, N>& parts, std::size_t bytes) {
  for (auto& part : parts) {
    const std::size_t of_this = std::min(bytes, part.size());
    part += of_this;
    bytes -= of_this;
  }
}

}  // namespace phoenix::gateway
