// What goes wrong between an HTTP server and its clients: limits, malformed bytes, resets, silence, shutdown.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <thread>

#include "core/http/client.hpp"
#include "core/http/server.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace std::chrono_literals;

namespace {

http::ServerOptions any_port() {
  http::ServerOptions options;
  options.listen = {"127.0.0.1", 0};
  return options;
}

http::Response ok(const http::Request& request) {
  return http::json_text(200, request.target);
}

/// A plain socket, for bytes that no client would send.
class RawConnection {
 public:
  explicit RawConnection(const config::Endpoint& endpoint) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    inet_pton(AF_INET, endpoint.host.c_str(), &address.sin_addr);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const timeval limit{5, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~RawConnection() { close(fd_); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  void send(std::string_view bytes) const {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  /// Everything until the peer closes; errno of the end in `end_error` (0: orderly).
  std::string read_all(int& end_error) const {
    std::string all;
    char buffer[4096];
    for (;;) {
      const auto got = recv(fd_, buffer, sizeof buffer, 0);
      end_error = got < 0 ? errno : 0;
      if (got <= 0) return all;
      all.append(buffer, static_cast<std::size_t>(got));
    }
  }
  /// Until `count` occurrences of `token` have come.
  std::string read_until(std::string_view token, int count) const {
    std::string all;
    char buffer[4096];
    for (int seen = 0; seen < count;) {
      const auto got = recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) return all;
      all.append(buffer, static_cast<std::size_t>(got));
      seen = 0;
      for (auto at = all.find(token); at != std::string::npos; at = all.find(token, at + 1)) ++seen;
    }
    return all;
  }

 private:
  int fd_;
};

}  // namespace

TEST_CASE("pipelined requests are answered in order") {
  http::Server server(any_port(), ok);
  RawConnection raw(server.endpoint());
  raw.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto answers = raw.read_until("HTTP/1.1 200", 3) + raw.read_until("/3", 0);
  CHECK(answers.find("/1") < answers.find("/2"));
  CHECK(answers.find("/2") != std::string::npos);
}

TEST_CASE("Expect: 100-continue gets its go-ahead before the body") {
  http::Server server(any_port(), [](const http::Request& request) { return http::json_text(200, request.body); });
  RawConnection raw(server.endpoint());
  raw.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
  CHECK(raw.read_until("100 Continue", 1).find("100 Continue") != std::string::npos);
  raw.send("hello");
  int end = 0;
  CHECK(raw.read_all(end).find("hello") != std::string::npos);
}

TEST_CASE("a body beyond the limit is a 413 that arrives although the body was not read") {
  auto options = any_port();
  options.max_body_bytes = 1000;
  std::atomic<int> handled{0};
  http::Server server(options, [&](const http::Request& request) {
    ++handled;
    return ok(request);
  });
  http::Client client(server.endpoint(), 5s);
  CHECK(client.request("POST", "/", std::string(1000, 'x')).value().status == 200);
  RawConnection raw(server.endpoint());
  raw.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n" + std::string(100'000, 'x'));
  const auto answer = raw.read_until("\n}", 0) + raw.read_until("}", 1);
  CHECK(answer.starts_with("HTTP/1.1 413"));
  CHECK(answer.find("application/problem+json") != std::string::npos);
  CHECK(handled == 1);
}

TEST_CASE("bytes that are not HTTP are a 400 and an end") {
  http::Server server(any_port(), ok);
  RawConnection raw(server.endpoint());
  raw.send("\x16\x03\x01 hello\r\n\r\n");
  CHECK(raw.read_until("}", 1).starts_with("HTTP/1.1 400"));
  CHECK(http::Client(server.endpoint(), 5s).request("GET", "/x").value().status == 200);
}

TEST_CASE("an idle connection is closed") {
  auto options = any_port();
  options.idle_timeout = 50ms;
  http::Server server(options, ok);
  RawConnection raw(server.endpoint());
  int end = -1;
  CHECK(raw.read_all(end).empty());
  CHECK(end == 0);
}

TEST_CASE("connections beyond the bound are closed at once") {
  auto options = any_port();
  options.max_connections = 1;
  http::Server server(options, ok);
  http::Client first(server.endpoint(), 5s);
  REQUIRE(first.request("GET", "/").value().status == 200);
  RawConnection second(server.endpoint());
  int end = -1;
  CHECK(second.read_all(end).empty());
  CHECK(first.request("GET", "/").value().status == 200);
}

TEST_CASE("the reset fault resets") {
  http::Server server(any_port(), [](const http::Request&) {
    http::Response response;
    response.fault = http::Response::Fault::reset;
    return response;
  });
  RawConnection raw(server.endpoint());
  raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  int end = 0;
  CHECK(raw.read_all(end).empty());
  CHECK(end == ECONNRESET);
  CHECK(http::Client(server.endpoint(), 5s).request("POST", "/").error().code == ErrorCode::unavailable);
}

TEST_CASE("the hang fault answers nothing, and neither the client nor the server's end waits for it") {
  std::optional<http::Server> server;
  std::atomic<bool> asked{false};
  server.emplace(any_port(), [&](const http::Request&) {
    asked = true;
    http::Response response;
    response.fault = http::Response::Fault::hang;
    return response;
  });
  http::Client client(server->endpoint(), 100ms);
  const auto error = client.request("GET", "/").error();
  CHECK(error.code == ErrorCode::unavailable);
  CHECK(error.message.find("no answer within 100 ms") != std::string::npos);

  RawConnection hanging(server->endpoint());
  RawConnection idle(server->endpoint());
  asked = false;
  hanging.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  while (!asked) std::this_thread::yield();
  const auto started = std::chrono::steady_clock::now();
  server.reset();
  CHECK(std::chrono::steady_clock::now() - started < 3s);
  int end = -1;
  CHECK(hanging.read_all(end).empty());
}

TEST_CASE("what a handler works on at shutdown is still answered") {
  std::promise<void> entered;
  std::promise<void> release;
  std::optional<http::Server> server;
  server.emplace(any_port(), [&](const http::Request& request) {
    entered.set_value();
    release.get_future().wait();
    return ok(request);
  });
  auto answer = std::async(std::launch::async, [endpoint = server->endpoint()] {
    return http::Client(endpoint, 10s).request("POST", "/late");
  });
  entered.get_future().wait();
  auto stopped = std::async(std::launch::async, [&] { server.reset(); });
  CHECK(stopped.wait_for(50ms) == std::future_status::timeout);
  release.set_value();
  stopped.get();
  const auto response = answer.get().value();
  CHECK(response.body == "/late");
  CHECK(response.header("connection") == "close");
}

TEST_CASE("the client dials again when the server closed a kept connection, also for a POST") {
  auto options = any_port();
  options.idle_timeout = 30ms;
  std::atomic<int> handled{0};
  http::Server server(options, [&](const http::Request& request) {
    ++handled;
    return ok(request);
  });
  http::Client client(server.endpoint(), 5s);
  REQUIRE(client.request("POST", "/1").value().status == 200);
  RawConnection same_age(server.endpoint());
  int end = -1;
  same_age.read_all(end);  // when this one was closed for idleness, so was the client's older one
  CHECK(client.request("POST", "/2").value().body == "/2");
  CHECK(handled == 2);
}

TEST_CASE("a POST that was sent is never sent again, a GET is once") {
  std::atomic<int> handled{0};
  http::Server server(any_port(), [&](const http::Request& request) {
    ++handled;
    http::Response response = ok(request);
    if (request.path == "/reset") response.fault = http::Response::Fault::reset;
    return response;
  });
  http::Client client(server.endpoint(), 5s);
  REQUIRE(client.request("GET", "/").value().status == 200);
  CHECK(client.request("POST", "/reset").error().code == ErrorCode::unavailable);
  CHECK(handled == 2);
  REQUIRE(client.request("GET", "/").value().status == 200);
  CHECK(client.request("GET", "/reset").error().code == ErrorCode::unavailable);
  CHECK(handled == 5);
}

TEST_CASE("a server that is not there is unavailable") {
  std::optional<http::Server> server;
  server.emplace(any_port(), ok);
  const auto endpoint = server->endpoint();
  server.reset();
  const auto error = http::Client(endpoint, 1s).request("GET", "/").error();
  CHECK(error.code == ErrorCode::unavailable);
  CHECK(error.message.find(endpoint.to_string()) != std::string::npos);
}
