// Every operation runs on a private I/O context until its deadline, so that the calls block and still cannot hang.
#include "core/http/client.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <optional>

#include "core/http/message.hpp"

namespace phoenix::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr std::uint64_t kMaxBodyBytes = 64 << 20;

using Message = bhttp::request<bhttp::string_body>;
using Parser = bhttp::response_parser<bhttp::string_body>;

ClientResponse to_response(bhttp::response<bhttp::string_body>&& message) {
  ClientResponse response;
  response.status = static_cast<int>(message.result_int());
  for (const auto& field : message)
    response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  response.body = std::move(message.body());
  return response;
}

}  // namespace

struct Client::Impl {
  Impl(config::Endpoint server, std::chrono::milliseconds limit) : endpoint(std::move(server)), timeout(limit) {}

  Result<ClientResponse> request(const Message& message) {
    deadline = std::chrono::steady_clock::now() + timeout;
    const bool reused = stream && !looks_closed();
    if (!reused) {
      if (const auto error = dial()) return failure("cannot connect", error);
    }
    auto response = exchange(message);
    const bool safe = message.method() == bhttp::verb::get || message.method() == bhttp::verb::head;
    if (response.has_error() && reused && safe && std::chrono::steady_clock::now() < deadline) {
      if (const auto error = dial()) return failure("cannot connect", error);
      response = exchange(message);
    }
    return response;
  }

  /// An idle connection has nothing to say: bytes or an end mean that the server gave it up.
  bool looks_closed() {
    char byte = 0;
    const auto got = recv(stream->socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }

  error_code dial() {
    stream.emplace(io);
    buffer.clear();
    tcp::resolver resolver(io);
    error_code result;
    const auto addresses = resolver.resolve(endpoint.host, std::to_string(endpoint.port), result);
    if (!result) {
      stream->expires_at(deadline);
      stream->async_connect(addresses, [&](error_code error, const auto&) { result = error; });
      run();
    }
    if (result) {
      stream.reset();
    } else {
      error_code ignored;
      stream->socket().set_option(tcp::no_delay(true), ignored);
    }
    return result;
  }

  Result<ClientResponse> exchange(const Message& message) {
    error_code result;
    stream->expires_at(deadline);
    bhttp::async_write(*stream, message, [&](error_code error, std::size_t) { result = error; });
    run();
    if (result) return lost("cannot send", result);

    std::optional<Parser> parser;
    do {  // an informational response precedes the one that counts
      parser.emplace();
      parser->body_limit(kMaxBodyBytes);
      parser->skip(message.method() == bhttp::verb::head);
      bhttp::async_read(*stream, buffer, *parser, [&](error_code error, std::size_t) { result = error; });
      run();
      if (result) return lost("no valid response", result);
    } while (parser->get().result_int() / 100 == 1);
    if (!parser->get().keep_alive()) stream.reset();
    return to_response(parser->release());
  }

  void run() {
    io.restart();
    io.run();
  }

  Result<ClientResponse> lost(std::string_view what, const error_code& error) {
    stream.reset();
    return failure(what, error);
  }

  [[nodiscard]] Error failure(std::string_view what, const error_code& error) const {
    const std::string reason =
        error == beast::error::timeout ? fmt::format("no answer within {} ms", timeout.count()) : error.message();
    return unavailable(fmt::format("{}: {}: {}", endpoint.to_string(), what, reason));
  }

  config::Endpoint endpoint;
  std::chrono::milliseconds timeout;
  std::chrono::steady_clock::time_point deadline;
  asio::io_context io{1};
  std::optional<beast::tcp_stream> stream;
  beast::flat_buffer buffer;
};

Client::Client(config::Endpoint endpoint, std::chrono::milliseconds timeout)
    : impl_(std::make_unique<Impl>(std::move(endpoint), timeout)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<ClientResponse> Client::request(const std::string& method, const std::string& target, const std::string& body,
                                       const std::vector<std::pair<std::string, std::string>>& headers) {
  const auto visible = [](std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
  };
  if (method.empty() || target.empty() || target.find(' ') != std::string::npos || !visible(method) ||
      !visible(target)) {
    return invalid_input(fmt::format("not a request line: '{} {}'", method, target));
  }
  Message message;
  message.version(11);
  message.method_string(method);
  message.target(target);
  message.set(bhttp::field::host, impl_->endpoint.to_string());
  for (const auto& [name, value] : headers) {
    if (name.empty() || !visible(name) || !visible(value))
      return invalid_input(fmt::format("not a header: '{}'", name));
    message.set(name, value);
  }
  message.body() = body;
  if (!body.empty() || (method != "GET" && method != "HEAD")) message.content_length(body.size());
  return impl_->request(message);
}

}  // namespace phoenix::http
