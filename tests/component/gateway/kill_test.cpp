// The kill switch: from its acknowledgement on nothing is dispatched to modern as serving.
#include <fmt/format.h>

#include <future>

#include "fixture.hpp"
#include "serving_legs.hpp"

using namespace phoenix;
using namespace phoenix::test;

namespace {

using Json = nlohmann::json;

struct KillWorld : World {
  KillWorld() {
    legacy.script([](const SeenRequest&) { return Reply::ok("legacy"); });
    modern.script([](const SeenRequest&) { return Reply::ok("modern"); });
  }
  Json kill(const std::string& slice = "*", bool accept_stale = false) {
    const auto reply =
        admin("POST", "/kill",
              Json{{"slice", slice}, {"reason", "test"}, {"by", "tester"}, {"accept_stale", accept_stale}}.dump());
    REQUIRE(reply.status == 200);
    return Json::parse(reply.body);
  }
};

}  // namespace

TEST_CASE_METHOD(KillWorld, "under load nothing is sent to modern as serving after the kill is acknowledged") {
  REQUIRE(policy("canary", "100").status == 200);
  std::atomic<bool> stop{false};
  std::vector<std::future<int>> clients;
  for (int c = 0; c < 6; ++c) {
    clients.push_back(std::async(std::launch::async, [&, c] {
      RawClient client(port());
      int unexpected = 0;
      for (int i = 0; !stop; ++i) {
        const std::string key = fmt::format("/accounts/{}", (i * 7 + c) % 40);
        const int status = client.exchange(i % 3 == 0 ? get(key) : post(key + "/deposits")).status;
        if (status != 200 && status != 503) ++unexpected;  // 503: legacy has yet to get a write of the key
      }
      return unexpected;
    }));
  }
  REQUIRE(eventually([&] { return serving_legs(modern) > 300; }));
  kill();
  const std::int64_t killed_at = now_us();
  const std::size_t served_before = serving_legs(legacy);
  CHECK(eventually([&] { return serving_legs(legacy) > served_before + 300; }));
  stop = true;
  for (auto& client : clients) CHECK(client.get() == 0);
  REQUIRE(settle());
  std::map<std::string, std::int64_t> sent_at;
  std::size_t by_modern = 0;
  for (const auto& event : events()) {
    if (event.serving_side != Side::modern || event.serving.outcome == LegOutcome::none) continue;
    ++by_modern;
    INFO(event.exchange_id);
    CHECK(event.serving.sent_at_us <= killed_at);
  }
  CHECK(by_modern == serving_legs(modern));  // modern saw no other serving leg than those
  CHECK(by_modern > 300);
  check_accounts();
}

TEST_CASE_METHOD(KillWorld, "an exchange that waits when the kill comes goes to legacy") {
  // Modern serves a write that hangs; a second one on the key waits behind it, because legacy is not current either.
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  stop();
  const std::string deposits = "key: {path: id}, shadow: dual}";
  config_text.replace(config_text.find(deposits), deposits.size(), "key: {path: id}, shadow: dual, ordering: strict}");
  replace_config("  routes:\n", "  timeouts: {gate_wait: 20s}\n  routes:\n");
  start();
  modern.script([opened](const SeenRequest& seen) {
    if (seen.body == "first") opened.wait();
    return Reply::ok("modern");
  });
  REQUIRE(policy("promoted").status == 200);
  RawClient first(port()), second(port());
  REQUIRE(first.send(post("/accounts/7/deposits", "first")));
  REQUIRE(modern.wait_for(1));
  REQUIRE(second.send(post("/accounts/7/deposits", "second")));
  REQUIRE(eventually([&] { return route("deposits")["in_flight"] == 2; }));
  kill();
  gate.set_value();
  CHECK(first.response().body == "modern");
  CHECK(second.response().body == "legacy");
  REQUIRE(settle());
  REQUIRE(serving_legs(modern) == 1);
  std::vector<std::string> at_legacy;
  for (const auto& request : legacy.seen()) at_legacy.push_back(request.body + " " + request.leg());
  CHECK(at_legacy == std::vector<std::string>{"first shadow", "second serving"});
  check_accounts();
}

TEST_CASE_METHOD(KillWorld, "a latch survives restarts and newer policies, and ends with its reset") {
  REQUIRE(policy("promoted").status == 200);
  RawClient client(port());
  CHECK(client.exchange(get("/accounts/7")).body == "modern");
  const std::string id = kill("s")["latched"][0]["kill_id"];
  CHECK(client.exchange(get("/accounts/7")).body == "legacy");
  REQUIRE(policy("promoted").status == 200);
  CHECK(client.exchange(get("/accounts/7")).body == "legacy");
  stop();
  start();
  CHECK(status()["latches"][0]["kill_id"] == id);
  REQUIRE(policy("canary", "100").status == 200);
  RawClient again(port());
  CHECK(again.exchange(get("/accounts/7")).body == "legacy");
  REQUIRE(policy("canary", "100", R"(,"resets":[{"kill_id":")" + id + R"(","by":"tester","reason":"fixed"}])").status ==
          200);
  CHECK(again.exchange(get("/accounts/7")).body == "modern");
  stop();
  start();
  CHECK(status()["latches"].empty());
  RawClient last(port());
  CHECK(last.exchange(get("/accounts/7")).body == "modern");  // the last live policy is held
}

