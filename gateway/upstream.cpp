#include "gateway/upstream.hpp"

#include <algorithm>
#include <array>

#include "gateway/coarse_clock.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::size_t kRecordBytes = 16 * 1024;  // of plain text, at most (RFC 8446, 5.1)

// The business key, or the exchange where there is none: such requests go anywhere.
std::uint64_t key_hash_of(const Exchange& exchange) {
  return hash_of_key(exchange.keys.empty() ? std::string_view(exchange.id_text) : exchange.keys.front());
}

}  // namespace

ResponseBody::ResponseBody(UpstreamConnection& connection, const ResponseHead& head, std::string_view request_method)
    : connection_(connection),
      chunked_(head.framing.chunked),
      close_delimited_(head.close_delimited),
      head_closes_(head.connection_close || (head.minor_version == 0 && !head.connection_keep_alive)) {
  connection.bodiless = request_method == "HEAD" || head.status == 204 || head.status == 304;
  if (!head.allows_body(request_method)) {
    state_ = State::done;
  } else if (!chunked_ && !close_delimited_) {
    left_ = head.framing.content_length.value_or(0);
    if (left_ == 0) state_ = State::done;
  }
}

std::optional<std::string_view> ResponseBody::whole() {
  if (state_ == State::done) return std::string_view();
  if (chunked_ || close_delimited_ || left_ > connection_.buffer.size()) return std::nullopt;
  state_ = State::done;
  whole_bytes_ = static_cast<std::size_t>(std::exchange(left_, 0));
  return connection_.buffer.view().substr(0, whole_bytes_);
}

void ResponseBody::take_buffered(std::string& out) {
  InputBuffer& buffer = connection_.buffer;
  if (chunked_) {
    std::string_view rest = buffer.view();
    const auto decoded = decoder_.feed(rest, out);
    buffer.consume(buffer.size() - rest.size());
    if (decoded == ChunkedDecoder::State::done) state_ = State::done;
    if (decoded == ChunkedDecoder::State::malformed) {
      state_ = State::failed;
      outcome_ = LegOutcome::malformed;
      connection_.lease.judge(Lease::Verdict::bad);
    }
  } else {
    const std::size_t take =
        close_delimited_ ? buffer.size() : static_cast<std::size_t>(std::min<std::uint64_t>(left_, buffer.size()));
    out.append(buffer.view().substr(0, take));
    buffer.consume(take);
    left_ -= close_delimited_ ? 0 : take;
    if (!close_delimited_ && left_ == 0) state_ = State::done;
  }
}

Awaitable<ResponseBody::State> ResponseBody::read_some(std::string& out, std::chrono::milliseconds idle) {
  const std::size_t before = out.size();
  while (state_ == State::more) {
    if (!connection_.buffer.empty()) take_buffered(out);
    if (state_ != State::more || out.size() > before) break;
    connection_.deadline.arm(idle);
    const boost::system::error_code error =
        co_await connection_.stream.read(connection_.buffer, SocketReader::Place::within_message);
    connection_.deadline.disarm();
    if (!error) continue;
    // Only an orderly end completes such a body: a reset may have cut it.
    const bool ended = close_delimited_ && error == asio::error::eof;
    state_ = ended ? State::done : State::failed;
    outcome_ = ended ? LegOutcome::ok : connection_.deadline.expired() ? LegOutcome::timeout : LegOutcome::reset;
    if (!ended) connection_.lease.judge(Lease::Verdict::bad);
  }
  co_return state_;
}

Upstream::Upstream(asio::io_context& io, DeadlineSweep& sweep, RandomSource& random, BackendStatePtr backend,
                   Options options)
    : random_(random),
      backend_(std::move(backend)),
      options_(std::move(options)),
      host_line_(backend_->config.host.empty() ? "" : "Host: " + backend_->config.host + "\r\n"),
      balancer_(backend_->config.balance, backend_->config.endpoints) {
  for (const auto& endpoint : backend_->config.endpoints)
    pools_.emplace_back(Dialer(io, sweep, endpoint, backend_->config, options_.tls));
  views_.resize(pools_.size());
}

