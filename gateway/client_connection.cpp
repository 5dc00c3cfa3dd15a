#include "gateway/client_connection.hpp"

#include <algorithm>
#include <array>

namespace phoenix::gateway {
namespace {
constexpr std::chrono::milliseconds kClosingPatience{1'000};

std::chrono::milliseconds left_until(SteadyTime until) {
  return std::max(std::chrono::milliseconds(0),
                  std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()));
}

ReadResult head_too_large(std::string_view text, std::size_t target_limit) {
  if (text.substr(0, target_limit).find('\n') == std::string_view::npos)
    return {false, 414, "the request target is too long"};
  return {false, 431, "the request head is too large"};
}
}  // namespace

ClientConnection::ClientConnection(StreamPtr stream, ClientPeer peer, EventLoop& loop)
    : stream_(std::move(stream)),
      loop_(loop),
      deadline_(loop.sweep, *stream_),
      peer_(std::move(peer)),
      settings_(loop.settings) {
  ++loop_.open_sessions;
  loop_.context.connections.fetch_add(1, std::memory_order_relaxed);
}

ClientConnection::~ClientConnection() {
  --loop_.open_sessions;
  loop_.context.connections.fetch_sub(1, std::memory_order_relaxed);
}

Awaitable<bool> ClientConnection::fill(std::chrono::milliseconds timeout, SocketReader::Place place) {
  deadline_.arm(timeout);
  const boost::system::error_code error = co_await stream_->read(buffer_, place);
  deadline_.disarm();
  co_return !error;
}

bool ClientConnection::next_has_begun() {
  deadline_.limit(SteadyTime::max());
  return !buffer_.empty();
}

// No coroutine, whose frame each client that waits would hold.
Awaitable<bool> ClientConnection::wait_for_request() {
  settings_ = loop_.settings;
  deadline_.mark_idle(used_);
  return fill(settings_->gateway.timeouts.keep_alive, SocketReader::Place::between_messages);
}

Awaitable<ReadResult> ClientConnection::read_head(Exchange& exchange) {
  std::size_t scanned = 0;
  SteadyTime until{};  // set with the head's first byte: a client that drips bytes does not extend it
  bool skipped = false;
  while (true) {
    settings_ = loop_.settings;  // a reload counts from the next head on
    const auto& limits = settings_->gateway.limits;
    const auto& timeouts = settings_->gateway.timeouts;
    if (!skipped && buffer_.view().starts_with("\r\n")) {  // one empty line is let pass (RFC 9112, 2.2)
      skipped = true;
      buffer_.consume(2);
      scanned = 0;
      until = SteadyTime{};
    }
    const HeadEnd end = find_head_end(buffer_.view(), scanned);
    if (end.state == HeadEnd::State::bare_line_feed) co_return ReadResult{false, 400, "a line does not end in CR LF"};
    if (end.state == HeadEnd::State::complete) {
      if (end.length > limits.head_bytes) co_return head_too_large(buffer_.view(), limits.target_bytes);
      exchange.head_text.assign(buffer_.view().substr(0, end.length));
      buffer_.consume(end.length);
      used_ = true;
      break;
    }
    if (buffer_.size() > limits.head_bytes) co_return head_too_large(buffer_.view(), limits.target_bytes);
    const bool idle = buffer_.empty();
    if (!idle && until == SteadyTime{}) until = std::chrono::steady_clock::now() + timeouts.request_head;
    if (idle) deadline_.mark_idle(used_);
    const auto place = idle ? SocketReader::Place::between_messages : SocketReader::Place::within_message;
    if (co_await fill(idle ? timeouts.keep_alive : left_until(until), place)) continue;
    if (!idle && deadline_.expired()) co_return ReadResult{false, 408, "the request head did not arrive in time"};
    co_return ReadResult{};
  }
  exchange.settings = settings_;
  if (const auto total = settings_->gateway.timeouts.total; total.count() > 0)
    exchange.until = std::chrono::steady_clock::now() + total;
  deadline_.limit(exchange.until);
  if (const auto error = parse_request_head(exchange.head_text, exchange.request))
    co_return ReadResult{false, error->status, error->reason};
  if (exchange.request.target.size() > settings_->gateway.limits.target_bytes)
    co_return ReadResult{false, 414, "the request target is too long"};
  co_return ReadResult{true, 0, {}};
}

ReadResult ClientConnection::begin_body(const Exchange& exchange) {
  const Framing& framing = exchange.request.framing;
  chunks_.reset();
  chunked_ = framing.chunked;
  body_left_ = framing.content_length.value_or(0);
  body_seen_ = 0;
  body_done_ = !exchange.request.has_body();
  const std::uint64_t most = settings_->gateway.limits.body_bytes;
  if (most > 0 && body_left_ > most) return {false, 413, "the request body is too large"};
  return {true, 0, {}};
}

Awaitable<bool> ClientConnection::ask_for_body() {
  if (!buffer_.empty()) co_return true;
  co_return co_await write("HTTP/1.1 100 Continue\r\n\r\n");
}

Awaitable<ReadResult> ClientConnection::read_body(Exchange& exchange) {
  const auto& limits = settings_->gateway.limits;
  while (!body_done_ && exchange.body.size() <= limits.shadow_body_bytes) {
    const ReadResult more = co_await read_more_body(exchange.body);
    if (!more.ok) co_return more;
  }
  exchange.body_complete = body_done_;
  co_return ReadResult{true, 0, {}};
}

Awaitable<ReadResult> ClientConnection::read_more_body(std::string& out) {
  const auto& config = settings_->gateway;
  if (buffer_.empty() && !co_await fill(config.timeouts.idle, SocketReader::Place::within_message)) {
    if (deadline_.expired()) co_return ReadResult{false, 408, "the request body did not arrive in time"};
    co_return ReadResult{};
  }
  const std::size_t before = out.size();
  if (chunked_) {
    std::string_view rest = buffer_.view();
    const auto state = chunks_.feed(rest, out);
    buffer_.consume(buffer_.size() - rest.size());
    if (state == ChunkedDecoder::State::malformed) co_return ReadResult{false, 400, "the chunked body is malformed"};
    body_done_ = state == ChunkedDecoder::State::done;
  } else {
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, buffer_.size()));
    out.append(buffer_.view().substr(0, take));
    buffer_.consume(take);
    body_left_ -= take;
    body_done_ = body_left_ == 0;
  }
  body_seen_ += out.size() - before;
  if (config.limits.body_bytes > 0 && body_seen_ > config.limits.body_bytes)
    co_return ReadResult{false, 413, "the request body is too large"};
  co_return ReadResult{true, 0, {}};
}

