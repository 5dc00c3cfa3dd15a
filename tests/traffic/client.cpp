#include "tests/traffic/client.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include "core/sim/exact_json.hpp"

namespace phoenix::traffic {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t kMaxBodyBytes = 1 << 20;
/// A connection that rested longer may have been closed by the other end just now: a fresh one is safer than a lost
/// write.
constexpr std::chrono::seconds kMaxRest{5};

}  // namespace

std::string request_bytes(const Operation& operation, const config::Endpoint& target) {
  std::string path, body;
  const std::string amount = hundredths_to_text(operation.amount_minor);
  switch (operation.kind) {
    case Kind::read:
      path = fmt::format("/accounts/{}", operation.account);
      break;
    case Kind::statement:
      path = fmt::format("/accounts/{}/statement", operation.account);
      break;
    case Kind::deposit:
    case Kind::withdrawal:
      path = fmt::format("/accounts/{}/{}s", operation.account, to_string(operation.kind));
      body = fmt::format(R"({{"amount":{}}})", amount);
      break;
    case Kind::interest:
      path = fmt::format("/accounts/{}/interest", operation.account);
      body = fmt::format(R"({{"days":{}}})", operation.days);
      break;
    case Kind::transfer:
      path = "/transfers";
      body = fmt::format(R"({{"from_account":{},"to_account":{},"amount":{}}})", operation.account,
                         operation.to_account, amount);
      break;
  }
  const std::string host = fmt::format("Host: {}\r\nUser-Agent: phoenix-traffic\r\n", target.to_string());
  if (!is_write(operation.kind)) return fmt::format("GET {} HTTP/1.1\r\n{}\r\n", path, host);
  return fmt::format("POST {} HTTP/1.1\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", path, host,
                     body.size(), body);
}

UserConnection::UserConnection(asio::any_io_executor executor, config::Endpoint target,
                               std::chrono::milliseconds timeout)
    : socket_(std::move(executor)), target_(std::move(target)), timeout_(timeout) {
  buffer_.reserve(8 << 10);
}

asio::awaitable<error_code> UserConnection::connect() {
  error_code error;
  const auto address = asio::ip::make_address(target_.host == "localhost" ? "127.0.0.1" : target_.host, error);
  if (error) co_return error;
  std::tie(error) = co_await socket_.async_connect({address, target_.port}, kNoThrow);
  if (!error) socket_.set_option(asio::ip::tcp::no_delay(true), error);
  co_return error;
}

asio::awaitable<Result<Reply>> UserConnection::exchange(std::string request) {
  const auto now = Clock::now();
  timed_out_ = false;
  deadline_ = now + timeout_;
  if (socket_.is_open() && now - last_used_ > kMaxRest) close();
  busy_ = true;
  if (!socket_.is_open() && co_await connect()) co_return failed("cannot connect");

  const auto [write_error, written] = co_await asio::async_write(socket_, asio::buffer(request), kNoThrow);
  if (write_error) co_return failed("connection lost while sending");

  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxBodyBytes);
  const auto [read_error, read] = co_await http::async_read(socket_, buffer_, parser, kNoThrow);
  if (read_error == http::error::end_of_stream || read_error == asio::error::connection_reset ||
      read_error == http::error::partial_message)
    co_return failed("connection lost before the answer");
  if (read_error) co_return failed("unreadable answer");

  busy_ = false;
  last_used_ = Clock::now();
  if (!parser.get().keep_alive()) close();
  auto& message = parser.get();
  const auto exchange_id = message["X-Phoenix-Exchange"];
  co_return Reply{static_cast<int>(message.result_int()), std::move(message.body()), std::string(exchange_id)};
}

void UserConnection::enforce_timeout(Clock::time_point now) {
  if (!busy_ || now < deadline_) return;
  timed_out_ = true;
  close();
}

void UserConnection::close() {
  error_code ignored;
  socket_.close(ignored);
  buffer_.clear();
}

Error UserConnection::failed(const char* what) {
  busy_ = false;
  close();
  return unavailable(timed_out_ ? "no answer in time" : what);
}

}  // namespace phoenix::traffic