Awaitable<Acquired> Upstream::acquire(const Exchange& exchange) {
  SteadyTime now = coarse_now();
  Acquired out;
  Lease lease;
  if (options_.use == Use::shadow) {
    lease.enter_ungated(*backend_);
  } else if (out.refusal = lease.enter(*backend_, now); out.refusal != Refusal::none) {
    ++backend_->gate->refused[static_cast<std::size_t>(out.refusal)];
    co_return out;
  }
  const std::uint64_t key_hash = balancer_.policy() == config::Balance::consistent_hash ? key_hash_of(exchange) : 0;
  std::vector<bool> tried;  // empty until one has failed
  while (const auto endpoint = pick(key_hash, tried, now)) {
    Pool& pool = pools_[*endpoint];
    out.connection = take_idle(pool, now, !(exchange.request.is_safe() && exchange.body_complete));
    if (!out.connection) {
      Dialled dialled = co_await pool.dialer.dial(options_.timeouts.connect);
      now = coarse_now();
      backend_->note_connect(*endpoint, dialled.connection != nullptr, dialled.why);
      out.connection = std::move(dialled.connection);
    }
    if (out.connection) {
      lease.attach(*endpoint, pool.active);
      out.connection->endpoint = *endpoint;
      out.connection->lease = std::move(lease);
      co_return out;
    }
    backend_->failed(*endpoint, now);
    tried.resize(pools_.size());
    tried[*endpoint] = true;
  }
  lease.judge(Lease::Verdict::bad);
  out.refusal = Refusal::connect_failed;
  if (options_.use == Use::serving) ++backend_->gate->refused[static_cast<std::size_t>(out.refusal)];
  co_return out;
}

std::optional<std::size_t> Upstream::pick(std::uint64_t key_hash, const std::vector<bool>& tried, SteadyTime now) {
  if (pools_.size() == 1) return tried.empty() ? std::optional<std::size_t>(0) : std::nullopt;
  const config::Balance policy = balancer_.policy();
  for (std::size_t i = 0; i < views_.size(); ++i) {
    const EndpointState& state = *backend_->endpoints[i];
    views_[i].weight = backend_->config.endpoints[i].weight;
    views_[i].usable = state.is_usable(now);
    views_[i].tried = !tried.empty() && tried[i];
    if (policy == config::Balance::least_requests)
      views_[i].in_flight = state.in_flight.load(std::memory_order_relaxed);
  }
  return balancer_.pick(views_, key_hash, policy == config::Balance::weighted ? random_.next() : 0);
}

ConnectionPtr Upstream::take_idle(Pool& pool, SteadyTime now, bool only_once) {
  while (!pool.idle.empty()) {
    ConnectionPtr connection = std::move(pool.idle.back());
    pool.idle.pop_back();
    if (now - connection->idle_since >= backend_->config.keep_idle ||
        !connection->stream.is_quiet(only_once || connection->bodiless))
      continue;
    connection->reused = true;
    return connection;
  }
  return nullptr;
}

void Upstream::release(ConnectionPtr connection) {
  connection->lease.end();
  connection->deadline.limit(SteadyTime::max());
  auto& idle = pools_[connection->endpoint].idle;
  if (retired_ || idle.size() >= options_.max_idle) return;
  connection->idle_since = coarse_now();
  connection->stream.listen(connection->buffer);
  idle.push_back(std::move(connection));
}

std::size_t Upstream::active_count() const {
  std::size_t sum = 0;
  for (const auto& pool : pools_) sum += pool.active;
  return sum;
}

void Upstream::close_idle() {
  for (auto& pool : pools_) pool.idle.clear();
}

void Upstream::close_old(SteadyTime now) {
  for (auto& pool : pools_) {
    auto& idle = pool.idle;
    const auto young = std::find_if(idle.begin(), idle.end(), [&](const auto& connection) {
      return now - connection->idle_since < backend_->config.keep_idle;
    });
    idle.erase(idle.begin(), young);
  }
}

