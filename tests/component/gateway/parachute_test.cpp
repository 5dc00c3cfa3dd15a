// When modern serves and fails before the client has seen a byte, legacy answers, and neither gets the request twice.
#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;

namespace {

struct ParachuteWorld : World {
  explicit ParachuteWorld(const std::string& settings = "") : World(settings) {
    legacy.script([](const SeenRequest&) { return Reply::ok("\"legacy\""); });
    modern.script([](const SeenRequest&) { return Reply::ok("\"modern\""); });
    REQUIRE(policy("canary", "100").status == 200);
  }
  std::string served(const std::string& request) {
    RawClient client(port());
    const auto answer = client.exchange(request);
    return answer.status == 200 ? answer.body : std::to_string(answer.status);
  }
  std::string parachutes(const std::string& name) {
    const std::string page = admin("GET", "/metrics").body;
    const std::string line = "phoenix_gateway_parachutes_total{route=\"" + name + "\"} ";
    const auto at = page.find(line);
    return at == std::string::npos ? "none" : page.substr(at + line.size(), page.find('\n', at) - at - line.size());
  }
};

}  // namespace

TEST_CASE_METHOD(ParachuteWorld, "modern cannot be reached: legacy answers, and modern gets its leg when it is back") {
  CHECK(served(get("/accounts/7")) == "\"modern\"");
  REQUIRE(settle());
  modern.refuse();
  CHECK(served(get("/accounts/7")) == "\"legacy\"");
  CHECK(served(post("/accounts/7/deposits")) == "\"legacy\"");
  CHECK(served(post("/free/x")) == "\"legacy\"");
  CHECK(parachutes("deposits") == "1");
  modern.back();
  REQUIRE(settle());
  CHECK(legacy.count() == 4);
  CHECK(modern.count() == 4);
  CHECK(served(get("/accounts/7")) == "\"modern\"");  // nothing is missing there
  REQUIRE(settle());
  check_accounts();
  const auto all = events();
  CHECK(std::count_if(all.begin(), all.end(), [](const ExchangeEvent& event) {
          return event.parachute && event.target_side == Side::modern && event.serving_side == Side::legacy;
        }) == 3);
}

TEST_CASE_METHOD(ParachuteWorld, "modern fails on the way: a read is answered by legacy, a write is not") {
  SECTION("it resets") {
    modern.script([](const SeenRequest&) { return Reply{"", false, true, {}}; });
  }
  SECTION("it talks nonsense") {
    modern.script([](const SeenRequest&) { return Reply{"EVIL\r\n\r\n", true, false, {}}; });
  }
  SECTION("it breaks off in the middle of an answer that the client has not seen") {
    modern.script([](const SeenRequest&) {
      return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nEVIL", true, false, {}};
    });
  }
  CHECK(served(get("/accounts/7")) == "\"legacy\"");
  CHECK(served(post("/accounts/8/deposits")) == "502");
  REQUIRE(settle());
  CHECK(modern.count() == 2);
  CHECK(legacy.count() == 1);  // the write's outcome at modern is unknown: legacy does not get it
  CHECK(parachutes("account") == "1");
  CHECK(parachutes("deposits") == "0");
  check_accounts();
  const auto all = events();
  REQUIRE(all.size() == 2);
  CHECK(all[0].parachute);
  CHECK(all[0].serving.status == 200);
  CHECK(all[0].shadow.outcome != LegOutcome::ok);
  CHECK(all[0].shadow.outcome != LegOutcome::none);
  const auto now = status();
  CHECK(now["served"]["modern"] == 2);
  CHECK(now["serving_errors"]["modern"] == 2);
}

TEST_CASE("a modern that does not answer in time") {
  ParachuteWorld world("  timeouts: {response: 200ms}");
  world.modern.hold();
  CHECK(world.served(get("/accounts/7")) == "\"legacy\"");
  CHECK(world.served(post("/accounts/8/deposits")) == "504");
  world.modern.release();
  REQUIRE(world.settle());
  CHECK(world.modern.count() == 2);
  world.check_accounts();
}

