// Who serves a key: its cohort, unless that side is not current.
#include <fmt/format.h>

#include <future>

#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;

namespace {

/// Each side answers with its name; shadow legs at `slow` wait until the test opens the gate.
struct CanaryWorld : World {
  using World::World;
  CanaryWorld() {
    legacy.script([](const SeenRequest&) { return Reply::ok("legacy"); });
    modern.script([](const SeenRequest&) { return Reply::ok("modern"); });
  }
  void delay_shadow_at(FakeBackend& backend, const std::string& name) {
    backend.script([this, name](const SeenRequest& seen) {
      if (seen.leg() == "shadow") opened.wait();
      return Reply::ok(name);
    });
  }
  ~CanaryWorld() { open(); }
  void open() {
    if (!is_open) gate.set_value();
    is_open = true;
  }
  std::uint64_t side_deferred() {
    const std::string page = admin("GET", "/metrics").body;
    const std::string name = "phoenix_gateway_side_deferred_total{slice=\"s\"} ";
    return std::stoull(page.substr(page.find(name) + name.size()));
  }
  std::set<int> served_by_modern(int keys) {
    RawClient client(port());
    std::set<int> out;
    for (int key = 0; key < keys; ++key) {
      const std::string reader = client.exchange(get(fmt::format("/accounts/k{}", key))).body;
      if (reader == "modern") out.insert(key);
      REQUIRE(settle_key(client, key) == reader);
    }
    return out;
  }
  /// Another route and another method on the same key.
  std::string settle_key(RawClient& client, int key) {
    REQUIRE(settle());
    return client.exchange(post(fmt::format("/accounts/k{}/deposits", key))).body;
  }
  std::promise<void> gate;
  std::shared_future<void> opened = gate.get_future().share();
  bool is_open = false;
};

}  // namespace

TEST_CASE_METHOD(CanaryWorld,
                 "a key has one side on all routes; raising the weight only adds keys, lowering only removes") {
  constexpr int kKeys = 60;
  CHECK(served_by_modern(kKeys).empty());
  std::set<int> before;
  for (const char* weight : {"10", "40", "80", "100"}) {
    REQUIRE(policy("canary", weight).status == 200);
    const auto now = served_by_modern(kKeys);
    CHECK(std::includes(now.begin(), now.end(), before.begin(), before.end()));
    CHECK(now.size() > before.size());
    before = now;
  }
  CHECK(before.size() == kKeys);
  REQUIRE(policy("canary", "40").status == 200);
  const auto lowered = served_by_modern(kKeys);
  CHECK(lowered.size() > 10);
  CHECK(lowered.size() < 40);
  REQUIRE(settle());
  CHECK(side_deferred() == 0);
  for (const auto& event : events()) CHECK(event.serving_side == event.target_side);
  check_accounts();
}

TEST_CASE_METHOD(CanaryWorld, "a key whose write has yet to reach modern is served by legacy, others are not held up") {
  delay_shadow_at(modern, "modern");
  RawClient client(port());
  CHECK(client.exchange(post("/accounts/7/deposits")).body == "legacy");
  REQUIRE(modern.wait_for(1));
  REQUIRE(policy("canary", "100").status == 200);
  CHECK(client.exchange(get("/accounts/8")).body == "modern");
  CHECK(client.exchange(get("/accounts/7")).body == "legacy");
  CHECK(client.exchange(post("/accounts/7/deposits")).body == "legacy");
  CHECK(side_deferred() == 2);
  open();
  REQUIRE(settle());
  CHECK(client.exchange(get("/accounts/7")).body == "modern");
  REQUIRE(settle());
  check_accounts();
}

TEST_CASE_METHOD(CanaryWorld, "a key that modern lost a write of stays on legacy until it is made whole") {
  modern.script([](const SeenRequest& seen) {
    return seen.leg() == "shadow" ? Reply{"", false, true, {}} : Reply::ok("modern");
  });
  RawClient client(port());
  CHECK(client.exchange(post("/accounts/7/deposits")).body == "legacy");
  REQUIRE(settle());
  REQUIRE(policy("promoted").status == 200);
  CHECK(client.exchange(get("/accounts/7")).body == "legacy");
  CHECK(client.exchange(get("/accounts/8")).body == "modern");
  REQUIRE(settle());
  check_accounts();
}

