// What a client sends is what a backend gets, and the other way round, byte by byte; connections are kept and shared
// out.
#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;
using namespace std::string_literals;

TEST_CASE_METHOD(World, "request heads keep their end-to-end fields in order and lose what is hop-by-hop or ours") {
  RawClient client(port());
  const auto answer = client.exchange(get(
      "/accounts/7?x=%20a&b",
      "Cookie: a=1\r\nX-Multi: one\r\nCookie: b=2\r\nX-Multi: two\r\nConnection: keep-alive, X-Drop\r\nX-Drop: "
      "1\r\nTE: trailers\r\n"
      "Keep-Alive: 5\r\nUpgrade: h2c\r\nX-Forwarded-For: 10.0.0.9\r\nX-Forwarded-Proto: https\r\nVia: 1.0 edge\r\n"
      "X-Request-Id: abc-1\r\nX-Phoenix-Leg: shadow\r\nX-Phoenix-Exchange: forged\r\nX-Phoenix-Assigned-Id: 9\r\n"));
  REQUIRE(answer.status == 200);
  REQUIRE(modern.wait_for(1));
  for (const auto* backend : {&legacy, &modern}) {
    const SeenRequest seen = backend->seen().front();
    CHECK(seen.target == "/accounts/7?x=%20a&b");
    CHECK(seen.header("Host") == "bank.test");
    CHECK(seen.header("Cookie") == "a=1|b=2");
    CHECK(seen.header("X-Multi") == "one|two");
    CHECK(seen.head.find("Cookie: a=1\r\nX-Multi: one\r\nCookie: b=2\r\nX-Multi: two\r\n") != std::string::npos);
    for (const char* gone : {"Connection", "X-Drop", "TE", "Keep-Alive", "Upgrade", "X-Phoenix-Assigned-Id",
                             "Content-Length", "Transfer-Encoding"}) {
      INFO(gone);
      CHECK(seen.header(gone).empty());
    }
    CHECK(seen.header("X-Forwarded-For") == "127.0.0.1");
    CHECK(seen.header("X-Forwarded-Proto") == "http");
    CHECK(seen.header("X-Forwarded-Host") == "bank.test");
    CHECK(seen.header("Via") == "1.0 edge, 1.1 phoenix");
    CHECK(seen.header("X-Request-Id") == "abc-1");
    CHECK(seen.header("X-Phoenix-Exchange") == answer.header("X-Phoenix-Exchange"));
    CHECK(seen.leg() == (backend == &legacy ? "serving" : "shadow"));
  }
  CHECK(answer.header("X-Phoenix-Exchange").size() == 36);
  CHECK(answer.header("X-Request-Id") == "abc-1");
  REQUIRE(settle());
  check_accounts();
}

TEST_CASE_METHOD(World, "a request id that is missing or unusable is made; each exchange has an id of its own") {
  RawClient client(port());
  std::set<std::string> exchanges;
  for (const std::string& sent :
       {std::string(), "X-Request-Id: two words\r\n"s, "X-Request-Id: " + std::string(129, 'a') + "\r\n",
        "X-Request-Id: caf\xc3\xa9\r\n"s}) {
    const auto answer = client.exchange(get("/free/x", sent));
    exchanges.insert(answer.header("X-Phoenix-Exchange"));
    CHECK(answer.header("X-Request-Id") == answer.header("X-Phoenix-Exchange"));
    CHECK(legacy.seen().back().header("X-Request-Id") == answer.header("X-Phoenix-Exchange"));
  }
  for (int i = 0; i < 3; ++i)
    exchanges.insert(client.exchange(get("/free/x", "X-Request-Id: same\r\n")).header("X-Phoenix-Exchange"));
  CHECK(exchanges.size() == 7);
}

TEST_CASE_METHOD(World, "response heads keep status, reason, order and repetition; hop-by-hop and spoofed fields go") {
  legacy.script([](const SeenRequest&) {
    return Reply{
        "HTTP/1.1 418 I am a teapot\r\nSet-Cookie: a=1\r\nContent-Length: 3\r\nSet-Cookie: b=2\r\nConnection: "
        "X-Secret\r\nX-Secret: 1\r\n"
        "Keep-Alive: 9\r\nX-Phoenix-Exchange: forged\r\nX-Odd: \xff\xfe\r\n\r\nabc",
        false,
        false,
        {}};
  });
  RawClient client(port());
  const auto answer = client.exchange(get("/free/x"));
  CHECK(answer.head.starts_with(
      "HTTP/1.1 418 I am a teapot\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Odd: \xff\xfe\r\n"));
  CHECK(answer.body == "abc");
  for (const char* gone : {"Connection", "X-Secret", "Keep-Alive"}) CHECK(answer.header(gone).empty());
  CHECK(answer.header("X-Phoenix-Exchange") == legacy.seen().front().header("X-Phoenix-Exchange"));
}

