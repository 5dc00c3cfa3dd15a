// Legacy is asked twice where a route calibrates, and no client notices.
#include <atomic>

#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;

namespace {

void calibrate(World& world, const std::string& share) {
  world.stop();
  world.replace_config("shadow: dual}\n    - {name: reports",
                       "shadow: dual, calibrate: " + share + "}\n    - {name: reports");
  world.start();
}

std::vector<ExchangeEvent> repeats(World& world) {
  auto events = world.events();
  std::erase_if(events, [](const ExchangeEvent& event) { return !event.calibration; });
  return events;
}

}  // namespace

TEST_CASE("a compared read is sent to legacy once more, under an id of its own; both answers are published") {
  World world;
  std::atomic<int> answers{0};
  world.legacy.script([&](const SeenRequest&) { return Reply::ok("{\"n\":" + std::to_string(++answers) + "}"); });
  calibrate(world, "100%");
  RawClient client(world.port());
  CHECK(client.exchange(get("/free/x?y=1", "Authorization: Bearer secret\r\n")).body == "{\"n\":1}");
  REQUIRE(world.legacy.wait_for(2));
  REQUIRE(eventually([&] { return repeats(world).size() == 1; }));
  const auto seen = world.legacy.seen();
  CHECK(seen[0].leg() == "serving");
  CHECK(seen[1].leg() == "calibration");
  CHECK(seen[1].target == "/free/x?y=1");
  CHECK(seen[1].header("Authorization") == "Bearer secret");
  CHECK(seen[1].header("X-Phoenix-Exchange") != seen[0].header("X-Phoenix-Exchange"));
  CHECK(world.modern.count() == 1);

  const ExchangeEvent event = repeats(world).front();
  CHECK(event.exchange_id == seen[1].header("X-Phoenix-Exchange"));
  CHECK(event.excluded == "calibration");
  CHECK(event.serving_side == Side::legacy);
  CHECK(event.serving.body == "{\"n\":1}");
  CHECK(event.shadow.body == "{\"n\":2}");
  CHECK(event.shadow.outcome == LegOutcome::ok);
  REQUIRE(world.settle());
  CHECK(world.route("free")["received"] == 1);
  world.check_accounts();
}

TEST_CASE("writes, failed answers and routes that do not calibrate are not repeated") {
  World world;
  calibrate(world, "100%");
  world.legacy.script(
      [](const SeenRequest& request) { return request.target == "/free/gone" ? Reply::status(404) : Reply::ok("{}"); });
  RawClient client(world.port());
  CHECK(client.exchange(post("/free/x")).status == 200);
  CHECK(client.exchange(get("/free/gone")).status == 404);
  CHECK(client.exchange(get("/accounts/7")).status == 200);
  REQUIRE(world.settle());
  CHECK(client.exchange(get("/free/x")).status == 200);  // the one that is
  REQUIRE(eventually([&] { return repeats(world).size() == 1; }));
  CHECK(world.legacy.count() == 5);
  world.check_accounts();
}

TEST_CASE("a legacy that does not answer the repeat holds nobody up, and nothing more is repeated meanwhile") {
  World world;
  calibrate(world, "100%");
  RawClient client(world.port());
  world.modern.hold();  // the exchange is over when modern has answered
  CHECK(client.exchange(get("/free/x")).status == 200);
  REQUIRE(world.modern.wait_for(1));
  std::atomic<bool> quiet{false};
  world.legacy.script([&](const SeenRequest& request) {
    if (request.leg() == "calibration" && quiet) return Reply{"", false, false, {"never"}};
    return Reply::ok("{}");
  });
  quiet = true;
  world.modern.release();
  REQUIRE(world.legacy.wait_for(2));
  for (int i = 0; i < 20; ++i) CHECK(client.exchange(get("/free/x")).status == 200);
  REQUIRE(world.settle());
  CHECK(world.legacy.count() == 22);
  CHECK(repeats(world).empty());
  world.check_accounts();
}
