// Reading from a plain socket without the system calls that find nothing. Asio tries each read at once, and most
// requests begin with a read of a socket that is known to be empty: three such calls for each mirrored exchange. Here
// the kernel says with the bytes whether more are there (TCP_INQ), and a read of an exhausted socket goes straight into
// the reactor's queue. It may stand there while nobody waits for it yet: a pooled connection learns without any call
// that its peer has closed it, and holds no buffer meanwhile.
#pragma once

#include <boost/system/error_code.hpp>

#include "gateway/asio.hpp"
#include "gateway/input_buffer.hpp"

namespace phoenix::gateway {

/// A socket whose place in Asio's reactor can be reached.
class Socket : public asio::basic_stream_socket<asio::generic::stream_protocol, Executor> {
 public:
  using Base = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;
  using Base::Base;

 private:
  friend class SocketReader;
  auto& reactor_place() { return impl_.get_implementation(); }
};

/// One read at a time. On the socket's loop; the socket and the buffers must outlive what was begun, or the socket be
/// closed before them.
class SocketReader {
 public:
  explicit SocketReader(Socket& socket) : socket_(socket) {}
  SocketReader(const SocketReader&) = delete;
  SocketReader& operator=(const SocketReader&) = delete;
  ~SocketReader();

  /// Where a read stands. The kernel's word that nothing more is there (TCP_INQ) leaves out a reset that came with the
  /// bytes, so it is only believed between messages, where nobody waits for more.
  enum class Place { between_messages, within_message };
  /// Begins to read what comes next into `into`, unless a read has begun already.
  void start(InputBuffer& into, Place place);
  /// A read has begun, and nothing has come.
  [[nodiscard]] bool is_listening() const { return state_ == State::under_way && !heard_; }
  struct Finished {
    SocketReader& reader;
    [[nodiscard]] bool await_ready() const noexcept { return reader.state_ != State::under_way; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> caller) noexcept {
      reader.waiting_ = Resumption(caller);
    }
    boost::system::error_code await_resume() const noexcept {
      reader.state_ = State::none;
      return reader.error_;
    }
  };
  /// What came of the read that start() began; `eof` at the end of the stream. Cancelling the socket ends it.
  Finished finished() { return {*this}; }

 private:
  class Operation;
  enum class State { none, under_way, over };
  void know_how_much();

  Socket& socket_;
  Operation* operation_ = nullptr;
  State state_ = State::none;
  bool tells_unread_ = false;  // a socket that knows TCP_INQ
  bool heard_ = false;         // the kernel has answered; finished() follows
  boost::system::error_code error_;
  Resumption waiting_;
};

}  // namespace phoenix::gateway
