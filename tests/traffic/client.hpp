// One keep-alive connection of a simulated user. Include in .cpp only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <string>

#include "core/model/result.hpp"
#include "core/runtime/config.hpp"
#include "tests/traffic/workload.hpp"

namespace phoenix::traffic {

struct Reply {
  int status = 0;
  std::string body;
  std::string exchange_id;  ///< X-Phoenix-Exchange, where a gateway set it
};

/// The request as bytes.
std::string request_bytes(const Operation& operation, const config::Endpoint& target);

/// One thread (that of its executor).
class UserConnection {
 public:
  using Clock = std::chrono::steady_clock;

  UserConnection(boost::asio::any_io_executor executor, config::Endpoint target, std::chrono::milliseconds timeout);

  /// Sends and waits for the whole answer, connecting first where needed. Never repeats a request. The error's message
  /// is one of a few phrases, fit for counting. After an error the connection is closed.
  boost::asio::awaitable<Result<Reply>> exchange(std::string request);

  /// Closes the connection when its answer is overdue; to be called now and then.
  void enforce_timeout(Clock::time_point now);

 private:
  boost::asio::awaitable<boost::system::error_code> connect();
  void close();
  Error failed(const char* what);

  boost::asio::ip::tcp::socket socket_;
  const config::Endpoint target_;
  const std::chrono::milliseconds timeout_;
  boost::beast::flat_buffer buffer_;
  Clock::time_point deadline_{};
  Clock::time_point last_used_{};
  bool busy_ = false;
  bool timed_out_ = false;
};

}  // namespace phoenix::traffic
