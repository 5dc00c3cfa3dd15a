#include <atomic>
#include <thread>

#include "core/http/server.hpp"
#include "tests/support/catch.hpp"
#include "world.hpp"

using namespace phoenix;
using namespace phoenix::orchestrator;

namespace {

Answer act(const Orchestrator& orchestrator, const std::string& action,
           nlohmann::json body = {{"by", "oncall"}, {"reason", "fire"}}) {
  return post(orchestrator.endpoint(), "/api/v1/slices/payments/" + action, body);
}

}  // namespace

TEST_CASE("a trip pulls the slice to shadow and latches; after a reset the ramp starts again with new evidence") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  std::atomic<int> direct_kills{0};
  http::Server gateway({{"127.0.0.1", 0}}, [&](const http::Request& request) {
    if (request.path == "/kill" && nlohmann::json::parse(request.body)["slice"] == "payments") ++direct_kills;
    return http::json_text(200, "{}");
  });
  world.control_gateways = {gateway.endpoint().to_string()};
  const Orchestrator orchestrator(world.config());
  REQUIRE(world.until([&] { return world.slice().weight_basis_points >= 500; }));
  world.trip_reason = "balance mismatch on account 7";
  REQUIRE(world.until([&] { return world.slice().stage == Stage::shadow && !world.policy.latches.empty(); }));
  CHECK(world.policy.latches.front().reason == "balance mismatch on account 7");
  CHECK(world.policy.latches.front().by == "orchestrator");
  CHECK(world.slice().weight_basis_points == 0);
  CHECK(world.until([&] { return direct_kills == 1; }));

  world.trip_reason.clear();
  CHECK(act(orchestrator, "weight", {{"by", "x"}, {"weight", 5}}).status == 409);
  const auto at = world.policy.renewal;
  REQUIRE(world.until([&] { return world.policy.renewal >= at + 3; }));
  CHECK(world.slice().stage == Stage::shadow);

  CHECK(act(orchestrator, "reset", {{"by", "lead"}}).status == 400);
  const auto rung = world.slice().rung;
  const auto kill_id = world.policy.latches.front().kill_id;
  REQUIRE(act(orchestrator, "reset", {{"by", "lead"}, {"reason", "fee fixed"}}).status == 200);
  REQUIRE(world.until([&] { return world.policy.latches.empty(); }));
  REQUIRE(world.policy.resets.size() == 1);
  CHECK(world.policy.resets.front() == KillReset{kill_id, "lead", "fee fixed"});
  CHECK(world.slice().rung > rung);
  REQUIRE(world.until([&] { return world.slice().weight_basis_points == 10'000; }));
}

TEST_CASE("a latch that one gateway reports becomes the fleet's") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  const Orchestrator orchestrator(world.config());
  REQUIRE(world.until([&] { return world.slice().weight_basis_points >= 100; }));
  world.gateway_latches.push_back({"kill-at-gateway", "payments", "by hand", "oncall", 1});
  REQUIRE(world.until([&] { return !world.policy.latches.empty(); }));
  CHECK(world.slice().stage == Stage::shadow);
  CHECK(world.policy.latches.front().kill_id == "kill-at-gateway");
  CHECK(world.policy.latches.size() == 1);
  const auto history = get(orchestrator.endpoint(), "/api/v1/history").body["history"];
  CHECK(history.back()["action"] == "kill");
  CHECK(history.back()["who"] == "oncall");
  // A gateway that still reports it after the reset brings nothing back.
  REQUIRE(act(orchestrator, "reset").status == 200);
  REQUIRE(world.until([&] { return world.policy.latches.empty() && world.slice().weight_basis_points >= 100; }));
}

TEST_CASE("a person's kill says which gateways acknowledged it") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  const Orchestrator orchestrator(world.config());
  REQUIRE(world.until([&] { return world.slice().weight_basis_points == 10'000; }));
  Answer reply;
  SECTION("all of them") {
    std::atomic<bool> done{false};
    std::thread asking([&] {
      reply = post(orchestrator.endpoint(), "/api/v1/kill", {{"by", "oncall"}, {"reason", "fire"}});
      done = true;
    });
    CHECK(world.until([&] { return done.load(); }));
    asking.join();
    REQUIRE(reply.status == 200);
    CHECK(reply.body["acknowledged"] == true);
    CHECK(reply.body["gateways"][0]["gateway"] == "gw-1");
    CHECK(reply.body["gateways"][0]["acknowledged"] == true);
  }
  SECTION("none, because none reads any more") {
    reply = act(orchestrator, "kill");
    REQUIRE(reply.status == 200);
    CHECK(reply.body["acknowledged"] == false);
  }
  CHECK(reply.body["slices"] == nlohmann::json{"payments"});
  REQUIRE(world.until([&] { return world.slice().stage == Stage::shadow; }));
}

TEST_CASE("an automatic trip with legacy down freezes instead, and trips once legacy is back") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  const Orchestrator orchestrator(world.config());
  REQUIRE(world.until([&] { return world.slice().weight_basis_points == 10'000; }));
  world.legacy_up = false;
  world.pump();
  REQUIRE(world.until([&] {
    return get(orchestrator.endpoint(), "/api/v1/status").body["gateways"][0]["backend_up"]["legacy"] == false;
  }));
  world.trip_reason = "x";
  REQUIRE(world.until([&] { return !get(orchestrator.endpoint(), "/api/v1/status").body["alarms"].empty(); }));
  CHECK(world.slice().weight_basis_points == 10'000);
  CHECK(get(orchestrator.endpoint(), "/api/v1/slices/payments").body["pause"]["by_system"] == true);
  world.legacy_up = true;
  REQUIRE(world.until([&] { return world.slice().stage == Stage::shadow; }));
}