TEST_CASE_METHOD(ParachuteWorld, "legacy is no way out where it lacks a write of the key, or for a retired slice") {
  SECTION("a write of the key has not reached legacy") {
    legacy.hold();
    CHECK(served(post("/accounts/7/deposits")) == "\"modern\"");
    modern.refuse();
    CHECK(served(get("/accounts/7")) == "503");
    CHECK(parachutes("account") == "0");
    modern.script([](const SeenRequest&) { return Reply{"", false, true, {}}; });
    modern.back();
    CHECK(served(get("/accounts/7")) == "502");
    legacy.release();
    REQUIRE(settle());
    CHECK(route("account")["dropped"]["serving_failed"] == 2);
  }
  SECTION("retired") {
    REQUIRE(policy("retired").status == 200);
    modern.refuse();
    CHECK(served(get("/accounts/7")) == "503");
    CHECK(legacy.count() == 0);
  }
  REQUIRE(settle());
  check_accounts();
}

TEST_CASE_METHOD(ParachuteWorld, "what the client has seen begin is not begun anew") {
  const std::string part(200'000, 'm');
  modern.script([&](const SeenRequest&) {
    return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + part, true, false, {}};
  });
  RawClient client(port());
  REQUIRE(client.send(get("/accounts/7")));
  const auto answer = client.response();
  CHECK_FALSE(answer.complete);
  CHECK(answer.body == part);
  REQUIRE(settle());
  CHECK(parachutes("account") == "0");
}

TEST_CASE("with `parachute: writes` legacy takes a write that modern may have applied, and its key stays there") {
  World world;
  world.stop();
  world.replace_config("key: {path: id}, shadow: dual}", "key: {path: id}, shadow: dual, parachute: writes}");
  world.start();
  REQUIRE(world.policy("canary", "100").status == 200);
  int legacy_status = 200;
  SECTION("legacy accepts it") {}
  SECTION("legacy refuses it") {
    legacy_status = 422;
  }
  world.legacy.script([&](const SeenRequest&) { return Reply::status(legacy_status); });
  world.modern.script([](const SeenRequest&) { return Reply{"", false, true, {}}; });
  RawClient client(world.port());
  CHECK(client.exchange(post("/accounts/7/deposits")).status == legacy_status);
  REQUIRE(world.settle());
  CHECK(world.modern.count() == 1);
  CHECK(world.legacy.count() == 1);
  CHECK(world.status()["keys"]["s"]["modern"]["incomplete"] == 1);
  world.modern.script([](const SeenRequest&) { return Reply::ok("{}"); });
  CHECK(client.exchange(get("/accounts/7")).status == legacy_status);  // served by legacy
  REQUIRE(world.settle());
  const auto event = world.events().front();
  CHECK(event.parachute);
  CHECK(event.serving_side == Side::legacy);
  CHECK(event.shadow.uncertain);
  world.check_accounts();
}

TEST_CASE(
    "where legacy may not take over either, the key of a write that modern may have applied is incomplete there") {
  World world;
  world.stop();
  world.replace_config("key: {path: id}, shadow: dual}", "key: {path: id}, shadow: dual, parachute: writes}");
  world.start();
  REQUIRE(world.policy("canary", "100").status == 200);
  RawClient client(world.port());
  world.legacy.refuse();
  CHECK(client.exchange(post("/accounts/7/deposits")).status == 200);  // legacy is behind from here on
  world.modern.script([](const SeenRequest&) { return Reply{"", false, true, {}}; });
  CHECK(client.exchange(post("/accounts/7/deposits")).status == 502);
  const auto keys = nlohmann::json::parse(world.admin("GET", "/keys").body)["s"]["legacy"];
  CHECK(keys["incomplete"] == std::vector<std::string>{"7"});
  world.legacy.back();
  REQUIRE(world.settle());
  CHECK(world.status()["keys"]["s"]["legacy"]["incomplete"] == 1);
  world.check_accounts();
}
