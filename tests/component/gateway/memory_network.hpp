// A network in memory, for one event loop: connections whose far ends are played by code, and whose operations are
// counted, so that a test can let any one of them fail. Nothing here waits: an operation completes through the event
// loop, or hangs until it is cancelled.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/stream.hpp"

namespace phoenix::test {

enum class End { client, serving, shadow };  ///< what the gateway talks to over a connection

enum class Fault {
  none,
  reset,        ///< the operation fails with connection_reset, the connection is dead
  end_of_file,  ///< the far end has closed in an orderly way: reads end, writes break
  aborted,      ///< the operation fails with operation_aborted although no deadline has passed; the connection is dead
  one_byte,     ///< the operation moves one byte; the connection lives
  cut,          ///< the operation moves half of its bytes, then the connection is reset
  delivered,    ///< a write arrives whole and is reported as reset; a read is reset
  hang,         ///< neither this operation nor a later one of the connection completes: a deadline must end it
};
const char* to_string(Fault fault);

/// Which operations fail. Operations are reads, writes and connects, counted from 1 in the order in which they begin.
struct FaultPlan {
  Fault fault = Fault::none;
  std::uint64_t at = 0;
  Fault second_fault = Fault::none;
  std::uint64_t second_at = 0;
  std::size_t most_bytes = SIZE_MAX;   ///< that one operation moves
  bool spare_shadow_connects = false;  ///< each failed one costs a backoff in real time
};

class MemoryNetwork;

/// One connection: what both ends have said. The far end reads `received` and writes with say().
class MemoryConnection {
 public:
  MemoryConnection(MemoryNetwork& network, End end, int number) : network_(network), end_(end), number_(number) {}
  MemoryConnection(const MemoryConnection&) = delete;
  MemoryConnection& operator=(const MemoryConnection&) = delete;

  // For the far end.
  std::string received;  ///< unread bytes from the gateway; the far end erases what it has taken
  void say(std::string_view bytes);
  /// No more bytes will come from the far end.
  void finish();
  [[nodiscard]] bool gateway_closed() const { return gateway_closed_; }
  [[nodiscard]] bool dead() const { return broken_ || gateway_closed_; }
  [[nodiscard]] End end() const { return end_; }
  [[nodiscard]] int number() const { return number_; }
  /// Called after bytes have come from the gateway, and when the gateway has closed.
  std::function<void(MemoryConnection&)> on_change;

 private:
  friend class MemoryTransport;
  // Boxed: Boost 1.81 wraps an any_completion_handler that is copied in itself, without end.
  using DonePtr = std::unique_ptr<phoenix::gateway::Transport::Done>;
  void read_some(boost::asio::mutable_buffer into, DonePtr done);
  void write_some(boost::asio::const_buffer from, DonePtr done);
  void cancel();
  void close();
  void break_off(boost::system::error_code error);
  void try_read();
  void complete(DonePtr done, boost::system::error_code error, std::size_t bytes);

  MemoryNetwork& network_;
  const End end_;
  const int number_;
  std::string unread_;  // said by the far end, not yet read by the gateway
  bool finished_ = false;
  bool gateway_closed_ = false;
  bool broken_ = false;
  bool hangs_ = false;
  boost::system::error_code error_;  // what every operation ends with once broken
  boost::asio::mutable_buffer into_;
  std::size_t most_ = 0;
  bool breaks_after_ = false;
  DonePtr reader_;
  DonePtr hanging_;
};

class MemoryNetwork {
 public:
  MemoryNetwork(boost::asio::io_context& io, FaultPlan plan) : io_(io), plan_(plan) {}

  /// The gateway's end of a new connection that exists already (a client's).
  std::unique_ptr<phoenix::gateway::Transport> accept(End end, std::function<void(MemoryConnection&)> far_end);
  /// The same as an operation that may fail: null then.
  std::unique_ptr<phoenix::gateway::Transport> connect(End end, const std::function<void(MemoryConnection&)>& far_end);

  struct Operation {
    End end;
    enum class Kind { read, write, connect } kind;
  };
  [[nodiscard]] const std::vector<Operation>& operations() const { return operations_; }
  /// Which ends a fault has struck so far.
  [[nodiscard]] bool struck(End end) const { return struck_[static_cast<std::size_t>(end)]; }
  [[nodiscard]] std::uint64_t strikes() const { return strikes_; }
  [[nodiscard]] MemoryConnection* newest() const { return connections_.back().get(); }
  /// Connections that the gateway has not closed.
  [[nodiscard]] std::size_t open(End end) const;
  /// Runs `task` from the event loop, after what is under way.
  void later(std::function<void()> task);

 private:
  friend class MemoryConnection;
  Fault next_operation(Operation operation);
  boost::asio::io_context& io_;
  const FaultPlan plan_;
  std::vector<Operation> operations_;
  std::uint64_t strikes_ = 0;
  std::array<bool, 3> struck_{};
  std::deque<std::unique_ptr<MemoryConnection>> connections_;
};

}  // namespace phoenix::test
