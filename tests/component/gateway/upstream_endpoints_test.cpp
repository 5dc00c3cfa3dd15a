// Several endpoints behind one backend: who gets what, and what happens when one of them fails.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;
using Catch::Contains;

namespace {

constexpr const char* kSlice = "{name: s, stage: bypass}";

template <class... Backends>
std::string endpoints(const Backends&... backends) {
  std::string all;
  ((all += fmt::format("{}\"http://127.0.0.1:{}\"", all.empty() ? "" : ", ", backends.port())), ...);
  return "endpoints: [" + all + "]";
}

std::string legacy(const std::string& settings) {
  return "{" + settings + "}";
}

std::string name_of(const FakeBackend& backend) {
  return fmt::format("127.0.0.1:{}", backend.port());
}

std::string state_of(World& world, const FakeBackend& backend) {
  const nlohmann::json now = world.status();
  for (const auto& endpoint : now["backends"]["legacy"]["endpoints"]) {
    if (endpoint["name"] == name_of(backend)) return endpoint["state"];
  }
  return "missing";
}

bool metrics_show(World& world, const std::string& line) {
  return world.admin("GET", "/metrics").body.find("\nphoenix_gateway_" + line + "\n") != std::string::npos;
}

std::set<std::string> ids_of(const FakeBackend& backend) {
  std::set<std::string> ids;
  for (const auto& request : backend.seen()) ids.insert(request.header("X-Phoenix-Exchange"));
  return ids;
}

}  // namespace

TEST_CASE("round robin spreads requests by weight, over the connections that are there") {
  FakeBackend one, two;
  World world("", kSlice,
              fmt::format("{{endpoints: [\"http://127.0.0.1:{}\", {{url: \"http://127.0.0.1:{}\", weight: 3}}]}}",
                          one.port(), two.port()));
  RawClient client(world.port());
  for (int i = 0; i < 40; ++i) CHECK(client.exchange(get("/free/x")).status == 200);
  CHECK(one.count() == 10);
  CHECK(two.count() == 30);
  CHECK(one.connections() == 1);
  CHECK(two.connections() == 1);
}

TEST_CASE("least_requests avoids the endpoint that is busy, over all event loops") {
  FakeBackend slow, quick;
  World world("", kSlice, legacy(endpoints(slow, quick) + ", balance: least_requests"));
  slow.hold();
  std::vector<std::unique_ptr<RawClient>> waiting;
  while (slow.count() == 0) {
    waiting.push_back(std::make_unique<RawClient>(world.port()));
    REQUIRE(waiting.back()->send(get("/free/slow")));
    const std::size_t all = waiting.size();
    REQUIRE(eventually([&] { return slow.count() + quick.count() == all; }));
  }
  const std::size_t before = slow.count();
  for (int i = 0; i < 20; ++i) CHECK(RawClient(world.port()).exchange(get("/free/x")).status == 200);
  CHECK(slow.count() == before);
  slow.release();
  CHECK(waiting.back()->response().status == 200);
}

TEST_CASE("consistent_hash sends a key to the same endpoint from every connection and loop") {
  FakeBackend one, two, three;
  World world("", "{name: s, stage: shadow}", legacy(endpoints(one, two, three) + ", balance: consistent_hash"));
  std::map<std::string, std::set<const FakeBackend*>> seen_at;
  for (int round = 0; round < 4; ++round) {
    RawClient client(world.port());
    for (int key = 0; key < 30; ++key) CHECK(client.exchange(get(fmt::format("/accounts/{}", key))).status == 200);
  }
  for (const FakeBackend* backend : {&one, &two, &three}) {
    CHECK(backend->count() > 0);
    for (const auto& request : backend->seen()) seen_at[request.target].insert(backend);
  }
  CHECK(seen_at.size() == 30);
  for (const auto& [target, backends] : seen_at) CHECK(backends.size() == 1);
}

TEST_CASE("an endpoint that refuses connections costs nobody a request, writes included, and nothing goes twice") {
  FakeBackend gone, there;
  World world("", kSlice, legacy(endpoints(gone, there) + ", ejection: {failures: 0}"));
  gone.refuse();
  RawClient client(world.port());
  for (int i = 0; i < 10; ++i) CHECK(client.exchange(post(fmt::format("/accounts/{}/deposits", i))).status == 200);
  CHECK(gone.count() == 0);
  CHECK(there.count() == 10);
  CHECK(ids_of(there).size() == 10);
  CHECK(state_of(world, gone) == "unreachable");
  CHECK(state_of(world, there) == "up");
  CHECK(world.status()["backend_up"]["legacy"] == true);
  there.refuse();
  const RawResponse unreachable = client.exchange(post("/accounts/1/deposits"));
  CHECK(unreachable.status == 503);
  CHECK(unreachable.header("Retry-After") == "1");
  CHECK_THAT(unreachable.body, Contains("legacy: connect_failed"));
  CHECK(world.status()["backend_up"]["legacy"] == false);
  gone.back();
  CHECK(client.exchange(post("/accounts/1/deposits")).status == 200);
  CHECK(gone.count() == 1);
  world.settle();
  world.check_accounts();
}