TEST_CASE_METHOD(World, "pipelined requests are answered in order, also when their bytes come in pieces") {
  legacy.script([](const SeenRequest& seen) { return Reply::ok(seen.target + seen.body); });
  RawClient client(port());
  const std::string all = get("/free/1") + post("/accounts/7/deposits", "22") + get("/free/3") +
                          "POST /free/4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n44\r\n0\r\n\r\n" +
                          get("/free/5");
  for (const std::size_t piece : {all.size(), std::size_t{1}, std::size_t{37}}) {
    for (std::size_t at = 0; at < all.size(); at += piece)
      REQUIRE(client.send(std::string_view(all).substr(at, piece)));
    for (const char* expected : {"/free/1", "/accounts/7/deposits22", "/free/3", "/free/444", "/free/5"})
      CHECK(client.response().body == expected);
  }
  REQUIRE(settle());
  CHECK(modern.count() == legacy.count());
  check_accounts();
}

TEST_CASE_METHOD(World, "HTTP/1.0 clients are answered and closed, or kept when they ask for it") {
  legacy.script([](const SeenRequest&) {
    return Reply{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false, false, {}};
  });
  RawClient kept(port());
  for (int i = 0; i < 2; ++i) {
    const auto answer = kept.exchange("GET /free/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(answer.body == "abc");
    CHECK(answer.header("Transfer-Encoding").empty());
    CHECK(answer.header("Connection") == "keep-alive");
  }
  RawClient closed(port());
  const auto answer = closed.exchange("GET /free/x HTTP/1.0\r\n\r\n");
  CHECK(answer.body == "abc");
  CHECK(closed.closed_by_peer());
  CHECK(legacy.seen().back().header("Via") == "1.0 phoenix");
}

TEST_CASE_METHOD(World, "answers without a body: HEAD, 204 and 304 leave the connection exactly behind them") {
  legacy.script([](const SeenRequest& seen) {
    if (seen.method == "HEAD") return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", false, false, {}};
    if (seen.target == "/free/204")
      return Reply{"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, false, {}};
    if (seen.target == "/free/304")
      return Reply{"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: \"x\"\r\n\r\n", false, false, {}};
    return Reply::ok("last");
  });
  RawClient client(port());
  const auto head = client.exchange("HEAD /free/x HTTP/1.1\r\nHost: a\r\n\r\n", true);
  CHECK(head.header("Content-Length") == "1000");
  CHECK(client.exchange(get("/free/204")).header("Content-Length").empty());
  const auto unmodified = client.exchange(get("/free/304"));
  CHECK(unmodified.header("Content-Length") == "7");
  CHECK(unmodified.header("ETag") == "\"x\"");
  CHECK(client.exchange(get("/free/x")).body == "last");
  legacy.refuse();  // the gateway's own answer to HEAD has no body either
  CHECK(client.exchange("HEAD /free/x HTTP/1.1\r\nHost: a\r\n\r\n", true).status == 503);
  legacy.back();
  CHECK(client.exchange(get("/free/x")).body == "last");
}

TEST_CASE_METHOD(World,
                 "100-continue is answered by the gateway where the body holds the key; other interim answers pass") {
  legacy.script([](const SeenRequest& seen) {
    return Reply{
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
        "21\r\n\r\n" +
            seen.body,
        false,
        false,
        {}};
  });
  RawClient client(port());
  REQUIRE(client.send("POST /transfers HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\nExpect: 100-continue\r\n\r\n"));
  CHECK(client.response().status == 100);
  CHECK(legacy.count() == 0);
  const auto hints = client.exchange(R"({"from":"1","to":"2"})");
  CHECK(hints.status == 103);
  CHECK(hints.header("Link") == "x");
  const auto answer = client.response();
  CHECK(answer.status == 200);
  CHECK(answer.body == R"({"from":"1","to":"2"})");
  CHECK(legacy.seen().front().header("Expect").empty());
}