Awaitable<bool> ClientConnection::write(std::string_view bytes) {
  co_return co_await write(bytes, {});
}

Awaitable<bool> ClientConnection::write(std::string_view head, std::string_view body) {
  std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(body)};
  if (!send_now(parts)) co_return false;
  if (asio::buffer_size(parts) == 0) co_return true;
  deadline_.arm(settings_->gateway.timeouts.idle);
  const auto [failed, bytes] = co_await asio::async_write(*stream_, parts, kAwait);
  deadline_.disarm();
  co_return !failed;
}

bool ClientConnection::write_now(std::string_view head, std::string_view body, std::string& unsent) {
  std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(body)};
  const bool client_there = send_now(parts);
  for (const auto& part : parts) unsent.append(static_cast<const char*>(part.data()), part.size());
  return client_there;
}

// Takes off `parts` what the kernel took.
bool ClientConnection::send_now(std::array<asio::const_buffer, 2>& parts) {
  boost::system::error_code error;
  drop_front(parts, stream_->send_now(parts, error));
  return !error;
}

Awaitable<void> ClientConnection::end_tls() {
  deadline_.limit(SteadyTime::max());  // of the exchange, which is over
  if (stream_->tls() == nullptr) co_return;
  deadline_.arm(kClosingPatience);
  co_await stream_->tls()->async_shutdown(kAwait);  // close_notify; ends early when the client still sends
  deadline_.disarm();
}

Awaitable<void> ClientConnection::close_gently() {
  constexpr std::size_t kMostBytes = 256 * 1024;
  co_await end_tls();
  const SteadyTime until = std::chrono::steady_clock::now() + kClosingPatience;
  Socket& socket = stream_->socket();
  boost::system::error_code error;
  socket.shutdown(Socket::shutdown_send, error);
  if (error) co_return;
  std::array<char, 4096> window;
  for (std::size_t drained = 0; drained < kMostBytes;) {
    deadline_.arm(left_until(until));
    const auto [ended, bytes] = co_await socket.async_read_some(asio::buffer(window), kAwait);
    deadline_.disarm();
    if (ended) break;
    drained += bytes;
  }
}

}  // namespace phoenix::gateway
