// A person forces requests to one side: within order and currency, and never past a kill.
#include <fmt/format.h>

#include <future>

#include "fixture.hpp"
#include "serving_legs.hpp"

using namespace phoenix;
using namespace phoenix::test;
using Json = nlohmann::json;

namespace {

const std::string kToken = "X-Phoenix-Token: a-token-of-some-length\r\n";
const std::string kModern = "X-Phoenix-Side: modern\r\n" + kToken;
const std::string kLegacy = "X-Phoenix-Side: legacy\r\n" + kToken;

struct OverrideWorld : World {
  OverrideWorld() : World("  override: {token: a-token-of-some-length}\n  timeouts: {gate_wait: 1s}\n") {
    legacy.script([](const SeenRequest&) { return Reply::ok("legacy"); });
    modern.script([](const SeenRequest&) { return Reply::ok("modern"); });
  }
  std::string served(const std::string& request) {
    RawClient client(port());
    const auto answer = client.exchange(request);
    return answer.status == 200 ? answer.body : std::to_string(answer.status);
  }
  std::string kill() {
    const auto reply = admin("POST", "/kill", R"({"slice":"s","reason":"test","by":"tester"})");
    REQUIRE(reply.status == 200);
    return Json::parse(reply.body)["latched"][0]["kill_id"];
  }
  std::string metric(const std::string& line) {
    const std::string page = admin("GET", "/metrics").body;
    const auto at = page.find(line + " ");
    return at == std::string::npos ? "none"
                                   : page.substr(at + line.size() + 1, page.find('\n', at) - at - line.size() - 1);
  }
  /// From here on the shadow legs at `backend` wait for open().
  void delay_shadow_at(FakeBackend& backend, const std::string& name) {
    backend.script([opened = opened_, name](const SeenRequest& seen) {
      if (seen.leg() == "shadow") opened.wait();
      return Reply::ok(name);
    });
  }
  void open() { gate_.set_value(); }

 private:
  std::promise<void> gate_;
  std::shared_future<void> opened_ = gate_.get_future().share();
};

}  // namespace

TEST_CASE_METHOD(OverrideWorld, "a forced request is served by its side, and its headers go no further") {
  REQUIRE(policy("canary", "0").status == 200);
  CHECK(served(get("/accounts/7")) == "legacy");
  CHECK(served(get("/accounts/7", kModern)) == "modern");
  CHECK(served(post("/free/x", "{}", kModern)) == "modern");
  REQUIRE(policy("promoted").status == 200);
  CHECK(served(get("/accounts/7", kLegacy)) == "legacy");
  CHECK(served(get("/accounts/7")) == "modern");
  REQUIRE(settle());
  for (const FakeBackend* backend : {&legacy, &modern}) {
    for (const auto& seen : backend->seen()) {
      CHECK(seen.header("X-Phoenix-Side").empty());
      CHECK(seen.header("X-Phoenix-Token").empty());
    }
  }
  auto all = events();
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.received_at_us < b.received_at_us; });
  std::string forced;
  for (const auto& event : all) {
    forced += event.forced ? to_string(event.target_side) : "-";
    CHECK(event.serving_side == event.target_side);
    CHECK(encode(event).find("a-token-of-some-length") == std::string::npos);
    for (const auto& [name, value] : event.request_headers) CHECK(name.find("X-Phoenix") == std::string::npos);
  }
  CHECK(forced == "-modernmodernlegacy-");
  CHECK(metric("phoenix_gateway_overrides_total{route=\"account\"}") == "2");
  CHECK(metric("phoenix_gateway_overrides_total{route=\"free\"}") == "1");
  CHECK(admin("GET", "/status").body.find("a-token-of-some-length") == std::string::npos);
  check_accounts();
}

TEST_CASE_METHOD(OverrideWorld, "without the right token nothing reaches a backend") {
  const std::vector<std::string> refused = {"X-Phoenix-Side: modern\r\n",
                                            "X-Phoenix-Side: modern\r\nX-Phoenix-Token: wrong\r\n",
                                            "X-Phoenix-Side: nowhere\r\n" + kToken, kToken};
  for (const auto& fields : refused) {
    RawClient client(port());
    const auto answer = client.exchange(post("/accounts/7/deposits", "{}", fields));
    CHECK(answer.status == 403);
    CHECK(answer.header("Content-Type") == "application/problem+json");
    CHECK(answer.body.find("side override") != std::string::npos);
  }
  CHECK(legacy.bytes_received() + modern.bytes_received() == 0);
  CHECK(status()["rejected"]["403"] == 4);
  CHECK(metric("phoenix_gateway_overrides_total{route=\"deposits\"}") == "0");
  check_accounts();
}

