// The end: what is under way is finished, or answered and accounted when it takes too long.
#include <future>

#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;

TEST_CASE_METHOD(World, "a stop finishes the exchange that is under way and its shadow leg, and takes no new ones") {
  legacy.hold();
  modern.hold();
  RawClient client(port());
  REQUIRE(client.send(post("/accounts/7/deposits")));
  REQUIRE(legacy.wait_for(1));
  const std::uint16_t at = port();
  auto stopping = std::async(std::launch::async, [this] { stop(); });
  REQUIRE(eventually([&] {
    try {
      RawClient late(at);
      return false;
    } catch (const std::exception&) {
      return true;
    }
  }));
  legacy.release();
  const auto answer = client.response();
  CHECK(answer.status == 200);
  CHECK(answer.header("Connection") == "close");
  CHECK(client.closed_by_peer());
  REQUIRE(modern.wait_for(1));
  modern.release();
  stopping.get();
  const auto all = events();
  REQUIRE(all.size() == 1);
  CHECK(all[0].shadow.status == 200);
  CHECK(all[0].dropped.empty());
}

TEST_CASE_METHOD(World, "what does not end by the deadline is answered, and every exchange has its event") {
  modern.hold();
  RawClient first(port());
  CHECK(first.exchange(post("/accounts/7/deposits")).status == 200);  // its shadow leg hangs
  CHECK(first.exchange(post("/accounts/7/deposits")).status == 200);  // and this one's waits behind it
  CHECK(first.exchange(get("/accounts/7")).status == 200);
  REQUIRE(modern.wait_for(1));
  legacy.hold();
  RawClient second(port()), third(port());
  REQUIRE(second.send(post("/accounts/8/deposits")));
  REQUIRE(third.send(get("/free/x")));
  REQUIRE(legacy.wait_for(5));
  stop(std::chrono::milliseconds(50));
  CHECK(second.response().status == 504);
  CHECK(third.response().status == 504);
  CHECK(first.closed_by_peer());
  std::set<std::uint64_t> sequences;
  for (const auto& event : events()) {
    sequences.insert(event.sequence);
    CHECK((!event.dropped.empty() || event.shadow.outcome == LegOutcome::timeout));
  }
  CHECK(sequences == std::set<std::uint64_t>{1, 2, 3, 4});
  CHECK(modern.count() == 1);
  // The write that waited behind the one that hung was not begun any more: it is sent at the next start.
  modern.release();
  start();
  REQUIRE(settle());
  CHECK(modern.count() == 2);
  const auto all = events();
  REQUIRE(all.size() == 5);
  CHECK(all.back().shadow.status == 200);
  std::set<std::string> ids;
  for (const auto& event : all) CHECK(ids.insert(event.exchange_id).second);
}

TEST_CASE_METHOD(World,
                 "clients that are idle, half way through a request or through an answer do not disturb a stop") {
  legacy.script([](const SeenRequest& seen) {
    if (seen.target == "/free/stream")
      return Reply{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", false, false, {"never"}};
    return Reply::ok("{}");
  });
  RawClient idle(port()), silent(port()), half_head(port()), half_body(port()), streaming(port());
  CHECK(idle.exchange(get("/free/x")).status == 200);
  REQUIRE(half_head.send("GET /free/x HTT"));
  REQUIRE(half_body.send("POST /accounts/7/deposits HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"));
  REQUIRE(streaming.send(get("/free/stream")));
  REQUIRE(streaming.wait_for("\r\n\r\n"));
  REQUIRE(eventually([&] { return route("deposits")["in_flight"] == 1 && status()["connections"] == 5; }));
  stop(std::chrono::milliseconds(0));
  CHECK(idle.closed_by_peer());
  CHECK(silent.closed_by_peer());
  CHECK(half_head.response().status == 408);
  CHECK(half_body.response().status == 408);
  CHECK_FALSE(streaming.response().complete);
  CHECK(events().size() == 3);
}

TEST_CASE_METHOD(World, "a gateway that is stopped while everything hangs leaves nothing behind") {
  legacy.hold();
  modern.hold();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    REQUIRE(clients.back()->send(i % 2 == 0 ? get("/free/x") : post("/accounts/7/deposits")));
  }
  REQUIRE(legacy.wait_for(20));
  gateway.reset();  // without a drain
  CHECK(events().size() == 20);
  start();  // the same state directory, the same log
  legacy.release();
  modern.release();
  RawClient client(port());
  CHECK(client.exchange(get("/free/x")).status == 200);
}

TEST_CASE_METHOD(World, "a drain that is announced says not ready, and serves as before") {
  RawClient before(port());
  CHECK(before.exchange(get("/free/x")).status == 200);
  CHECK(admin("GET", "/readyz").status == 200);
  gateway->announce_drain();
  CHECK(admin("GET", "/readyz").status == 503);
  CHECK(status()["draining"] == true);
  CHECK(before.exchange(get("/free/x")).header("Connection").empty());
  RawClient late(port());
  const auto answer = late.exchange(get("/free/x"));
  CHECK(answer.status == 200);
  CHECK(answer.header("Connection").empty());
  CHECK(admin("POST", "/reload").status == 409);
}

TEST_CASE_METHOD(World, "a drain closes idle connections at once and waits for a long answer") {
  legacy.script([](const SeenRequest& seen) {
    if (seen.target != "/free/stream") return Reply::ok("{}");
    return Reply{
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", true, false, {"data: 1\n\n", "data: 2\n\n"}};
  });
  RawClient idle(port()), fresh(port()), half_head(port()), streaming(port());
  CHECK(idle.exchange(get("/free/x")).status == 200);
  REQUIRE(streaming.send(get("/free/stream")));
  REQUIRE(streaming.wait_for("\r\n\r\n"));
  REQUIRE(half_head.send("GET /free/half HTTP/1.1\r\nHost: a\r\n"));
  REQUIRE(eventually([&] { return status()["connections"] == 4; }));
  auto stopping = std::async(std::launch::async, [this] { stop(std::chrono::seconds(30)); });
  CHECK(idle.closed_by_peer());  // while the stream goes on
  REQUIRE(eventually([&] { return status()["connections"] == 3; }));
  const auto first = fresh.exchange(get("/free/x"));  // its only request was perhaps on the way
  CHECK(first.status == 200);
  CHECK(first.header("Connection") == "close");
  REQUIRE(half_head.send("\r\n"));
  CHECK(half_head.response().status == 200);
  legacy.release_piece();
  REQUIRE(streaming.wait_for("data: 1"));
  CHECK(stopping.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  legacy.release_piece();
  REQUIRE(streaming.wait_for("data: 2"));
  CHECK(streaming.response().complete);
  CHECK(stopping.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  CHECK(events().size() == 4);
}

TEST_CASE_METHOD(World, "a connection on which nothing has come does not hold up a drain") {
  RawClient silent(port());
  REQUIRE(eventually([&] { return status()["connections"] == 1; }));
  const auto started = std::chrono::steady_clock::now();
  stop(std::chrono::seconds(30));
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(15));
  CHECK(silent.closed_by_peer());
}
