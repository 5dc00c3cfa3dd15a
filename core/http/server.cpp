// One I/O thread moves bytes; handlers run on a pool, one at a time per connection. A connection is one coroutine that
// reads top to bottom: read a request, run the handler, write the response.
#include "core/http/server.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <tuple>

#include "core/runtime/log.hpp"

namespace phoenix::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::uint32_t kMaxHeadBytes = 64 << 10;
constexpr std::size_t kMaxDiscardedBytes = 16 << 20;
constexpr std::chrono::seconds kLingerTime{1};
constexpr std::chrono::seconds kShutdownTime{1};

using Parser = bhttp::request_parser<bhttp::string_body>;

Request to_request(bhttp::request<bhttp::string_body>&& message) {
  Request request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  const auto question = request.target.find('?');
  request.path = request.target.substr(0, question);
  if (question != std::string::npos) {
    std::string_view rest = std::string_view(request.target).substr(question + 1);
    while (!rest.empty()) {
      const auto ampersand = rest.find('&');
      const auto pair = rest.substr(0, ampersand);
      const auto equals = pair.find('=');
      if (!pair.empty()) {
        request.query.emplace(percent_decode(pair.substr(0, equals), true),
                              equals == std::string_view::npos ? "" : percent_decode(pair.substr(equals + 1), true));
      }
      rest = ampersand == std::string_view::npos ? std::string_view{} : rest.substr(ampersand + 1);
    }
  }
  for (const auto& field : message)
    request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  request.body = std::move(message.body());
  return request;
}

bhttp::response<bhttp::string_body> to_message(Response&& response, bool head_only, unsigned version, bool keep_alive) {
  bhttp::response<bhttp::string_body> message;
  message.version(version);
  message.result(static_cast<unsigned>(response.status));
  if (!response.content_type.empty()) message.set(bhttp::field::content_type, response.content_type);
  for (const auto& [name, value] : response.headers) message.insert(name, value);
  message.keep_alive(keep_alive);
  const bool bodyless = response.status == 204 || response.status == 304 || response.status / 100 == 1;
  if (!bodyless) message.content_length(response.body.size());
  if (!bodyless && !head_only) message.body() = std::move(response.body);
  return message;
}

/// What a client is told about a request that could not be read; no value when nothing can be said.
std::optional<Response> response_to_bad_request(const error_code& error, std::size_t max_body_bytes) {
  if (error == bhttp::error::body_limit) {
    return problem(413, "Content Too Large", fmt::format("a body may have at most {} bytes", max_body_bytes));
  }
  if (error == bhttp::error::header_limit || error == bhttp::error::buffer_overflow) {
    return problem(431, "Request Header Fields Too Large",
                   fmt::format("a head may have at most {} bytes", kMaxHeadBytes));
  }
  if (error == bhttp::error::end_of_stream || error == bhttp::error::partial_message) return std::nullopt;
  if (error.category() == make_error_code(bhttp::error::bad_method).category()) {
    return problem(400, "Bad Request", fmt::format("not an HTTP/1.1 request: {}", error.message()));
  }
  return std::nullopt;  // time-out, reset, shutdown
}

Response run_handler(const Handler& handler, const Request& request) {
  try {
    return handler(request);
  } catch (const std::exception& exception) {
    log::error("{} {}: {}", request.method, request.path, exception.what());
    return problem(500, "Internal Server Error", exception.what());
  } catch (...) {
    log::error("{} {}: unknown exception", request.method, request.path);
    return problem(500, "Internal Server Error", "unknown exception");
  }
}

/// Runs the handler on the pool and resumes the coroutine where it belongs. The request must outlive the call.
asio::awaitable<Response> run_on_pool(asio::thread_pool& pool, const Handler& handler, const Request& request) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(Response)>(
      [&pool, &handler, &request](auto completion) {
        asio::post(pool, [&handler, &request, completion = std::move(completion)]() mutable {
          const auto executor = asio::get_associated_executor(completion);
          asio::post(executor,
                     [completion = std::move(completion), response = run_handler(handler, request)]() mutable {
                       std::move(completion)(std::move(response));
                     });
        });
      },
      asio::use_awaitable);
}