TEST_CASE("where no override is configured its headers are as any other") {
  World world;
  RawClient client(world.port());
  CHECK(client.exchange(get("/accounts/7", kModern + "X-Side: modern\r\n")).status == 200);
  REQUIRE(world.settle());
  CHECK(world.legacy.seen()[0].leg() == "serving");
  CHECK(world.legacy.seen()[0].header("X-Side") == "modern");
  CHECK_FALSE(world.events()[0].forced);
  world.stop();
  world.replace_config("  threads: 2\n", "  threads: 2\n  override: {header: X-Side, token: a-token-of-some-length}\n");
  world.start();
  RawClient again(world.port());
  CHECK(again.exchange(get("/accounts/7", "X-Side: modern\r\n" + kToken)).status == 200);
  REQUIRE(world.settle());
  CHECK(world.modern.seen().back().leg() == "serving");
  CHECK(world.modern.seen().back().header("X-Side").empty());
}

TEST_CASE_METHOD(OverrideWorld, "in stages bypass and retired an override changes nothing") {
  REQUIRE(policy("retired").status == 200);
  CHECK(served(get("/accounts/7", kLegacy)) == "modern");
  REQUIRE(policy("bypass").status == 200);
  CHECK(served(get("/accounts/7", kModern)) == "legacy");
  CHECK(metric("phoenix_gateway_overrides_total{route=\"account\"}") == "0");
}

TEST_CASE_METHOD(OverrideWorld,
                 "a write that would have no shadow leg is not forced: it could cost all keys their side") {
  CHECK(served(post("/transfers", R"({"from":"1","to":"2"})", kModern)) == "modern");
  REQUIRE(settle());
  CHECK(served(post("/transfers", "no JSON, no keys", kModern)) == "legacy");
  CHECK(served(post("/free/x", std::string(2 << 20, 'x'), kModern)) == "legacy");
  REQUIRE(settle());
  CHECK(served(get("/accounts/9")) == "legacy");
  CHECK(status()["keys"]["s"]["legacy"]["incomplete"] == 0);
  CHECK(metric("phoenix_gateway_overrides_total{route=\"transfers\"}") == "1");
  REQUIRE(settle());
  check_accounts();
}

TEST_CASE_METHOD(OverrideWorld, "in stage shadow: the next request sees what was forced to modern, or waits for it") {
  CHECK(served(post("/accounts/7/deposits", "{}", kModern)) == "modern");
  CHECK(served(get("/accounts/7")) == "legacy");
  const auto seen = legacy.seen();
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].leg() == "shadow");
  CHECK(seen[0].target == "/accounts/7/deposits");
  CHECK(seen[1].leg() == "serving");
  delay_shadow_at(legacy, "legacy");
  CHECK(served(post("/accounts/8/deposits", "{}", kModern)) == "modern");
  CHECK(served(get("/accounts/8")) == "503");  // legacy alone may serve it, and lacks the write
  CHECK(served(get("/accounts/8", kModern)) == "modern");
  open();
  REQUIRE(settle());
  CHECK(served(get("/accounts/8")) == "legacy");
  REQUIRE(settle());
  check_accounts();
}

TEST_CASE_METHOD(OverrideWorld, "a key that its forced side is not current for is served by the other") {
  delay_shadow_at(modern, "modern");
  CHECK(served(post("/accounts/7/deposits")) == "legacy");
  REQUIRE(modern.wait_for(1));
  CHECK(served(get("/accounts/7", kModern)) == "legacy");
  CHECK(served(get("/accounts/8", kModern)) == "modern");
  CHECK(metric("phoenix_gateway_side_deferred_total{slice=\"s\"}") == "1");
  open();
  REQUIRE(settle());
  CHECK(served(get("/accounts/7", kModern)) == "modern");
  REQUIRE(settle());
  check_accounts();
}