TEST_CASE_METHOD(CanaryWorld, "when modern serves legacy gets the shadow; bypass and retired have none") {
  RawClient client(port());
  REQUIRE(policy("promoted").status == 200);
  CHECK(client.exchange(post("/accounts/7/deposits")).body == "modern");
  REQUIRE(settle());
  CHECK(modern.seen().back().leg() == "serving");
  CHECK(legacy.seen().back().leg() == "shadow");
  REQUIRE(policy("retired").status == 200);
  CHECK(client.exchange(post("/accounts/7/deposits")).body == "modern");
  REQUIRE(policy("bypass").status == 200);
  CHECK(client.exchange(post("/accounts/7/deposits")).body == "legacy");
  REQUIRE(settle());
  CHECK(legacy.count() == 2);
  CHECK(modern.count() == 2);
  CHECK(route("deposits")["excluded"]["retired"] == 1);
  CHECK(route("deposits")["excluded"]["bypass"] == 1);
  check_accounts();
}

TEST_CASE_METHOD(CanaryWorld, "an older epoch, other content under the same epoch and unknown slices are refused") {
  epoch = 6;
  REQUIRE(policy("canary", "100").status == 200);
  const auto put = [&](const std::string& body) { return admin("PUT", "/policy", body).status; };
  CHECK(put(R"({"v":1,"epoch":6,"ttl":"60s","slices":[{"name":"s","stage":"shadow"}]})") == 409);
  CHECK(put(R"({"v":1,"epoch":7,"ttl":"60s","slices":[{"name":"s","stage":"shadow"}]})") == 409);
  CHECK(put(R"({"v":1,"epoch":8,"ttl":"60s","slices":[{"name":"nobody","stage":"shadow"}]})") == 400);
  CHECK(put("{}") == 400);
  RawClient client(port());
  CHECK(client.exchange(get("/accounts/7")).body == "modern");
}

TEST_CASE("when the lease lapses the policy is held, or legacy serves, as configured") {
  for (const bool hold : {true, false}) {
    World world(hold ? "  on_control_loss: hold" : "  on_control_loss: legacy");
    world.legacy.script([](const SeenRequest&) { return Reply::ok("legacy"); });
    world.modern.script([](const SeenRequest&) { return Reply::ok("modern"); });
    RawClient client(world.port());
    REQUIRE(world.policy("promoted", "0", "", "60s").status == 200);
    CHECK(client.exchange(get("/accounts/7")).body == "modern");
    REQUIRE(world.policy("promoted", "0", "", "100ms").status == 200);
    REQUIRE(eventually([&] { return world.status()["lease_live"] == false; }));
    CHECK(client.exchange(get("/accounts/7")).body == (hold ? "modern" : "legacy"));
    REQUIRE(world.policy("promoted").status == 200);
    CHECK(client.exchange(get("/accounts/7")).body == "modern");
  }
}

TEST_CASE_METHOD(
    CanaryWorld,
    "an exchange whose keys cannot be read is served by the stage's side, not compared, and taints every key") {
  RawClient client(port());
  REQUIRE(policy("promoted").status == 200);
  for (const char* body :
       {"no json", R"({"from":"1"})", R"({"from":"1","from":"1","to":"2"})", R"({"from":{},"from":"1","to":"2"})"}) {
    CHECK(client.exchange(post("/transfers", body)).body == "modern");
  }
  CHECK(client.exchange(post("/transfers", R"({"from":"1","to":"2"})")).body == "modern");
  REQUIRE(settle());
  CHECK(route("transfers")["excluded"]["key_unavailable"] == 4);
  CHECK(legacy.count() == 1);

  // Legacy serves what creates a key below full weight, although its other keys are in doubt: it must not get it twice.
  legacy.script([](const SeenRequest&) { return Reply::ok(R"({"id":"new-1"})"); });
  REQUIRE(policy("canary", "50").status == 200);
  CHECK(client.exchange(post("/accounts")).body == R"({"id":"new-1"})");
  REQUIRE(settle());
  CHECK(legacy.targets() == std::vector<std::string>{"/transfers", "/accounts"});
  CHECK(modern.targets().back() == "/accounts");
  CHECK(modern.seen().back().leg() == "shadow");
  check_accounts();
}