TEST_CASE_METHOD(KillWorld, "after a kill a key that legacy lacks a write of is refused while its queue drains") {
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  legacy.script([opened](const SeenRequest& seen) {
    if (seen.leg() == "shadow") opened.wait();
    return Reply::ok("legacy");
  });
  REQUIRE(policy("promoted").status == 200);
  RawClient client(port());
  CHECK(client.exchange(post("/accounts/7/deposits")).body == "modern");
  REQUIRE(legacy.wait_for(1));
  const Json reply = kill();
  CHECK(reply["latched"][0]["keys_legacy_behind"] == 1);
  CHECK(reply["latched"][0]["examples"] == Json::array({"7"}));
  const auto refused = client.exchange(get("/accounts/7"));
  CHECK(refused.status == 503);
  CHECK(refused.body.find("legacy_behind") != std::string::npos);
  CHECK(refused.header("Retry-After") == "1");
  CHECK(client.exchange(get("/accounts/8")).body == "legacy");
  gate.set_value();
  REQUIRE(settle());
  CHECK(client.exchange(get("/accounts/7")).body == "legacy");
  REQUIRE(settle());
  CHECK(route("account")["excluded"]["gate_wait"] == 1);
  check_accounts();
}

TEST_CASE_METHOD(KillWorld, "a key that no side can serve holds up no strict write that stands behind it") {
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  legacy.script([opened](const SeenRequest& seen) {
    if (seen.leg() == "shadow") opened.wait();
    return Reply::ok("legacy");
  });
  stop();
  const std::string transfers = "key: {json: [/from, /to]}, shadow: dual";
  REQUIRE(config_text.find(transfers) != std::string::npos);
  config_text.replace(config_text.find(transfers), transfers.size(), transfers + ", ordering: strict");
  start();
  REQUIRE(policy("promoted").status == 200);
  RawClient client(port());
  CHECK(client.exchange(post("/transfers", R"({"from":"7","to":"8"})")).body == "modern");
  REQUIRE(legacy.wait_for(1));
  kill();
  // A chain of transfers, each sharing an account with the one before it; the first waits for an account that legacy
  // lacks.
  std::vector<std::unique_ptr<RawClient>> clients;
  const auto started = std::chrono::steady_clock::now();
  for (int i = 8; i < 14; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->send(post("/transfers", fmt::format(R"({{"from":"{}","to":"{}"}})", i, i + 1)));
  }
  CHECK(clients.front()->response().status == 503);
  for (std::size_t i = 1; i < clients.size(); ++i) CHECK(clients[i]->response().body == "legacy");
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(5));
  gate.set_value();
  REQUIRE(settle());
  check_accounts();
}

TEST_CASE_METHOD(KillWorld, "a person may accept stale keys; what cannot be killed is named") {
  legacy.script([](const SeenRequest& seen) {
    return seen.leg() == "shadow" ? Reply{"", false, true, {}} : Reply::ok("legacy");
  });
  REQUIRE(policy("promoted").status == 200);
  RawClient client(port());
  CHECK(client.exchange(post("/accounts/7/deposits")).body == "modern");
  REQUIRE(settle());
  CHECK(kill()["latched"][0]["keys_legacy_incomplete"] == 1);
  CHECK(client.exchange(get("/accounts/7")).status == 503);
  CHECK(kill("*", true)["latched"][0]["keys_legacy_incomplete"] == 0);
  CHECK(client.exchange(get("/accounts/7")).body == "legacy");
  CHECK(admin("POST", "/kill", R"({"slice":"nobody","reason":"x"})").status == 404);
  CHECK(admin("POST", "/kill", R"({"slice":"s"})").status == 400);
  CHECK(admin("POST", "/kill", "x").status == 400);
  REQUIRE(policy("retired").status == 200);
  CHECK(admin("POST", "/kill", R"({"slice":"s","reason":"x"})").status == 409);
  CHECK(kill()["unchanged_retired"] == Json::array({"s"}));
}

TEST_CASE_METHOD(KillWorld,
                 "a GET that modern drops on a stale connection after the kill goes to legacy, not to modern again") {
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  modern.script([opened](const SeenRequest& seen) {
    if (seen.target == "/accounts/1") return Reply::ok("modern");
    opened.wait();
    return Reply{"", false, true, {}};
  });
  REQUIRE(policy("promoted").status == 200);
  RawClient client(port());
  CHECK(client.exchange(get("/accounts/1")).body == "modern");
  REQUIRE(client.send(get("/accounts/2")));
  REQUIRE(modern.wait_for(2));
  kill();
  gate.set_value();
  CHECK(client.response().body == "legacy");
  CHECK(serving_legs(modern) == 2);
  REQUIRE(settle());
  check_accounts();
}
