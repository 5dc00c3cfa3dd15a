#include "memory_network.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <cstring>

namespace phoenix::test {

namespace asio = boost::asio;

const char* to_string(Fault fault) {
  constexpr const char* kNames[] = {"none", "reset", "end_of_file", "aborted", "one_byte", "cut", "delivered", "hang"};
  return kNames[static_cast<std::size_t>(fault)];
}

// The gateway's end. The connection outlives it, so that a test can look at what was said.
class MemoryTransport final : public phoenix::gateway::Transport {
 public:
  explicit MemoryTransport(MemoryConnection& connection) : connection_(connection) {}
  ~MemoryTransport() override { connection_.close(); }
  MemoryTransport(const MemoryTransport&) = delete;
  MemoryTransport& operator=(const MemoryTransport&) = delete;
  void read_some(asio::mutable_buffer into, Done done) override {
    connection_.read_some(into, std::make_unique<Done>(std::move(done)));
  }
  void write_some(asio::const_buffer from, Done done) override {
    connection_.write_some(from, std::make_unique<Done>(std::move(done)));
  }
  void cancel() override { connection_.cancel(); }
  void close() override { connection_.close(); }
  bool is_quiet() override { return !connection_.broken_ && !connection_.finished_ && connection_.unread_.empty(); }

 private:
  MemoryConnection& connection_;
};

// --- one connection
// ----------------------------------------------------------------------------------------------------

void MemoryConnection::complete(DonePtr done, boost::system::error_code error, std::size_t bytes) {
  asio::post(network_.io_, [done = std::move(done), error, bytes] { std::move (*done)(error, bytes); });
}

void MemoryConnection::say(std::string_view bytes) {
  if (dead()) return;
  unread_.append(bytes);
  try_read();
}

void MemoryConnection::finish() {
  finished_ = true;
  try_read();
}

void MemoryConnection::read_some(asio::mutable_buffer into, DonePtr done) {
  const Fault fault = network_.next_operation({end_, MemoryNetwork::Operation::Kind::read});
  if (broken_) return complete(std::move(done), error_, 0);
  into_ = into;
  most_ = std::min(into.size(), network_.plan_.most_bytes);
  breaks_after_ = fault == Fault::cut;
  switch (fault) {
    case Fault::none:
    case Fault::cut:
      break;
    case Fault::one_byte:
      most_ = 1;
      break;
    case Fault::reset:
    case Fault::delivered:
      break_off(asio::error::connection_reset);
      return complete(std::move(done), asio::error::connection_reset, 0);
    case Fault::end_of_file:
      break_off(asio::error::eof);
      return complete(std::move(done), asio::error::eof, 0);
    case Fault::aborted:
      break_off(asio::error::connection_reset);
      return complete(std::move(done), asio::error::operation_aborted, 0);
    case Fault::hang:
      hangs_ = true;
      break;
  }
  if (hangs_) {
    hanging_ = std::move(done);
    return;
  }
  reader_ = std::move(done);
  try_read();
}

void MemoryConnection::try_read() {
  if (!reader_) return;
  if (unread_.empty()) {
    if (finished_) complete(std::move(reader_), asio::error::eof, 0);
    return;
  }
  std::size_t bytes = std::min(most_, unread_.size());
  if (breaks_after_) bytes = std::max<std::size_t>(1, bytes / 2);
  std::memcpy(into_.data(), unread_.data(), bytes);
  unread_.erase(0, bytes);
  if (breaks_after_) break_off(asio::error::connection_reset);
  complete(std::move(reader_), {}, bytes);
}

void MemoryConnection::write_some(asio::const_buffer from, DonePtr done) {
  const Fault fault = network_.next_operation({end_, MemoryNetwork::Operation::Kind::write});
  if (broken_ && error_ == asio::error::eof) return complete(std::move(done), asio::error::broken_pipe, 0);
  if (broken_) return complete(std::move(done), error_, 0);
  std::size_t bytes = std::min(from.size(), network_.plan_.most_bytes);
  boost::system::error_code error;
  switch (fault) {
    case Fault::none:
    case Fault::delivered:
      break;
    case Fault::one_byte:
      bytes = std::min<std::size_t>(1, bytes);
      break;
    case Fault::cut:
      bytes = std::max<std::size_t>(1, bytes / 2);
      break;
    case Fault::reset:
      error = asio::error::connection_reset;
      break;
    case Fault::end_of_file:
      error = asio::error::broken_pipe;
      break;
    case Fault::aborted:
      error = asio::error::operation_aborted;
      break;
    case Fault::hang:
      hangs_ = true;
      break;
  }
  if (hangs_) {
    hanging_ = std::move(done);
    return;
  }
  if (!error) received.append(static_cast<const char*>(from.data()), bytes);
  if (!error) network_.later([this] { on_change(*this); });
  if (fault == Fault::delivered) error = asio::error::connection_reset;
  if (fault == Fault::end_of_file) {
    break_off(asio::error::eof);
  } else if (error || fault == Fault::cut) {
    break_off(asio::error::connection_reset);
  }
  complete(std::move(done), error, error ? 0 : bytes);
}

void MemoryConnection::break_off(boost::system::error_code error) {
  broken_ = true;
  error_ = error;
  unread_.clear();
  network_.later([this] { on_change(*this); });
}

void MemoryConnection::cancel() {
  for (DonePtr* waiting : {&reader_, &hanging_}) {
    if (*waiting) complete(std::move(*waiting), asio::error::operation_aborted, 0);
  }
}

void MemoryConnection::close() {
  if (gateway_closed_) return;
  gateway_closed_ = true;
  cancel();
  network_.later([this] { on_change(*this); });
}

// --- the network
// -------------------------------------------------------------------------------------------------------

std::unique_ptr<phoenix::gateway::Transport> MemoryNetwork::accept(End end,
                                                                   std::function<void(MemoryConnection&)> far_end) {
  connections_.push_back(std::make_unique<MemoryConnection>(*this, end, static_cast<int>(connections_.size()) + 1));
  MemoryConnection& connection = *connections_.back();
  connection.on_change = std::move(far_end);
  return std::make_unique<MemoryTransport>(connection);
}

std::unique_ptr<phoenix::gateway::Transport> MemoryNetwork::connect(
    End end, const std::function<void(MemoryConnection&)>& far_end) {
  const Fault fault = next_operation({end, Operation::Kind::connect});
  return fault == Fault::none || fault == Fault::one_byte ? accept(end, far_end) : nullptr;
}

Fault MemoryNetwork::next_operation(Operation operation) {
  operations_.push_back(operation);
  const std::uint64_t number = operations_.size();
  const Fault fault = number == plan_.at ? plan_.fault : number == plan_.second_at ? plan_.second_fault : Fault::none;
  const bool spared =
      plan_.spare_shadow_connects && operation.end == End::shadow && operation.kind == Operation::Kind::connect;
  if (fault == Fault::none || spared) return Fault::none;
  struck_[static_cast<std::size_t>(operation.end)] = true;
  ++strikes_;
  return fault;
}

std::size_t MemoryNetwork::open(End end) const {
  return static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(), [&](const auto& connection) {
    return connection->end() == end && !connection->gateway_closed();
  }));
}

void MemoryNetwork::later(std::function<void()> task) {
  asio::post(io_, std::move(task));
}

}  // namespace phoenix::test
