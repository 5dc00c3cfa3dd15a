// A small HTTP/1.1 server for control planes, APIs and simulators (Boost.Beast inside; not the gateway's data path).
// Handlers are synchronous and run on a pool of threads, so they may block on a database.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/runtime/config.hpp"

namespace phoenix::http {

struct Request {
  std::string method;
  std::string target;                        ///< as sent
  std::string path;                          ///< target without the query, not decoded
  std::map<std::string, std::string> query;  ///< percent-decoded
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  /// First value of a header, case-insensitive; empty when absent.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  /// What to do with the connection instead of answering: for fault injection in simulators.
  enum class Fault { none, reset, hang } fault = Fault::none;
};

/// Undoes %XX (and `+` for a space where `plus_is_space`); a malformed escape is kept as it is.
std::string percent_decode(std::string_view text, bool plus_is_space = false);

/// RFC 9457 problem JSON.
Response problem(int status, std::string_view title, std::string_view detail);
/// The status that an error stands for: one table for all programs.
Response problem_of(const Error& error);
Response json_text(int status, std::string body);

using Handler = std::function<Response(const Request&)>;

struct ServerOptions {
  config::Endpoint listen;
  int handler_threads = 2;
  std::size_t max_body_bytes = 1 << 20;
  std::chrono::milliseconds idle_timeout{60'000};
  std::size_t max_connections = 4096;  ///< beyond it a new connection is closed at once
};

/// Listens on construction (throws Failure naming the address when it cannot) and serves until destroyed.
class Server {
 public:
  Server(ServerOptions options, Handler handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// The bound address; its port is the real one when 0 was asked for.
  [[nodiscard]] config::Endpoint endpoint() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Matches "METHOD /path/{name}" patterns in order; 404 and 405 as problem JSON. Parameters are percent-decoded; a HEAD
/// request is answered by the GET route (the server leaves the body out).
class Router {
 public:
  using Params = std::map<std::string, std::string>;
  using RouteHandler = std::function<Response(const Request&, const Params&)>;
  Router& add(std::string method, std::string pattern, RouteHandler handler);
  Response operator()(const Request& request) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    RouteHandler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace phoenix::http