TEST_CASE_METHOD(OverrideWorld, "after a kill nothing forced is sent to modern as serving, until the reset") {
  const std::string stage = GENERATE("shadow", "canary");
  REQUIRE(policy(stage, "0").status == 200);
  std::atomic<bool> stop{false};
  std::vector<std::future<int>> clients;
  for (int c = 0; c < 6; ++c) {
    clients.push_back(std::async(std::launch::async, [&, c] {
      RawClient client(port());
      int unexpected = 0;
      for (int i = 0; !stop; ++i) {
        const std::string key = fmt::format("/accounts/{}", (i * 7 + c) % 40);
        const int status =
            client.exchange(i % 3 == 0 ? get(key, kModern) : post(key + "/deposits", "{}", kModern)).status;
        if (status != 200 && status != 503) ++unexpected;  // 503: legacy has yet to get a write of the key
      }
      return unexpected;
    }));
  }
  REQUIRE(eventually([&] { return serving_legs(modern) > 300; }));
  const std::string id = kill();
  const std::int64_t killed_at = now_us();
  const std::size_t served_before = serving_legs(legacy);
  CHECK(eventually([&] { return serving_legs(legacy) > served_before + 300; }));
  stop = true;
  for (auto& client : clients) CHECK(client.get() == 0);
  REQUIRE(settle());
  std::size_t by_modern = 0;
  for (const auto& event : events()) {
    if (event.serving_side != Side::modern || event.serving.outcome == LegOutcome::none) continue;
    ++by_modern;
    CHECK(event.forced);
    CHECK(event.serving.sent_at_us <= killed_at);
  }
  CHECK(by_modern == serving_legs(modern));
  CHECK(by_modern > 300);
  const std::string reset = R"(,"resets":[{"kill_id":")" + id + R"(","by":"tester","reason":"fixed"}])";
  CHECK(served(get("/accounts/99", kModern)) == "legacy");
  REQUIRE(policy(stage, "0", reset).status == 200);
  CHECK(served(get("/accounts/99", kModern)) == "modern");
  REQUIRE(settle());
  check_accounts();
}

TEST_CASE_METHOD(OverrideWorld, "a forced request that waits when the kill comes goes to legacy") {
  stop();
  replace_config("key: {path: id}, shadow: dual}", "key: {path: id}, shadow: dual, ordering: strict}");
  start();
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  modern.script([opened](const SeenRequest& seen) {
    if (seen.body == "first") opened.wait();
    return Reply::ok("modern");
  });
  RawClient first(port()), second(port());
  REQUIRE(first.send(post("/accounts/7/deposits", "first", kModern)));
  REQUIRE(modern.wait_for(1));
  REQUIRE(second.send(post("/accounts/7/deposits", "second", kModern)));
  REQUIRE(eventually([&] { return route("deposits")["in_flight"] == 2; }));
  kill();
  gate.set_value();
  CHECK(first.response().body == "modern");
  CHECK(second.response().body == "legacy");
  REQUIRE(settle());
  CHECK(serving_legs(modern) == 1);
  const auto all = events();
  REQUIRE(all.size() == 2);
  CHECK((all[0].forced && !all[1].forced));
  check_accounts();
}

TEST_CASE_METHOD(OverrideWorld, "a forced request that modern fails has legacy as its parachute, in stage shadow too") {
  CHECK(served(get("/accounts/1", kModern)) == "modern");
  REQUIRE(settle());
  modern.refuse();
  CHECK(served(get("/accounts/7", kModern)) == "legacy");
  CHECK(served(post("/accounts/7/deposits", "{}", kModern)) == "legacy");
  CHECK(metric("phoenix_gateway_parachutes_total{route=\"deposits\"}") == "1");
  modern.back();
  REQUIRE(settle());
  const auto all = events();
  CHECK((all.back().forced && all.back().parachute && all.back().target_side == Side::modern));
  CHECK(served(get("/accounts/7", kModern)) == "modern");  // nothing is missing there
  modern.script([](const SeenRequest&) { return Reply{"", false, true, {}}; });
  CHECK(served(post("/accounts/9/deposits", "{}", kModern)) == "502");  // modern may have booked it
  REQUIRE(settle());
  check_accounts();
}

TEST_CASE_METHOD(OverrideWorld, "the body of a forced request is asked for before modern has seen its head") {
  RawClient client(port());
  REQUIRE(client.send("POST /free/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n" + kModern +
                      "\r\n"));
  CHECK(client.response().status == 100);
  CHECK(modern.bytes_received() == 0);
  REQUIRE(client.send("{}"));
  CHECK(client.response().body == "modern");
}