struct Connection {
  explicit Connection(tcp::socket socket) : stream(std::move(socket)) {}
  beast::tcp_stream stream;
  beast::flat_buffer buffer;
  bool busy = false;  ///< a request was read and is not answered yet
};

}  // namespace

struct Server::Impl {
  Impl(ServerOptions server_options, Handler server_handler)
      : options(std::move(server_options)),
        handler(std::move(server_handler)),
        acceptor(io),
        pool(static_cast<std::size_t>(std::max(1, options.handler_threads))) {
    open();
    asio::co_spawn(io, accept_loop(), asio::detached);
    io_thread = std::thread([this] { io.run(); });
  }

  ~Impl() {
    // Idle and hung connections are closed at once; what a handler works on is answered, within a bound.
    asio::post(io, [this] {
      stopping = true;
      error_code ignored;
      acceptor.close(ignored);
      for (Connection* connection : connections) {
        if (!connection->busy) connection->stream.close();
      }
    });
    pool.join();
    {
      std::unique_lock lock(mutex);
      all_closed.wait_for(lock, kShutdownTime, [this] { return open_connections == 0; });
    }
    asio::post(io, [this] {
      for (Connection* connection : connections) connection->stream.close();
      keep_running.reset();
    });
    io_thread.join();  // run() returns once the last connection is gone
  }

  void open() {
    const auto where = options.listen.to_string();
    try {
      tcp::resolver resolver(io);
      const std::string host = options.listen.host.empty() ? "0.0.0.0" : options.listen.host;
      const auto endpoint =
          resolver.resolve(host, std::to_string(options.listen.port), tcp::resolver::passive).begin()->endpoint();
      acceptor.open(endpoint.protocol());
      acceptor.set_option(tcp::acceptor::reuse_address(true));
      acceptor.bind(endpoint);
      acceptor.listen(tcp::acceptor::max_listen_connections);
      bound = {host, acceptor.local_endpoint().port()};
    } catch (const boost::system::system_error& error) {
      throw Failure(ErrorCode::unavailable, fmt::format("cannot listen on {}: {}", where, error.code().message()));
    }
  }

  asio::awaitable<void> accept_loop() {
    for (;;) {
      auto [error, socket] = co_await acceptor.async_accept(kNoThrow);
      if (stopping) co_return;
      if (error) {  // out of descriptors, or the peer was gone already: wait for a moment instead of spinning
        asio::steady_timer pause(io, std::chrono::milliseconds(10));
        co_await pause.async_wait(kNoThrow);
        if (!acceptor.is_open()) co_return;
        continue;
      }
      if (connections.size() >= options.max_connections) continue;
      asio::co_spawn(io, serve(std::move(socket)), asio::detached);
    }
  }

  asio::awaitable<void> serve(tcp::socket socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    Connection connection(std::move(socket));
    connections.insert(&connection);
    count_connection(+1);
    try {
      while (!stopping && co_await serve_one(connection)) {
      }
    } catch (const std::exception& exception) {
      log::error("connection ended: {}", exception.what());
    }
    connection.stream.close();
    connections.erase(&connection);
    count_connection(-1);
  }