template <std::size_t N>
Awaitable<LegOutcome> Upstream::write(UpstreamConnection& connection, std::array<std::string_view, N> parts) {
  std::array<asio::const_buffer, N> buffers;
  for (std::size_t i = 0; i < N; ++i) buffers[i] = asio::buffer(parts[i]);
  // Over TLS each part would become a record and a packet of its own.
  std::string joined;
  if (connection.stream.tls() != nullptr && N > 1 && asio::buffer_size(buffers) <= kRecordBytes) {
    for (const std::string_view part : parts) joined.append(part);
    buffers = {asio::buffer(joined)};
  }
  boost::system::error_code error;
  bool late = false;
  const std::size_t sent = connection.stream.send_now(buffers, error);
  if (!error && sent < asio::buffer_size(buffers)) {
    drop_front(buffers, sent);
    connection.deadline.arm(options_.timeouts.idle);
    error = std::get<0>(co_await asio::async_write(connection.stream, buffers, kAwait));
    late = connection.deadline.expired();
    connection.deadline.disarm();
  }
  co_return note(connection, !error ? LegOutcome::ok : late ? LegOutcome::timeout : LegOutcome::reset, 0);
}

Awaitable<LegOutcome> Upstream::send_request(UpstreamConnection& connection, std::string_view head,
                                             std::string_view tail, std::string_view body) {
  if (host_line_.empty()) return write<3>(connection, {head, tail, body});
  const std::size_t host = head.find("\r\n") + 2;
  const std::size_t rest = head.find("\r\n", host) + 2;
  return write<5>(connection, {head.substr(0, host), host_line_, head.substr(rest), tail, body});
}

Awaitable<LegOutcome> Upstream::send_more(UpstreamConnection& connection, std::string_view bytes) {
  return write<1>(connection, {bytes});
}

// What the endpoint's health learns. A pooled connection that was closed before any answer tells nothing: it was idle.
// Nor does an exchange that others have kept waiting until timeouts.total.
LegOutcome Upstream::note(UpstreamConnection& connection, LegOutcome outcome, int status) {
  const bool stale = outcome == LegOutcome::reset && connection.reused && connection.buffer.empty();
  const bool out_of_time = outcome == LegOutcome::timeout && connection.deadline.limit_passed();  // not its own
  if (outcome == LegOutcome::ok) {
    if (status >= 200 || status == 101)
      connection.lease.judge(status >= 502 && status <= 504 ? Lease::Verdict::bad : Lease::Verdict::good);
  } else {
    connection.lease.judge(stale || out_of_time ? Lease::Verdict::unknown : Lease::Verdict::bad);
  }
  return outcome;
}

Awaitable<LegOutcome> Upstream::read_head(UpstreamConnection& connection, std::string_view method, Leg& leg,
                                          Interim interim, std::optional<std::chrono::milliseconds> within) {
  std::size_t scanned = 0;
  connection.deadline.arm(within.value_or(options_.timeouts.response));
  auto place = SocketReader::Place::between_messages;
  while (true) {
    const HeadEnd end = find_head_end(connection.buffer.view(), scanned);
    const std::size_t size = end.state == HeadEnd::State::complete ? end.length : connection.buffer.size();
    if (end.state == HeadEnd::State::bare_line_feed || size > options_.head_limit) {
      connection.deadline.disarm();
      co_return note(connection, LegOutcome::malformed, 0);
    }
    if (end.state == HeadEnd::State::incomplete) {
      // What came at the last moment came too late all the same.
      const boost::system::error_code error = co_await connection.stream.read(connection.buffer, place);
      place = SocketReader::Place::within_message;
      if (!error && !connection.deadline.expired()) continue;
      const bool late = connection.deadline.expired();
      connection.deadline.disarm();
      if (late && within) co_return LegOutcome::timeout;  // nothing is wrong yet
      co_return note(connection, late ? LegOutcome::timeout : LegOutcome::reset, 0);
    }
    leg.head_text.assign(connection.buffer.view().substr(0, end.length));
    connection.buffer.consume(end.length);
    scanned = 0;
    // 101 hands over the connection: only to who asked for it, and looks at it.
    if (parse_response_head(leg.head_text, method, leg.head) ||
        (leg.head.status == 101 && interim == Interim::skipped)) {
      connection.deadline.disarm();
      co_return note(connection, LegOutcome::malformed, 0);
    }
    if (leg.head.status >= 200 || interim == Interim::returned) break;
  }
  connection.deadline.disarm();
  co_return note(connection, LegOutcome::ok, leg.head.status);
}

}  // namespace phoenix::gateway
