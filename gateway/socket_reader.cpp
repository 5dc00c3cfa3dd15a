#include "gateway/socket_reader.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/detail/epoll_reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>
#include <boost/asio/error.hpp>
#include <boost/version.hpp>

// It uses what Asio does not document: see that epoll_reactor::start_op() and descriptor_state::perform_io() are still
// as they were before another version is let in.
static_assert(BOOST_VERSION == 108100, "check SocketReader against this version of Boost.Asio");

namespace phoenix::gateway {
namespace {

struct Received {
  ssize_t bytes;
  bool may_be_more;
};

Received receive(int socket, bool tells_unread, asio::mutable_buffer into) {
  iovec part{into.data(), into.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (tells_unread) {  // elsewhere file descriptors might come
    message.msg_control = control;
    message.msg_controllen = sizeof control;
  }
  const ssize_t bytes = ::recvmsg(socket, &message, MSG_DONTWAIT);
  const cmsghdr* told = bytes > 0 && tells_unread ? CMSG_FIRSTHDR(&message) : nullptr;
  if (told == nullptr || told->cmsg_level != SOL_TCP || told->cmsg_type != TCP_CM_INQ) return {bytes, true};
  int unread = 0;  // the end of the stream counts as a byte
  std::memcpy(&unread, CMSG_DATA(told), sizeof unread);
  return {bytes, unread != 0};
}

}  // namespace

// Outlives its reader where the reactor has it still. A fixed part of the connection: no allocation for a read.
class SocketReader::Operation : public asio::detail::reactor_op {
 public:
  explicit Operation(SocketReader& reader)
      : reactor_op({}, &Operation::perform, &Operation::complete),
        reader_(&reader),
        reactor_(asio::use_service<asio::detail::reactor>(reader.socket_.get_executor().context())) {}

  void start(InputBuffer& into, Place where) {
    constexpr bool kContinuation = false;
    constexpr bool kAtOnceUnlessExhausted = true;
    into_ = &into;
    ec_ = {};
    auto& place = reader_->socket_.reactor_place();
    socket_ = place.socket_;
    tells_unread_ = reader_->tells_unread_;
    if (where == Place::within_message && perform(this) != not_done) {
      reader_->error_ = ec_;
      reader_->state_ = State::over;
      return;
    }
    queued_ = true;
    reactor_.start_op(asio::detail::reactor::read_op, socket_, place.reactor_data_, this, kContinuation,
                      kAtOnceUnlessExhausted);
  }
  // The reader is gone.
  void leave() {
    reader_ = nullptr;
    if (!queued_) delete this;
  }

 private:
  static status perform(reactor_op* base) {
    auto& self = *static_cast<Operation*>(base);
    while (true) {
      const Received received = receive(self.socket_, self.tells_unread_, self.into_->prepare());
      self.into_->commit(received.bytes > 0 ? static_cast<std::size_t>(received.bytes) : 0);
      if (received.bytes < 0 && errno == EINTR) continue;
      if (received.bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return not_done;
      if (self.reader_ != nullptr) self.reader_->heard_ = true;
      if (received.bytes > 0) return received.may_be_more ? done : done_and_exhausted;
      self.ec_ = received.bytes == 0 ? make_error_code(asio::error::eof)
                                     : boost::system::error_code(errno, boost::system::system_category());
      return done;
    }
  }

  static void complete(void* owner, asio::detail::scheduler_operation* base, const boost::system::error_code&,
                       std::size_t) {
    auto* self = static_cast<Operation*>(base);
    self->queued_ = false;
    SocketReader* reader = self->reader_;
    if (reader == nullptr) {
      delete self;
      return;
    }
    reader->error_ = self->ec_;
    reader->state_ = State::over;
    Resumption waiting = std::move(reader->waiting_);
    if (owner != nullptr && waiting) waiting();
    // Else the loop goes away, and with `waiting` the reader.
  }

  SocketReader* reader_;
  asio::detail::reactor& reactor_;
  int socket_ = -1;
  bool tells_unread_ = false;
  InputBuffer* into_ = nullptr;
  bool queued_ = false;
};

SocketReader::~SocketReader() {
  if (operation_ != nullptr) operation_->leave();
}

void SocketReader::start(InputBuffer& into, Place place) {
  if (state_ != State::none) return;
  if (operation_ == nullptr) {
    operation_ = new Operation(*this);
    know_how_much();
  }
  state_ = State::under_way;
  heard_ = false;
  operation_->start(into, place);
}

// Other sockets than those of TCP do not know it: each read of theirs is tried at once.
void SocketReader::know_how_much() {
  const int yes = 1;
  tells_unread_ = ::setsockopt(socket_.native_handle(), SOL_TCP, TCP_INQ, &yes, sizeof yes) == 0;
}

}  // namespace phoenix::gateway