TEST_CASE("stale pooled connections: reads go on to another, a write is not sent again") {
  FakeBackend one, two;
  World world("", kSlice, legacy(endpoints(one, two)));
  const auto cut_second = [](const SeenRequest& request) {
    if (request.target.find("/free/cut") == std::string::npos) return Reply::ok("{}");
    Reply reply;
    reply.reset = true;
    return reply;
  };
  one.script(cut_second);
  two.script(cut_second);
  RawClient client(world.port());
  for (int i = 0; i < 2; ++i) CHECK(client.exchange(get("/free/x")).status == 200);
  CHECK(client.exchange(post("/free/cut")).status == 502);
  std::map<std::string, int> deliveries;
  for (const FakeBackend* backend : {&one, &two}) {
    for (const auto& request : backend->seen()) ++deliveries[request.header("X-Phoenix-Exchange")];
  }
  CHECK(deliveries.size() == 3);
  for (const auto& [id, count] : deliveries) CHECK(count == 1);

  // A read is cut on the one pooled connection that is left and again on fresh ones, once each way at most.
  CHECK(client.exchange(get("/free/cut")).status == 502);
  const std::size_t reads = one.count() + two.count() - 3;
  CHECK(reads == 2);
  CHECK(client.exchange(get("/free/x")).status == 200);
}

TEST_CASE("failures in a row eject an endpoint; it gets requests again when its time is over") {
  FakeBackend bad, good;
  World world("", kSlice, legacy(endpoints(bad, good) + ", ejection: {failures: 3, duration: 3s}"));
  bad.script([](const SeenRequest&) { return Reply::status(503); });
  RawClient client(world.port());
  for (int i = 0; i < 6; ++i) client.exchange(get("/free/x"));
  REQUIRE(bad.count() == 3);
  CHECK(state_of(world, bad) == "ejected");
  CHECK(metrics_show(world, fmt::format("endpoint_up{{backend=\"legacy\",endpoint=\"{}\"}} 0", name_of(bad))));
  CHECK(metrics_show(world,
                     fmt::format("endpoint_ejections_total{{backend=\"legacy\",endpoint=\"{}\"}} 1", name_of(bad))));
  for (int i = 0; i < 4; ++i) CHECK(client.exchange(get("/free/x")).status == 200);
  bad.script([](const SeenRequest&) { return Reply::ok("{}"); });
  CHECK(eventually([&] { return client.exchange(get("/free/x")).status == 200 && bad.count() > 3; }));
  CHECK(state_of(world, bad) == "up");
  good.refuse();
  for (int i = 0; i < 10; ++i) CHECK(client.exchange(post("/free/x")).status == 200);
}

TEST_CASE("active checks take an endpoint out before a request finds out, and bring it back") {
  FakeBackend one, two;
  std::atomic<bool> ill{false};
  one.script([&](const SeenRequest& request) {
    return ill && request.target == "/health" ? Reply::status(500) : Reply::ok("{}");
  });
  World world("", kSlice,
              legacy(endpoints(one, two) + ", host: core.bank.test, health_check: {path: /health, interval: 20ms, "
                                           "timeout: 1s, healthy_after: 2, unhealthy_after: 2}"));
  REQUIRE(one.wait_for(3));
  CHECK(one.seen().front().target == "/health");
  CHECK(one.seen().front().header("Host") == "core.bank.test");
  CHECK(one.seen().front().header("Connection") == "close");
  CHECK(state_of(world, one) == "up");
  ill = true;
  REQUIRE(eventually([&] { return state_of(world, one) == "unhealthy"; }));
  RawClient client(world.port());
  for (int i = 0; i < 10; ++i) CHECK(client.exchange(get("/free/x")).status == 200);
  for (const auto& request : one.seen()) CHECK(request.target == "/health");
  ill = false;
  REQUIRE(eventually([&] { return state_of(world, one) == "up"; }));
  for (int i = 0; i < 2; ++i) CHECK(client.exchange(get("/free/x")).status == 200);
  const auto targets = one.targets();
  CHECK(std::count(targets.begin(), targets.end(), "/free/x") == 1);
  one.refuse();
  REQUIRE(eventually([&] { return state_of(world, one) == "unhealthy"; }));
}

