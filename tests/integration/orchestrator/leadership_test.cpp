#include <signal.h>

#include "tests/support/catch.hpp"
#include "world.hpp"

using namespace phoenix;
using namespace phoenix::orchestrator;

TEST_CASE("killed with SIGKILL it continues from what was stored, with a higher renewal") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  TrafficPolicy before;
  {
    Program program({"--config", world.config_file()});
    REQUIRE(world.until([&] { return world.slice().weight_basis_points >= 500; }));
    world.clean_units = 0;  // nothing further rises
    const auto at = world.policy.renewal;
    REQUIRE(world.until([&] { return world.policy.renewal >= at + 3; }));
    program.kill(SIGKILL);
    CHECK(program.wait() == 128 + SIGKILL);
    before = world.policy;
  }
  world.seen.clear();
  Program again({"--config", world.config_file()});
  REQUIRE(world.until([&] { return !world.seen.empty(); }));
  CHECK(world.policy.same_content(before));
  CHECK(world.policy.renewal > before.renewal);
  world.clean_units = 10'000;
  REQUIRE(world.until([&] { return world.slice().weight_basis_points == 10'000; }));
  again.kill(SIGTERM);
  CHECK(again.wait() == 0);
}

TEST_CASE("the second orchestrator stands by, changes nothing, and takes over") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  auto first = std::make_unique<Orchestrator>(world.config());
  REQUIRE(world.until([&] { return world.slice().weight_basis_points == 10'000; }));
  Orchestrator second(world.config());
  CHECK(get(first->endpoint(), "/readyz").status == 200);
  const auto ready = get(second.endpoint(), "/readyz");
  CHECK(ready.status == 503);
  CHECK_THAT(ready.body["reason"].get<std::string>(), Catch::Contains("another orchestrator leads"));
  CHECK(post(second.endpoint(), "/api/v1/slices/payments/weight", {{"by", "x"}, {"weight", 0}}).status == 503);
  const auto before = world.policy;
  first.reset();
  REQUIRE(world.until([&] { return get(second.endpoint(), "/readyz").status == 200; }));
  REQUIRE(world.until([&] { return world.policy.renewal > before.renewal; }));
  CHECK(world.policy.same_content(before));
}

TEST_CASE("with the database away nothing rises or is renewed; afterwards it recovers by itself") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  world.clean_units = 0;
  const Orchestrator orchestrator(world.config());
  REQUIRE(world.until([&] { return get(orchestrator.endpoint(), "/readyz").status == 200; }));
  world.database_away(true);
  REQUIRE(world.until([&] { return get(orchestrator.endpoint(), "/readyz").status == 503; }));
  world.pump();
  const auto before = world.policy;
  world.clean_units = 10'000;
  CHECK_FALSE(world.until([&] { return world.policy.renewal > before.renewal; }, std::chrono::seconds(2)));
  CHECK(get(orchestrator.endpoint(), "/api/v1/status").body["leading"] == false);
  // Nobody can be told: no gateway admin address is configured and no policy can be changed.
  CHECK(post(orchestrator.endpoint(), "/api/v1/kill", {{"by", "oncall"}, {"reason", "fire"}}).status == 503);
  world.database_away(false);
  REQUIRE(world.until([&] { return world.slice().weight_basis_points == 10'000; }));
  CHECK(get(orchestrator.endpoint(), "/api/v1/history?verify=true").body["verification"]["intact"] == true);
}

TEST_CASE("a gateway with a newer epoch is overtaken, not waited for") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  world.clean_units = 0;
  const Orchestrator orchestrator(world.config());
  REQUIRE(world.until([&] { return world.policy.epoch == 1; }));
  world.policy.epoch = 40;  // as if somebody had put a policy there by hand
  REQUIRE(world.until([&] { return world.policy.epoch == 41; }));
  CHECK(world.slice().stage == Stage::shadow);
}

TEST_CASE("a database that cannot be reached ends the start in one line") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  std::string file = world.config_file();
  std::string text = world.yaml();
  text.replace(text.find(world.database_url()), world.database_url().size(),
               "postgresql://u:secret@127.0.0.1:1/phoenix");
  const auto path = world.config_file("away.yml");
  FILE* out = std::fopen(path.c_str(), "w");
  std::fputs(text.c_str(), out);
  std::fclose(out);
  Program program({"--config", path});
  CHECK(program.wait() != 0);
  const auto error = program.stderr_text();
  CHECK_THAT(error, Catch::Contains("orchestrator.database"));
  CHECK_THAT(error, !Catch::Contains("secret"));
  CHECK(std::count(error.begin(), error.end(), '\n') == 1);
}
