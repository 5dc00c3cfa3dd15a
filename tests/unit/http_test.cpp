// The HTTP server, client and router against each other on a loopback socket.
#include <atomic>
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

http::Response echo(const http::Request& request) {
  auto response = http::json_text(200, request.body);
  response.headers.emplace_back("X-Method", request.method);
  response.headers.emplace_back("X-Path", request.path);
  return response;
}

}  // namespace

TEST_CASE("a request reaches the handler as sent and its response the client") {
  std::string query_value;
  std::string agent;
  http::Server server(any_port(), [&](const http::Request& request) {
    query_value = request.query.at("account name");
    agent = request.header("x-agent");
    auto response = echo(request);
    response.status = 201;
    return response;
  });
  http::Client client(server.endpoint(), 5s);
  const auto response =
      client.request("POST", "/transfers?account%20name=a%26b+c", R"({"amount":"1.10"})", {{"X-Agent", "test"}})
          .value();
  CHECK(response.status == 201);
  CHECK(response.body == R"({"amount":"1.10"})");
  CHECK(response.header("content-type") == "application/json");
  CHECK(response.header("X-METHOD") == "POST");
  CHECK(response.header("x-path") == "/transfers");
  CHECK(response.header("absent").empty());
  CHECK(query_value == "a&b c");
  CHECK(agent == "test");
}

TEST_CASE("one connection serves many requests, and many clients are served at once") {
  std::atomic<int> handled{0};
  http::Server server(any_port(), [&](const http::Request& request) {
    ++handled;
    return echo(request);
  });
  std::atomic<int> wrong{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&, c] {
      http::Client client(server.endpoint(), 5s);
      for (int i = 0; i < 200; ++i) {
        const std::string body = std::to_string(c) + ":" + std::to_string(i);
        const auto response = client.request("POST", "/", body);
        if (response.has_error() || response->body != body || response->header("connection") == "close") ++wrong;
      }
    });
  }
  for (auto& client : clients) client.join();
  CHECK(wrong == 0);
  CHECK(handled == 1600);
}

TEST_CASE("HEAD is answered without a body, with the length of the body") {
  http::Server server(any_port(), [](const http::Request&) { return http::json_text(200, "12345"); });
  http::Client client(server.endpoint(), 5s);
  const auto response = client.request("HEAD", "/").value();
  CHECK(response.body.empty());
  CHECK(response.header("content-length") == "5");
  CHECK(client.request("GET", "/").value().body == "12345");
}

TEST_CASE("a handler that throws is a 500 problem and the connection goes on") {
  http::Server server(any_port(), [](const http::Request& request) -> http::Response {
    if (request.path == "/bad") throw std::runtime_error("the database is \"away\"");
    return echo(request);
  });
  http::Client client(server.endpoint(), 5s);
  const auto response = client.request("GET", "/bad").value();
  CHECK(response.status == 500);
  CHECK(response.header("content-type") == "application/problem+json");
  CHECK(response.body.find(R"("detail":"the database is \"away\"")") != std::string::npos);
  CHECK(client.request("POST", "/good", "x").value().body == "x");
}

TEST_CASE("a problem carries the members of RFC 9457, also when its detail is not UTF-8") {
  const auto problem = http::problem(409, "Conflict", "epoch 3 is older than 7");
  CHECK(problem.status == 409);
  CHECK(problem.body ==
        "{\"detail\":\"epoch 3 is older than 7\",\"status\":409,\"title\":\"Conflict\",\"type\":\"about:blank\"}\n");
  CHECK(http::problem(400, "Bad Request", "\xff").body.find("\xEF\xBF\xBD") != std::string::npos);
}

TEST_CASE("percent-decoding undoes escapes and keeps what is malformed") {
  CHECK(http::percent_decode("a%2Fb%41") == "a/bA");
  CHECK(http::percent_decode("100%") == "100%");
  CHECK(http::percent_decode("%4") == "%4");
  CHECK(http::percent_decode("%zz+") == "%zz+");
  CHECK(http::percent_decode("a+b", true) == "a b");
}

TEST_CASE("the router matches segments, decodes parameters and tells 404 from 405") {
  http::Router router;
  const auto answer = [](std::string text) {
    return [text](const http::Request&, const http::Router::Params& params) {
      std::string body = text;
      for (const auto& [name, value] : params) body += " " + name + "=" + value;
      return http::json_text(200, body);
    };
  };
  router.add("GET", "/api/v1/slices/{name}", answer("slice"))
      .add("PUT", "/api/v1/slices/{name}/weight", answer("weight"))
      .add("POST", "/api/v1/slices/{name}/weight", answer("post"))
      .add("GET", "/api/v1/status", answer("status"));
  const auto ask = [&](std::string method, std::string path) {
    http::Request request;
    request.method = std::move(method);
    request.path = std::move(path);
    return router(request);
  };
  CHECK(ask("GET", "/api/v1/slices/pay%2Fments%20x").body == "slice name=pay/ments x");
  CHECK(ask("PUT", "/api/v1/slices/p/weight").body == "weight name=p");
  CHECK(ask("HEAD", "/api/v1/status").body == "status");
  CHECK(ask("GET", "/api/v1/slices/").status == 404);
  CHECK(ask("GET", "/api/v1/slices/p/weight/x").status == 404);
  CHECK(ask("GET", "/").status == 404);
  CHECK(ask("GET", "/nowhere").content_type == "application/problem+json");
  const auto refused = ask("GET", "/api/v1/slices/p/weight");
  CHECK(refused.status == 405);
  REQUIRE(refused.headers.size() == 1);
  CHECK(refused.headers[0] == std::pair<std::string, std::string>{"Allow", "PUT, POST"});
}

TEST_CASE("the client refuses what would break the request apart") {
  http::Server server(any_port(), echo);
  http::Client client(server.endpoint(), 5s);
  CHECK(client.request("GET", "/a b").error().code == ErrorCode::invalid_input);
  CHECK(client.request("GET", "/\r\nX: y").error().code == ErrorCode::invalid_input);
  CHECK(client.request("GET", "/", "", {{"X", "a\r\nY: b"}}).error().code == ErrorCode::invalid_input);
}

TEST_CASE("a port that is taken is one clear failure") {
  http::Server first(any_port(), echo);
  auto options = any_port();
  options.listen = first.endpoint();
  CHECK_THROWS_WITH(http::Server(options, echo),
                    Catch::Matchers::Contains("cannot listen on 127.0.0.1:") && Catch::Matchers::Contains("in use"));
}