  /// One request and its response; false when the connection is done.
  asio::awaitable<bool> serve_one(Connection& connection) {
    Parser parser;
    parser.body_limit(options.max_body_bytes);
    parser.header_limit(kMaxHeadBytes);
    if (const auto error = co_await read_request(connection, parser)) {
      auto refusal = response_to_bad_request(error, options.max_body_bytes);
      if (refusal) co_await refuse(connection, std::move(*refusal));
      co_return false;
    }
    connection.busy = true;
    const bool head_only = parser.get().method() == bhttp::verb::head;
    const bool keep_alive = parser.get().keep_alive();
    const unsigned version = parser.get().version();
    const Request request = to_request(parser.release());
    connection.stream.expires_never();
    Response response = co_await run_on_pool(pool, handler, request);
    if (response.fault != Response::Fault::none) {
      connection.busy = false;
      co_await act_out_fault(connection, response.fault);
      co_return false;
    }
    auto message = to_message(std::move(response), head_only, version, keep_alive && !stopping);
    bhttp::response_serializer<bhttp::string_body> serializer(message);
    connection.stream.expires_after(options.idle_timeout);
    error_code error;
    // Two statements, because g++ 12 destroys the operand of `co_await (a ? b : c)` twice.
    if (head_only) {
      std::tie(error, std::ignore) = co_await bhttp::async_write_header(connection.stream, serializer, kNoThrow);
    } else {
      std::tie(error, std::ignore) = co_await bhttp::async_write(connection.stream, serializer, kNoThrow);
    }
    connection.busy = false;
    co_return !error && message.keep_alive();
  }

  asio::awaitable<error_code> read_request(Connection& connection, Parser& parser) {
    connection.stream.expires_after(options.idle_timeout);
    auto [head_error, head_bytes] =
        co_await bhttp::async_read_header(connection.stream, connection.buffer, parser, kNoThrow);
    if (head_error) co_return head_error;
    if (beast::iequals(parser.get()[bhttp::field::expect], "100-continue") && !parser.is_done()) {
      bhttp::response<bhttp::empty_body> go_ahead{bhttp::status::continue_, parser.get().version()};
      auto [error, bytes] = co_await bhttp::async_write(connection.stream, go_ahead, kNoThrow);
      if (error) co_return error;
    }
    auto [error, bytes] = co_await bhttp::async_read(connection.stream, connection.buffer, parser, kNoThrow);
    co_return error;
  }

  /// Answers and closes so that the answer survives: a close with unread bytes would reset it away.
  asio::awaitable<void> refuse(Connection& connection, Response response) {
    auto message = to_message(std::move(response), false, 11, false);
    connection.stream.expires_after(kLingerTime);
    const auto [error, written] = co_await bhttp::async_write(connection.stream, message, kNoThrow);
    if (error) co_return;
    error_code ignored;
    connection.stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    co_await discard(connection, kMaxDiscardedBytes);
  }

  asio::awaitable<void> act_out_fault(Connection& connection, Response::Fault fault) {
    if (fault == Response::Fault::reset) {
      error_code ignored;
      connection.stream.socket().set_option(asio::socket_base::linger(true, 0), ignored);
      co_return;
    }
    connection.stream.expires_never();
    co_await discard(connection, std::numeric_limits<std::size_t>::max());
  }

  /// Reads and forgets until the peer closes, the stream's time is over, or `max` bytes came.
  static asio::awaitable<void> discard(Connection& connection, std::size_t max) {
    std::array<char, 4096> scratch;
    for (std::size_t total = 0; total < max;) {
      const auto [error, bytes] = co_await connection.stream.async_read_some(asio::buffer(scratch), kNoThrow);
      if (error) co_return;
      total += bytes;
    }
  }

  void count_connection(int change) {
    {
      const std::lock_guard lock(mutex);
      open_connections += change;
    }
    all_closed.notify_all();
  }

  const ServerOptions options;
  const Handler handler;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> keep_running{io.get_executor()};
  tcp::acceptor acceptor;
  asio::thread_pool pool;
  config::Endpoint bound;
  bool stopping = false;              // I/O thread
  std::set<Connection*> connections;  // I/O thread
  std::mutex mutex;
  std::condition_variable all_closed;
  int open_connections = 0;  // guarded by mutex
  std::thread io_thread;
};

Server::Server(ServerOptions options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {}
Server::~Server() = default;
config::Endpoint Server::endpoint() const {
  return impl_->bound;
}

}  // namespace phoenix::http
