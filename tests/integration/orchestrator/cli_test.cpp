#include "orchestrator/cli/cli.hpp"

#include <mutex>
#include <sstream>

#include "core/http/server.hpp"
#include "tests/support/catch.hpp"
#include "world.hpp"

using namespace phoenix;
using namespace phoenix::orchestrator;

namespace {

struct Run {
  int status = 0;
  std::string out, err;
};

Run phoenixctl(std::vector<std::string> arguments) {
  std::ostringstream out, err;
  const int status = cli::run(arguments, out, err);
  return {status, out.str(), err.str()};
}

}  // namespace

TEST_CASE("phoenixctl watches and steers a running orchestrator") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  world.clean_units = 0;
  const Orchestrator orchestrator(world.config());
  REQUIRE(
      world.until([&] { return !get(orchestrator.endpoint(), "/api/v1/slices/payments").body["score"].is_null(); }));
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--api", orchestrator.endpoint().to_string()});
    return phoenixctl(arguments);
  };
  const auto status = run({"status"});
  CHECK(status.status == 0);
  CHECK_THAT(status.out, Catch::Contains("payments") && Catch::Contains("WHY NOT RISING") && Catch::Contains("gw-1"));
  CHECK(nlohmann::json::parse(run({"status", "--json"}).out)["migration"] == "core-banking");

  CHECK(run({"weight", "set", "payments", "25", "--by", "lead", "--reason", "by hand"}).status == 0);
  REQUIRE(world.until([&] { return world.slice().weight_basis_points == 2'500; }));
  const auto refused = run({"weight", "set", "payments", "250", "--by", "lead"});
  CHECK(refused.status == 1);
  CHECK(std::count(refused.err.begin(), refused.err.end(), '\n') == 1);
  CHECK(run({"pause", "payments", "--by", "lead"}).status == 0);
  CHECK(run({"resume", "payments", "--by", "lead"}).status == 0);
  CHECK(run({"promote", "payments", "--by", "lead"}).status == 1);

  // Nobody pumps here, so no gateway acknowledges: killed, but not a success.
  const auto kill = run({"kill", "payments", "--reason", "fire", "--by", "oncall"});
  CHECK(kill.status == 1);
  CHECK_THAT(kill.out, Catch::Contains("killed: payments"));
  CHECK_THAT(kill.err, Catch::Contains("--direct"));
  REQUIRE(world.until([&] { return world.slice().stage == Stage::shadow; }));
  CHECK(run({"reset", "payments", "--reason", "fixed", "--by", "lead"}).status == 0);

  const auto history = run({"history", "--verify"});
  CHECK(history.status == 0);
  CHECK_THAT(history.out, Catch::Contains("canary 25 %") && Catch::Contains("is intact"));
  CHECK_THAT(run({"verdicts"}).out, Catch::Contains("no verdicts"));
  CHECK_THAT(run({"drift"}).out, Catch::Contains("no drift"));
  CHECK(run({"explain", "01890000-0000-7000-8000-000000000001"}).status == 1);

  world.sql(
      "ALTER TABLE orchestrator.audit DISABLE TRIGGER USER; UPDATE orchestrator.audit SET who = 'nobody' WHERE seq = "
      "1");
  const auto broken = run({"history", "--verify"});
  CHECK(broken.status == 1);
  CHECK_THAT(broken.err, Catch::Contains("NOT intact"));
  CHECK(phoenixctl({"config", "check", world.config_file()}).status == 0);
}

TEST_CASE("kill --direct needs the gateways alone, and fails when one does not acknowledge") {
  SKIP_WITHOUT_POSTGRES();
  World world;  // for a configuration file; neither orchestrator nor event log take part
  std::vector<nlohmann::json> received;
  std::mutex mutex;
  http::Server gateway({{"127.0.0.1", 0}}, [&](const http::Request& request) {
    const std::lock_guard lock(mutex);
    received.push_back(nlohmann::json::parse(request.body));
    return http::json_text(200, "{}");
  });
  world.control_gateways = {gateway.endpoint().to_string()};
  const auto done =
      phoenixctl({"kill", "--direct", "--reason", "fire", "--by", "oncall", "--config", world.config_file()});
  CHECK(done.status == 0);
  CHECK_THAT(done.out, Catch::Contains(gateway.endpoint().to_string()) && Catch::Contains("yes"));
  REQUIRE(received.size() == 1);
  CHECK(received[0] == nlohmann::json{{"slice", "*"}, {"reason", "fire"}, {"by", "oncall"}});

  world.control_gateways.push_back("127.0.0.1:1");
  const auto half = phoenixctl(
      {"kill", "payments", "--direct", "--reason", "fire", "--by", "oncall", "--config", world.config_file()});
  CHECK(half.status == 1);
  CHECK_THAT(half.err, Catch::Contains("1 of 2 gateways"));
  CHECK(received.size() == 2);
}
