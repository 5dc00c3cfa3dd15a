// Upgrade: what flows after a 101 goes both ways as it comes, and is neither shadowed nor compared.
#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;

namespace {

const std::string kUpgrade =
    get("/free/ws", "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n");
const std::string kSwitching =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\n";

// The scripted backend reads "requests" until an empty line, which serves for the messages of a protocol as well.
Reply talk(const SeenRequest& seen) {
  if (seen.target == "/free/ws") return {kSwitching, false, false, {}};
  if (seen.method == "BYE") return {"bye.", true, false, {}};
  return {"<" + seen.method + ">", false, false, {}};
}

struct TunnelWorld : World {
  explicit TunnelWorld(const std::string& settings = "") : World(settings) {
    legacy.script(talk);
    modern.script(talk);
  }
};

}  // namespace

TEST_CASE_METHOD(TunnelWorld, "a WebSocket passes both ways, reaches one side, and is counted as excluded") {
  RawClient client(port());
  REQUIRE(client.send(kUpgrade + "EARLY x y\r\n\r\n"));  // a client may not wait; what it sent already is not lost
  const auto answer = client.response();
  CHECK(answer.status == 101);
  CHECK(answer.header("Connection") == "Upgrade");
  CHECK(answer.header("Upgrade") == "WebSocket");
  CHECK(answer.header("Sec-WebSocket-Accept") == "a");
  CHECK(answer.header("X-Phoenix-Exchange") == legacy.seen().front().header("X-Phoenix-Exchange"));
  CHECK(client.wait_for("<EARLY>"));
  for (int i = 0; i < 20; ++i) {
    REQUIRE(client.send("MESSAGE x y\r\n\r\n"));
    REQUIRE(client.wait_for("<MESSAGE>"));
  }
  CHECK(legacy.seen().front().header("Connection") == "Upgrade");
  CHECK(legacy.seen().front().header("Upgrade") == "WebSocket");
  CHECK(legacy.seen().front().leg() == "serving");
  CHECK(route("free")["in_flight"] == 1);
  REQUIRE(client.send("BYE x y\r\n\r\n"));
  CHECK(client.wait_for("bye."));
  client.close();
  REQUIRE(settle());
  CHECK(modern.count() == 0);
  CHECK(route("free")["excluded"]["upgrade"] == 1);
  CHECK_THAT(admin("GET", "/metrics").body, Catch::Contains("phoenix_gateway_tunnels_total{backend=\"legacy\"} 1"));
  check_accounts();
}

TEST_CASE_METHOD(TunnelWorld, "no score moves a tunnel: legacy serves it until the slice is promoted") {
  const auto serving_side = [&] {
    const std::size_t before = legacy.count();
    RawClient client(port());
    CHECK(client.exchange(kUpgrade).status == 101);
    return legacy.count() > before ? "legacy" : "modern";
  };
  REQUIRE(policy("canary", "100").status == 200);
  CHECK(serving_side() == std::string("legacy"));
  REQUIRE(policy("promoted").status == 200);
  CHECK(serving_side() == std::string("modern"));
  REQUIRE(policy("retired").status == 200);
  CHECK(serving_side() == std::string("modern"));
  REQUIRE(settle());
  check_accounts();
}

TEST_CASE_METHOD(TunnelWorld, "after a kill nothing more of a tunnel reaches modern") {
  REQUIRE(policy("promoted").status == 200);
  RawClient client(port());
  REQUIRE(client.exchange(kUpgrade).status == 101);
  REQUIRE(client.send("MESSAGE x y\r\n\r\n"));
  REQUIRE(client.wait_for("<MESSAGE>"));
  REQUIRE(admin("POST", "/kill", R"({"slice":"*","reason":"test"})").status == 200);
  const std::size_t before = modern.bytes_received();
  REQUIRE(client.send("MESSAGE x y\r\n\r\n"));
  CHECK_FALSE(client.wait_for("<MESSAGE><MESSAGE>"));
  REQUIRE(settle());
  CHECK(modern.bytes_received() == before);
}

TEST_CASE_METHOD(TunnelWorld, "either end may close, or break, a tunnel") {
  SECTION("the client leaves") {
    RawClient client(port());
    REQUIRE(client.exchange(kUpgrade).status == 101);
  }
  SECTION("the backend is gone") {
    RawClient client(port());
    REQUIRE(client.exchange(kUpgrade).status == 101);
    legacy.refuse();
    CHECK(client.closed_by_peer());
  }
  CHECK(settle());
  check_accounts();
}

TEST_CASE("a tunnel in which nobody speaks ends after timeouts.idle, and with the gateway's drain") {
  TunnelWorld world("  timeouts: {idle: 200ms}");
  RawClient client(world.port());
  REQUIRE(client.exchange(kUpgrade).status == 101);
  CHECK(client.closed_by_peer());
  CHECK(world.settle());
  RawClient busy(world.port());
  REQUIRE(busy.exchange(kUpgrade).status == 101);
  world.stop(std::chrono::milliseconds(0));
  CHECK(busy.closed_by_peer());
}

TEST_CASE("protocols that the configuration does not name are not passed on") {
  TunnelWorld world("  upgrade: []");
  RawClient client(world.port());
  REQUIRE(client.send(kUpgrade));
  CHECK(client.response().status == 502);  // this backend switches although nobody asked it to
  CHECK(world.legacy.seen().front().header("Upgrade").empty());
}
