// A blocking HTTP/1.1 client for the CLI, `kill --direct` and tests. One connection, reused while the server allows.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/model/result.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::http {

struct ClientResponse {
  int status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  /// First value of a header, case-insensitive; empty when absent.
  [[nodiscard]] std::string header(std::string_view name) const;
};

/// One thread at a time. `timeout` bounds a whole request, apart from looking up a host name.
class Client {
 public:
  Client(config::Endpoint endpoint, std::chrono::milliseconds timeout);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  /// `unavailable` when the server cannot be reached, resets or does not answer in time. A request is sent again, once,
  /// only when a kept connection proves to be closed before the first byte was sent, or the method is GET or HEAD.
  Result<ClientResponse> request(const std::string& method, const std::string& target, const std::string& body = {},
                                 const std::vector<std::pair<std::string, std::string>>& headers = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::http