TEST_CASE("a trial closes the circuit with the head of its answer, however long the rest takes") {
  FakeBackend core;
  World world("", kSlice, legacy(endpoints(core) + ", circuit_breaker: {failures: 1, open: 100ms}"));
  core.script([](const SeenRequest&) { return Reply::status(503); });
  RawClient client(world.port());
  CHECK(client.exchange(get("/free/x")).status == 503);
  core.script([](const SeenRequest& seen) {
    if (seen.target != "/free/stream") return Reply::ok("{}");
    return Reply{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", false, false, {"data: 1\n\n"}};
  });
  REQUIRE(eventually([&] { return world.status()["backends"]["legacy"]["circuit"] == "half_open"; }));
  RawClient stream(world.port());
  REQUIRE(stream.send(get("/free/stream")));
  REQUIRE(stream.wait_for("\r\n\r\n"));
  CHECK(client.exchange(get("/free/x")).status == 200);
  core.release_piece();
  CHECK(stream.wait_for("data: 1"));
}

TEST_CASE("the circuit breaker opens, lets one request try, and closes") {
  FakeBackend core;
  World world("", kSlice, legacy(endpoints(core) + ", circuit_breaker: {failures: 3, open: 3s}"));
  core.script([](const SeenRequest&) { return Reply::status(503); });
  RawClient client(world.port());
  for (int i = 0; i < 3; ++i) CHECK(client.exchange(get("/free/x")).status == 503);
  const RawResponse refused = client.exchange(get("/free/x"));
  CHECK(refused.status == 503);
  CHECK(refused.header("Retry-After") == "1");
  CHECK_THAT(refused.body, Contains("legacy: circuit_open"));
  CHECK(core.count() == 3);
  CHECK(world.status()["backends"]["legacy"]["circuit"] == "open");
  CHECK(metrics_show(world, "circuit_state{backend=\"legacy\",state=\"open\"} 1"));
  CHECK(metrics_show(world, "circuit_state{backend=\"legacy\",state=\"closed\"} 0"));
  CHECK(metrics_show(world, "backend_refused_total{backend=\"legacy\",reason=\"circuit_open\"} 1"));
  REQUIRE(eventually([&] { return world.status()["backends"]["legacy"]["circuit"] == "half_open"; }));
  core.hold();
  core.script([](const SeenRequest&) { return Reply::ok("{}"); });
  REQUIRE(client.send(get("/free/trial")));
  REQUIRE(core.wait_for(4));
  for (int i = 0; i < 5; ++i) CHECK(RawClient(world.port()).exchange(get("/free/x")).status == 503);
  CHECK(core.count() == 4);
  core.release();
  CHECK(client.response().status == 200);
  CHECK(world.status()["backends"]["legacy"]["circuit"] == "closed");
  CHECK(client.exchange(get("/free/x")).status == 200);
  CHECK(metrics_show(world, "circuit_state{backend=\"legacy\",state=\"closed\"} 1"));
}

TEST_CASE("beyond in_flight requests are refused at once, and the place is free again afterwards") {
  FakeBackend core;
  World world("", "{name: s, stage: shadow}", legacy(endpoints(core) + ", in_flight: 2"));
  core.hold();
  RawClient first(world.port()), second(world.port()), third(world.port());
  REQUIRE(first.send(get("/free/1")));
  REQUIRE(second.send(get("/free/2")));
  REQUIRE(core.wait_for(2));
  const RawResponse refused = third.exchange(post("/free/3"));
  CHECK(refused.status == 503);
  CHECK(refused.header("Retry-After") == "1");
  CHECK_THAT(refused.body, Contains("legacy: in_flight"));
  CHECK(metrics_show(world, "backend_refused_total{backend=\"legacy\",reason=\"in_flight\"} 1"));
  core.release();
  CHECK(first.response().status == 200);
  CHECK(second.response().status == 200);
  for (int i = 0; i < 5; ++i) CHECK(third.exchange(post("/free/3")).status == 200);
  CHECK(core.count() == 7);
  world.settle();
  world.check_accounts();
}

TEST_CASE("an idle connection is closed after keep_idle, also when nobody asks for one") {
  FakeBackend core;
  World world("", kSlice, legacy(endpoints(core) + ", keep_idle: 200ms"));
  RawClient client(world.port());
  CHECK(client.exchange(get("/free/x")).status == 200);
  const auto idle = [&] { return world.status()["backends"]["legacy"]["endpoints"][0]["idle"].get<int>(); };
  CHECK(eventually([&] { return idle() == 0; }));
  CHECK(client.exchange(get("/free/x")).status == 200);
  CHECK(core.connections() == 2);
}
