// Connections to the backends. One pool per event loop and backend; idle connections are reused last in, first out.
// Everything here runs on the loop that owns the pool.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/runtime/config.hpp"
#include "gateway/asio.hpp"
#include "gateway/chunked_body.hpp"
#include "gateway/deadline.hpp"
#include "gateway/exchange.hpp"
#include "gateway/stream.hpp"

namespace phoenix::gateway {

/// One connection and what was read ahead from it.
struct UpstreamConnection {
  UpstreamConnection(asio::io_context& io, DeadlineSweep& sweep, std::unique_ptr<Transport> played = nullptr)
      : stream(io, std::move(played)), deadline(sweep, stream) {}
  ~UpstreamConnection() {
    if (active != nullptr) --*active;
  }
  Stream stream;
  Deadline deadline;
  std::string buffer;  // bytes read, not yet consumed
  bool reused = false;
  std::size_t* active = nullptr;  // counts this connection while it is out of the pool
};
using ConnectionPtr = std::unique_ptr<UpstreamConnection>;

/// Reads the body that follows a response head, in whatever framing.
class ResponseBody {
 public:
  enum class State { more, done, failed };
  ResponseBody(UpstreamConnection& connection, const ResponseHead& head, std::string_view request_method);
  [[nodiscard]] bool finished() const { return state_ == State::done; }
  /// Appends what comes next to `out`, at least one byte unless the body is over. On `failed`, `outcome` says why.
  Awaitable<State> read_some(std::string& out, std::chrono::milliseconds idle);
  [[nodiscard]] LegOutcome outcome() const { return outcome_; }
  /// The connection stands exactly behind the response and may carry another request.
  [[nodiscard]] bool reusable() const {
    return state_ == State::done && !close_delimited_ && !head_closes_ && connection_.buffer.empty();
  }

 private:
  void take_buffered(std::string& out);
  UpstreamConnection& connection_;
  ChunkedDecoder decoder_;
  std::uint64_t left_ = 0;
  bool chunked_ = false;
  bool close_delimited_ = false;
  bool head_closes_ = false;
  State state_ = State::more;
  LegOutcome outcome_ = LegOutcome::ok;
};

/// Whether read_head() waits for a final response (from 200 on) or returns interim ones as well.
enum class Interim { skipped, returned };

class Upstream {
 public:
  struct Timeouts {
    std::chrono::milliseconds connect, response, idle;
  };
  Upstream(asio::io_context& io, DeadlineSweep& sweep, config::BackendConfig backend, Timeouts timeouts,
           std::size_t head_limit, std::size_t max_idle);

  /// A pooled connection that is still open, or a new one; null when none can be made (connect_failed).
  Awaitable<ConnectionPtr> acquire();
  /// Back into the pool; only when it stands exactly between two messages.
  void release(ConnectionPtr connection);
  /// Writes a request: `ok`, `reset` or `timeout`; bytes may have left in every case.
  Awaitable<LegOutcome> send(UpstreamConnection& connection, std::string_view head, std::string_view tail,
                             std::string_view body);
  /// Reads the next response head into `leg`. The response time-out runs from here.
  Awaitable<LegOutcome> read_head(UpstreamConnection& connection, std::string_view method, Leg& leg,
                                  Interim interim = Interim::skipped);

  [[nodiscard]] const Timeouts& timeouts() const { return timeouts_; }
  /// Did the latest connect work? Shown in /status; the shadow's backoff uses its own count.
  [[nodiscard]] bool up() const { return up_; }
  [[nodiscard]] std::size_t idle_count() const { return idle_.size(); }
  [[nodiscard]] std::size_t active_count() const { return active_; }
  void close_idle() { idle_.clear(); }
  /// For tests: from here on connections come from `dialer` instead of the network; null is a connect that failed.
  void set_dialer(std::function<std::unique_ptr<Transport>()> dialer) { dialer_ = std::move(dialer); }

 private:
  void check_out(UpstreamConnection& connection);
  Awaitable<ConnectionPtr> dial();
  asio::io_context& io_;
  DeadlineSweep& sweep_;
  config::BackendConfig backend_;
  Timeouts timeouts_;
  std::size_t head_limit_;
  std::size_t max_idle_;
  std::vector<ConnectionPtr> idle_;
  std::size_t active_ = 0;
  std::function<std::unique_ptr<Transport>()> dialer_;
  bool up_ = true;
};
using UpstreamPtr = std::shared_ptr<Upstream>;

}  // namespace phoenix::gateway
