#include "gateway/upstream.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>

namespace phoenix::gateway {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;

// Reads what is there into the connection's buffer; the error is `eof` at the end of the stream.
Awaitable<boost::system::error_code> fill(UpstreamConnection& connection) {
  const std::size_t size = connection.buffer.size();
  connection.buffer.resize(size + kReadBytes);
  const auto [error, bytes] =
      co_await connection.stream.async_read_some(asio::buffer(connection.buffer.data() + size, kReadBytes), kAwait);
  connection.buffer.resize(size + bytes);
  co_return error;
}

}  // namespace

ResponseBody::ResponseBody(UpstreamConnection& connection, const ResponseHead& head, std::string_view request_method)
    : connection_(connection),
      chunked_(head.framing.chunked),
      close_delimited_(head.close_delimited),
      head_closes_(head.connection_close || (head.minor_version == 0 && !head.connection_keep_alive)) {
  if (!head.allows_body(request_method)) {
    state_ = State::done;
  } else if (!chunked_ && !close_delimited_) {
    left_ = head.framing.content_length.value_or(0);
    if (left_ == 0) state_ = State::done;
  }
}

void ResponseBody::take_buffered(std::string& out) {
  std::string& buffer = connection_.buffer;
  if (chunked_) {
    std::string_view rest = buffer;
    const auto decoded = decoder_.feed(rest, out);
    buffer.erase(0, buffer.size() - rest.size());
    if (decoded == ChunkedDecoder::State::done) state_ = State::done;
    if (decoded == ChunkedDecoder::State::malformed) {
      state_ = State::failed;
      outcome_ = LegOutcome::malformed;
    }
  } else {
    const std::size_t take =
        close_delimited_ ? buffer.size() : static_cast<std::size_t>(std::min<std::uint64_t>(left_, buffer.size()));
    out.append(buffer, 0, take);
    buffer.erase(0, take);
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
    const boost::system::error_code error = co_await fill(connection_);
    connection_.deadline.disarm();
    if (!error) continue;
    // Only an orderly end completes such a body: a reset may have cut it.
    const bool ended = close_delimited_ && error == asio::error::eof;
    state_ = ended ? State::done : State::failed;
    outcome_ = ended ? LegOutcome::ok : connection_.deadline.expired() ? LegOutcome::timeout : LegOutcome::reset;
  }
  co_return state_;
}

Upstream::Upstream(asio::io_context& io, DeadlineSweep& sweep, config::BackendConfig backend, Timeouts timeouts,
                   std::size_t head_limit, std::size_t max_idle)
    : io_(io),
      sweep_(sweep),
      backend_(std::move(backend)),
      timeouts_(timeouts),
      head_limit_(head_limit),
      max_idle_(max_idle) {}

Awaitable<ConnectionPtr> Upstream::acquire() {
  while (!idle_.empty()) {
    ConnectionPtr connection = std::move(idle_.back());
    idle_.pop_back();
    if (!connection->stream.is_quiet()) continue;
    connection->reused = true;
    check_out(*connection);
    co_return connection;
  }
  ConnectionPtr connection = co_await dial();
  if (connection) check_out(*connection);
  co_return connection;
}

Awaitable<ConnectionPtr> Upstream::dial() {
  if (dialer_) {
    auto played = dialer_();
    co_return played ? std::make_unique<UpstreamConnection>(io_, sweep_, std::move(played)) : nullptr;
  }
  auto connection = std::make_unique<UpstreamConnection>(io_, sweep_);
  const config::Endpoint& endpoint = backend_.endpoints.front().address;
  boost::system::error_code error;
  std::vector<Tcp::endpoint> targets;
  if (const auto address = asio::ip::make_address(endpoint.host, error); !error) {
    targets.emplace_back(address, endpoint.port);
  } else {
    asio::ip::basic_resolver<Tcp, Executor> resolver(io_.get_executor());
    const auto [failed, results] =
        co_await resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), kAwait);
    if (!failed) {
      for (const auto& result : results) targets.push_back(result.endpoint());
    }
  }
  for (const auto& target : targets) {
    connection->stream.close();
    connection->deadline.arm(timeouts_.connect);
    const auto [failed] = co_await connection->stream.socket().async_connect(target, kAwait);
    connection->deadline.disarm();
    if (failed) continue;
    connection->stream.socket().set_option(Tcp::no_delay(true), error);
    up_ = true;
    co_return connection;
  }
  up_ = false;
  co_return nullptr;
}

void Upstream::check_out(UpstreamConnection& connection) {
  connection.active = &active_;
  ++active_;
}

void Upstream::release(ConnectionPtr connection) {
  connection->active = nullptr;
  --active_;
  if (idle_.size() < max_idle_) idle_.push_back(std::move(connection));
}

Awaitable<LegOutcome> Upstream::send(UpstreamConnection& connection, std::string_view head, std::string_view tail,
                                     std::string_view body) {
  const std::array<asio::const_buffer, 3> parts{asio::buffer(head), asio::buffer(tail), asio::buffer(body)};
  connection.deadline.arm(timeouts_.idle);
  const auto [error, bytes] = co_await asio::async_write(connection.stream, parts, kAwait);
  connection.deadline.disarm();
  if (!error) co_return LegOutcome::ok;
  co_return connection.deadline.expired() ? LegOutcome::timeout : LegOutcome::reset;
}

Awaitable<LegOutcome> Upstream::read_head(UpstreamConnection& connection, std::string_view method, Leg& leg,
                                          Interim interim) {
  std::size_t scanned = 0;
  connection.deadline.arm(timeouts_.response);
  while (true) {
    const HeadEnd end = find_head_end(connection.buffer, scanned);
    const std::size_t size = end.state == HeadEnd::State::complete ? end.length : connection.buffer.size();
    if (end.state == HeadEnd::State::bare_line_feed || size > head_limit_) {
      connection.deadline.disarm();
      co_return LegOutcome::malformed;
    }
    if (end.state == HeadEnd::State::incomplete) {
      // An expired deadline is no longer armed: what came at the last moment must not be waited on without one.
      if (!co_await fill(connection) && !connection.deadline.expired()) continue;
      const bool late = connection.deadline.expired();
      connection.deadline.disarm();
      co_return late ? LegOutcome::timeout : LegOutcome::reset;
    }
    leg.head_text.assign(connection.buffer, 0, end.length);
    connection.buffer.erase(0, end.length);
    scanned = 0;
    // 101 would hand over the connection; nothing that we send asks for it.
    if (parse_response_head(leg.head_text, method, leg.head) || leg.head.status == 101) {
      connection.deadline.disarm();
      co_return LegOutcome::malformed;
    }
    if (leg.head.status >= 200 || interim == Interim::returned) break;
  }
  connection.deadline.disarm();
  co_return LegOutcome::ok;
}

}  // namespace phoenix::gateway
