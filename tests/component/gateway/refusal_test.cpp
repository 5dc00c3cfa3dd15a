// What two parsers could read differently goes no further: not to a backend, not to a client.
#include <fmt/format.h>

#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;
using namespace std::string_literals;

TEST_CASE_METHOD(
    World, "a request that cannot be trusted is refused, its connection closed, and nothing of it reaches a backend") {
  const std::string smuggled = "GET /free/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::vector<std::pair<int, std::string>> cases = {
      {400, "POST /free/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {400, "POST /free/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"},
      {400, "POST /free/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\nabcd"},
      {400, "POST /free/x HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd"},
      {400, "POST /free/x HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nabcd"},
      {400, "POST /free/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
      {400, "POST /free/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"},
      {501, "POST /free/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
      {501, "POST /free/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bxchunked\r\n\r\n0\r\n\r\n"},
      {400,
       "POST /free/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {400, "POST /free/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {400, "POST /free/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n"},
      {400, "POST /free/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"},
      {400, "POST /free/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n"},
      {400, "POST /free/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF1\r\n"},
      {400, "GET /free/x HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n"},
      {400, "GET /free/x HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n"},
      {400, "GET /free/x HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"},
      {400, "GET /free/x HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"s},
      {400, "GET /free/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
      {400, "GET /free/x HTTP/1.1\r\n\r\n"},
      {400, "GET  /free/x HTTP/1.1\r\nHost: a\r\n\r\n"},
      {400, "GET /free/x\tHTTP/1.1\r\nHost: a\r\n\r\n"},
      {505, "GET /free/x HTTP/2.0\r\nHost: a\r\n\r\n"},
      {417, "POST /free/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: tea\r\n\r\n1"},
      {501, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"},
      {431, "GET /free/x HTTP/1.1\r\nHost: a\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n"},
      {414, "GET /free/" + std::string(20'000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n"},
  };
  for (const auto& [status, request] : cases) {
    INFO(request.substr(0, 200));
    RawClient client(port());
    client.send(request + smuggled);
    const auto answer = client.response();
    const int expected = request.find('\x0b') == std::string::npos ? status : 400;  // a control character comes first
    CHECK(answer.status == expected);
    CHECK(answer.header("Connection") == "close");
    CHECK(client.closed_by_peer());
  }
  CHECK(legacy.bytes_received() + modern.bytes_received() == 0);
  REQUIRE(settle());
  check_accounts();
  RawClient client(port());  // the gateway serves on
  CHECK(client.exchange(get("/free/x")).status == 200);
}

TEST_CASE("a body over limits.body_bytes is refused, whether its length is told or found out") {
  World world("  limits: {body_bytes: 1KiB}");
  for (const std::string& request : {post("/free/x", std::string(1025, 'x')),
                                     "POST /free/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                                         fmt::format("{:x}\r\n{}\r\n0\r\n\r\n", 1025, std::string(1025, 'x'))}) {
    RawClient client(world.port());
    client.send(request);
    CHECK(client.response().status == 413);
    CHECK(client.closed_by_peer());
  }
  CHECK(world.legacy.bytes_received() == 0);
  RawClient client(world.port());
  CHECK(client.exchange(post("/free/x", std::string(1024, 'x'))).status == 200);
  REQUIRE(world.settle());
  world.check_accounts();
}

TEST_CASE("a request head that drips in is given up after request_head, however often a byte comes") {
  World world("  timeouts: {request_head: 200ms}");
  RawClient client(world.port());
  const std::string head = "GET /free/x HTTP/1.1\r\nHost: a\r\n" + std::string(2000, 'x');
  std::thread drip([&] {
    for (const char c : head) {
      if (!client.send(std::string_view(&c, 1))) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));  // the client is slow: 10 s for the whole head
    }
  });
  const auto started = std::chrono::steady_clock::now();
  CHECK(client.response().status == 408);
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(5));
  drip.join();
}

TEST_CASE_METHOD(World, "a malformed answer becomes a clean 502 and none of its bytes reach the client") {
  const std::vector<std::string> answers = {
      "EVIL garbage\r\n\r\n",
      "EVIL\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nEVIL",
      "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nEVIL",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nEVIL",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nEVIL\r\nzz\r\n",
      "HTTP/1.1 200 OK\r\nX-EVIL: a\r\n b\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\nX-EVIL: 1\n\n",
      "HTTP/1.1 2000 EVIL\r\n\r\n",
      "HTTP/2.0 200 EVIL\r\n\r\n",
      "HTTP/1.1 101 EVIL\r\nUpgrade: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: " + std::string(80'000, 'E') + "VIL",
  };
  RawClient client(port());
  for (const auto& bytes : answers) {
    legacy.script([&](const SeenRequest&) { return Reply{bytes, true, false, {}}; });
    INFO(bytes.substr(0, 100));
    const auto answer = client.exchange(get("/free/x"));
    CHECK(answer.status == 502);
    CHECK((answer.head + answer.body).find("EVIL") == std::string::npos);
    CHECK(answer.body.find(answer.header("X-Phoenix-Exchange")) != std::string::npos);
  }
  REQUIRE(settle());
  CHECK(route("free")["dropped"]["serving_failed"] == answers.size());
  CHECK(modern.count() == 0);
  check_accounts();
}

TEST_CASE_METHOD(World, "an answer that breaks off is never passed on as a whole one") {
  const std::vector<Reply> answers = {
      {"", true, false, {}},
      {"", false, true, {}},
      {"HTTP/1.1 200 OK\r\nContent-Le", true, false, {}},
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true, false, {}},
      {"HTTP/1.1 200 OK\r\n\r\nhalf", false, true, {}},  // ends with the connection, but that was reset
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", true, false, {}},
  };
  for (const auto& reply : answers) {
    legacy.script([&](const SeenRequest&) { return reply; });
    RawClient client(port());
    CHECK(client.exchange(get("/free/x")).status == 502);
  }
  // Beyond what is read whole the head is out already: the client sees a cut body, never a complete one.
  for (const std::string& head : {"Content-Length: 1000000\r\n"s, "Transfer-Encoding: chunked\r\n"s}) {
    legacy.script([&](const SeenRequest&) {
      return Reply{"HTTP/1.1 200 OK\r\n" + head + "\r\n" + (head[0] == 'T' ? "30d40\r\n" : "") +
                       std::string(200'000, 'x') + "\r\n",
                   true,
                   false,
                   {}};
    });
    RawClient client(port());
    const auto answer = client.exchange(get("/free/x"));
    CHECK(answer.status == 200);
    CHECK_FALSE(answer.complete);
    CHECK(client.closed_by_peer());
  }
  REQUIRE(settle());
  check_accounts();
}

TEST_CASE_METHOD(World, "bytes behind an answer are nobody's: the next client never sees them") {
  legacy.script([](const SeenRequest& seen) {
    if (seen.target == "/free/evil")
      return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
                   false,
                   false,
                   {}};
    return Reply::ok("good");
  });
  RawClient client(port());
  for (int i = 0; i < 5; ++i) {
    CHECK(client.exchange(get("/free/evil")).body == "ok");
    CHECK(client.exchange(get("/free/x")).body == "good");
  }
}

TEST_CASE("a serving side that does not answer is a 504, one that refuses a 503, both in time") {
  World world("  timeouts: {response: 150ms, connect: 150ms}");
  world.legacy.hold();
  RawClient client(world.port());
  CHECK(client.exchange(get("/free/x")).status == 504);
  const auto write = client.exchange(post("/accounts/7/deposits"));
  CHECK(write.status == 504);
  world.legacy.release();
  world.legacy.refuse();
  const auto refused = client.exchange(post("/accounts/8/deposits"));
  CHECK(refused.status == 503);
  CHECK(refused.header("Retry-After") == "1");
  REQUIRE(world.settle());
  const auto deposits = world.route("deposits");
  CHECK(deposits["dropped"]["serving_uncertain"] == 1);
  CHECK(deposits["dropped"]["serving_failed"] == 1);
  CHECK(world.modern.count() == 0);
  CHECK(world.status()["keys"]["s"]["modern"]["examples"] == nlohmann::json::array({"7"}));
  world.check_accounts();
}
