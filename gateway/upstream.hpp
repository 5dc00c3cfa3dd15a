// Connections to a backend, from one event loop: a pool for each endpoint, whose idle connections are reused last in,
// first out. Everything here runs on the loop that owns the pools; what the loops share is BackendState.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/runtime/clock.hpp"
#include "gateway/balancer.hpp"
#include "gateway/chunked_body.hpp"
#include "gateway/dialer.hpp"
#include "gateway/exchange.hpp"

namespace phoenix::gateway {

/// Reads the body that follows a response head, in whatever framing.
class ResponseBody {
 public:
  enum class State { more, done, failed };
  ResponseBody(UpstreamConnection& connection, const ResponseHead& head, std::string_view request_method);
  [[nodiscard]] bool finished() const { return state_ == State::done; }
  /// Appends what comes next to `out`, at least one byte unless the body is over. On `failed`, `outcome` says why.
  Awaitable<State> read_some(std::string& out, std::chrono::milliseconds idle);
  [[nodiscard]] LegOutcome outcome() const { return outcome_; }
  /// The whole body where it is here already, as it stands in the connection's buffer, and nothing of it was taken:
  /// valid until used_whole().
  std::optional<std::string_view> whole();
  void used_whole() { connection_.buffer.consume(std::exchange(whole_bytes_, 0)); }
  /// The connection stands exactly behind the response and may carry another request.
  [[nodiscard]] bool reusable() const {
    return state_ == State::done && !close_delimited_ && !head_closes_ && connection_.buffer.empty();
  }

 private:
  void take_buffered(std::string& out);
  UpstreamConnection& connection_;
  ChunkedDecoder decoder_;
  std::uint64_t left_ = 0;
  std::size_t whole_bytes_ = 0;
  bool chunked_ = false;
  bool close_delimited_ = false;
  bool head_closes_ = false;
  State state_ = State::more;
  LegOutcome outcome_ = LegOutcome::ok;
};

/// Whether read_head() waits for a final response (from 200 on) or returns interim ones as well, 101 among them.
enum class Interim { skipped, returned };

/// A connection, or why there is none. Nothing was sent in that case.
struct Acquired {
  ConnectionPtr connection;
  Refusal refusal = Refusal::none;
};

class Upstream {
 public:
  struct Timeouts {
    std::chrono::milliseconds connect, response, idle;
  };
  /// Serving legs pass the circuit breaker and count against `in_flight`; shadow legs have bounds of their own.
  enum class Use { serving, shadow };
  struct Options {
    Use use = Use::serving;
    Timeouts timeouts;
    std::size_t head_limit = 0;
    std::size_t max_idle = 0;         // connections, for each endpoint
    std::shared_ptr<TlsContext> tls;  // null where no endpoint wants it
  };
  Upstream(asio::io_context& io, DeadlineSweep& sweep, RandomSource& random, BackendStatePtr backend, Options options);

  /// To the endpoint that the balance policy picks: a pooled connection that is still open, or a new one. Where an
  /// endpoint cannot be reached the next is tried, each at most once.
  Awaitable<Acquired> acquire(const Exchange& exchange);
  /// Back into the pool; only when it stands exactly between two messages.
  void release(ConnectionPtr connection);
  /// Writes a request: `ok`, `reset` or `timeout`; bytes may have left in every case. `head` begins with the request
  /// line and Host, as write_forwarded_head() writes it; where the backend has a `host`, that line is replaced on the
  /// way.
  Awaitable<LegOutcome> send_request(UpstreamConnection& connection, std::string_view head, std::string_view tail,
                                     std::string_view body);
  /// More of a request's body, as it stands.
  Awaitable<LegOutcome> send_more(UpstreamConnection& connection, std::string_view bytes);
  /// Reads the next response head into `leg`. The response time-out, or `within`, runs from here; after the latter the
  /// connection can still be read.
  Awaitable<LegOutcome> read_head(UpstreamConnection& connection, std::string_view method, Leg& leg,
                                  Interim interim = Interim::skipped,
                                  std::optional<std::chrono::milliseconds> within = std::nullopt);

  [[nodiscard]] const Timeouts& timeouts() const { return options_.timeouts; }
  [[nodiscard]] const BackendStatePtr& backend() const { return backend_; }
  [[nodiscard]] std::size_t idle_count(std::size_t endpoint) const { return pools_[endpoint].idle.size(); }
  [[nodiscard]] std::size_t active_count(std::size_t endpoint) const { return pools_[endpoint].active; }
  [[nodiscard]] std::size_t active_count() const;  // of all endpoints
  void close_idle();
  /// Another one takes its place: closes what is idle, and keeps nothing that comes back.
  void retire() {
    retired_ = true;
    close_idle();
  }
  /// For tests: from here on connections come from `connect` instead of the network; null is a connect that failed.
  void set_dialer(const std::function<std::unique_ptr<Transport>()>& connect) {
    for (Pool& pool : pools_) pool.dialer.play(connect);
  }
  /// Closes what has been idle for `keep_idle`.
  void close_old(SteadyTime now);

 private:
  struct Pool {
    explicit Pool(Dialer with) : dialer(std::move(with)) {}
    Dialer dialer;
    std::vector<ConnectionPtr> idle;  // the latest at the back
    std::size_t active = 0;
  };
  std::optional<std::size_t> pick(std::uint64_t key_hash, const std::vector<bool>& tried, SteadyTime now);
  /// `only_once`: the request is not to be sent again where the connection turns out to be closed.
  ConnectionPtr take_idle(Pool& pool, SteadyTime now, bool only_once);
  template <std::size_t N>
  Awaitable<LegOutcome> write(UpstreamConnection& connection, std::array<std::string_view, N> parts);
  LegOutcome note(UpstreamConnection& connection, LegOutcome outcome, int status);

  RandomSource& random_;
  const BackendStatePtr backend_;
  const Options options_;
  const std::string host_line_;  // empty: Host as it was sent
  Balancer balancer_;
  std::deque<Pool> pools_;  // by endpoint
  bool retired_ = false;
  std::vector<EndpointView> views_;  // what pick() looks at, kept for its memory
};
using UpstreamPtr = std::shared_ptr<Upstream>;

}  // namespace phoenix::gateway
