// What the gateway owes a backend survives the backend, the queue's bound, and the gateway itself.
#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "core/runtime/config.hpp"
#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;
using Json = nlohmann::json;

namespace {

void deposit(RawClient& client, int account, int number) {
  REQUIRE(client.exchange(post(fmt::format("/accounts/{}/deposits", account), std::to_string(number))).status == 200);
}

/// Every shadow write that the backend saw: by account in ascending order, and none twice.
void check_delivered(const FakeBackend& backend, std::size_t count) {
  std::map<std::string, std::vector<int>> by_key;
  std::set<std::string> ids;
  for (const auto& request : backend.seen()) {
    if (request.method != "POST") continue;
    CHECK(ids.insert(request.header("X-Phoenix-Exchange")).second);
    by_key[request.target].push_back(std::stoi(request.body));
  }
  CHECK(ids.size() == count);
  for (const auto& [key, numbers] : by_key) CHECK(std::is_sorted(numbers.begin(), numbers.end()));
}

std::vector<std::string> incomplete_on_modern(World& world) {
  return Json::parse(world.admin("GET", "/keys").body)["s"]["modern"]["incomplete"].get<std::vector<std::string>>();
}

/// As a crash of the whole process: what stands on disk at this instant is all that the next one gets.
void crash_and_restart(World& world) {
  const std::string now = world.dir.path() + "/state";
  std::filesystem::copy(now, world.dir.path() + "/copy", std::filesystem::copy_options::recursive);
  world.modern.refuse();  // what the process that lives on after its copy would still do is not part of it
  world.stop(std::chrono::milliseconds(0));
  world.modern.back();
  std::filesystem::remove_all(now);
  std::filesystem::rename(world.dir.path() + "/copy", now);
  world.start();
}

}  // namespace

TEST_CASE("beyond the queue's bound writes rest on disk and reads are dropped; nothing is out of order or lost") {
  World world("  limits: {shadow_queue: 4}");
  world.modern.refuse();
  RawClient client(world.port());
  for (int i = 0; i < 200; ++i) {
    deposit(client, i % 7, i);
    CHECK(client.exchange(get(fmt::format("/accounts/{}", i % 7))).status == 200);
  }
  Json now = world.status();
  CHECK(now["backlog"]["modern"] >= 200);
  CHECK(now["spool"]["shadow_legs"]["modern"] >= 150);
  CHECK(now["keys"]["s"]["modern"]["behind"] == 7);
  CHECK(now["keys"]["s"]["modern"]["incomplete"] == 0);
  CHECK(world.route("account")["dropped"]["shadow_queue_full"] >= 190);
  world.check_accounts();
  world.modern.back();
  REQUIRE(world.settle());
  check_delivered(world.modern, 200);
  now = world.status();
  CHECK(now["spool"]["shadow_legs"]["modern"] == 0);
  CHECK(now["keys"]["s"]["modern"]["behind"] == 0);
  CHECK(world.route("deposits")["handed_over"] == 200);
  for (const auto& event : world.events()) {
    if (event.route != "deposits") continue;
    CHECK(event.serving.body == "{}");
    CHECK(event.shadow.body == "{}");
    CHECK(event.keys.at(0).sequence > 0);
  }
  world.check_accounts();
}

TEST_CASE_METHOD(World, "shadow writes outlive a restart of the gateway, in order; accounts go on") {
  modern.refuse();
  {
    RawClient client(port());
    for (int i = 0; i < 60; ++i) deposit(client, i % 5, i);
    CHECK(client.exchange(post("/transfers", R"({"from":"1","to":"2"})")).status == 200);
  }
  stop(std::chrono::milliseconds(0));
  start();
  CHECK(route("deposits")["received"] == 60);
  CHECK(route("deposits")["in_flight"] == 60);
  CHECK(route("deposits")["lost"] == 0);
  CHECK(status()["keys"]["s"]["modern"]["behind"] == 5);
  RawClient client(port());
  for (int i = 60; i < 80; ++i) deposit(client, i % 5, i);
  modern.back();
  REQUIRE(settle());
  CHECK(modern.count() == 81);
  std::map<std::string, int> latest;
  for (const auto& request : modern.seen()) {
    if (request.target == "/transfers") {
      CHECK(latest["/accounts/1/deposits"] >= 56);  // everything of both its keys came before
      CHECK(latest["/accounts/2/deposits"] >= 57);
      continue;
    }
    const int number = std::stoi(request.body);
    CHECK(number >= latest[request.target]);
    latest[request.target] = number;
  }
  CHECK(route("deposits")["handed_over"] == 80);
  CHECK(events().size() == 81);
  check_accounts();
}

TEST_CASE_METHOD(World,
                 "after a crash: what waited is delivered, what may have been is not sent again, the rest is lost") {
  RawClient first(port()), second(port()), third(port()), fourth(port());
  deposit(first, 1, 0);
  REQUIRE(settle());
  modern.hold();
  deposit(first, 1, 1);  // at modern, not answered
  REQUIRE(modern.wait_for(2));
  deposit(first, 1, 2);  // waits behind it
  legacy.hold();
  const std::size_t at_legacy = legacy.count();
  REQUIRE(second.send(post("/accounts/3/deposits", "3")));  // at legacy, not answered
  REQUIRE(third.send(get("/free/x")));
  REQUIRE(fourth.send(get("/reports/x")));
  REQUIRE(legacy.wait_for(at_legacy + 3));
  crash_and_restart(*this);
  auto keys = incomplete_on_modern(*this);
  std::sort(keys.begin(), keys.end());
  CHECK(keys == std::vector<std::string>{"1", "3"});
  CHECK(route("deposits")["lost"] == 1);
  CHECK(route("free")["lost"] == 1);
  CHECK(route("reports")["lost"] == 1);
  legacy.release();
  modern.release();
  REQUIRE(settle());
  std::vector<std::string> bodies;
  for (const auto& request : modern.seen()) bodies.push_back(request.body);
  CHECK(std::count(bodies.begin(), bodies.end(), "1") == 1);
  CHECK(std::count(bodies.begin(), bodies.end(), "2") == 1);
  CHECK(std::count(bodies.begin(), bodies.end(), "3") == 0);
  CHECK(route("deposits")["received"] == 4);
  CHECK(route("deposits")["handed_over"] == 3);
  bool uncertain = false, lost = false;
  for (const auto& event : events()) {
    if (event.request_body == "1" && event.shadow.uncertain) uncertain = true;
    if (event.request_body == "3" && event.dropped == "lost") lost = true;
  }
  CHECK(uncertain);
  CHECK(lost);
  // It stays so over any number of restarts, until somebody says that the data were brought over.
  stop();
  start();
  CHECK(incomplete_on_modern(*this).size() == 2);
  CHECK(route("deposits")["lost"] == 1);
  CHECK(admin("POST", "/keys/complete", R"({"slice":"s","side":"modern","keys":["1","3"]})").status == 400);
  CHECK(admin("POST", "/keys/complete", R"({"slice":"s","side":"modern","keys":["1","3"],"reason":"copied"})").status ==
        200);
  CHECK(incomplete_on_modern(*this).empty());
  stop();
  start();
  CHECK(incomplete_on_modern(*this).empty());
}

TEST_CASE("an idempotent shadow write that may have been delivered is sent again after a crash") {
  World world;
  world.stop();
  world.replace_config("key: {path: id}, shadow: dual}", "key: {path: id}, shadow: dual, idempotent: true}");
  world.start();
  RawClient client(world.port());
  world.modern.hold();
  deposit(client, 1, 1);
  REQUIRE(world.modern.wait_for(1));
  crash_and_restart(world);
  CHECK(incomplete_on_modern(world).empty());
  world.modern.release();
  REQUIRE(world.settle());
  CHECK(world.modern.count() == 2);
  CHECK(world.modern.seen()[0].header("X-Phoenix-Exchange") == world.modern.seen()[1].header("X-Phoenix-Exchange"));
  CHECK(world.route("deposits")["lost"] == 0);
}

TEST_CASE("a full spool drops shadow writes, counts them and names their keys; clients notice nothing") {
  World world("  limits: {shadow_queue: 2, spool_bytes: 512KiB}");
  world.modern.refuse();
  RawClient client(world.port());
  const std::string body = "1" + std::string(5000, ' ');
  int sent = 0;
  for (; sent < 300; ++sent)
    REQUIRE(client.exchange(post(fmt::format("/accounts/{}/deposits", sent), body)).status == 200);
  const auto now = world.route("deposits");
  const int dropped = now["dropped"]["spool_full"].get<int>();
  CHECK(dropped > 150);
  CHECK(now["in_flight"].get<int>() == sent - dropped);
  CHECK(incomplete_on_modern(world).size() == static_cast<std::size_t>(dropped));
  world.modern.back();
  REQUIRE(world.settle());
  CHECK(world.modern.count() == static_cast<std::size_t>(sent - dropped));
  // Room again.
  REQUIRE(eventually([&] {
    REQUIRE(client.exchange(post("/accounts/9999/deposits", "1")).status == 200);
    return world.settle() && world.modern.seen().back().target == "/accounts/9999/deposits";
  }));
  world.check_accounts();
}

TEST_CASE("a shadow write that waits longer than spool_age is given up") {
  World world("  limits: {spool_age: 1s}");
  world.modern.refuse();
  RawClient client(world.port());
  deposit(client, 1, 1);
  deposit(client, 1, 2);
  REQUIRE(eventually([&] { return world.route("deposits")["dropped"].value("spool_expired", 0) == 2; }));
  CHECK(incomplete_on_modern(world) == std::vector<std::string>{"1"});
  world.modern.back();
  deposit(client, 2, 3);
  REQUIRE(world.settle());
  CHECK(world.modern.count() == 1);
  world.check_accounts();
}

TEST_CASE("a key whose shadow write waits on disk is served by the side that has it, also after a restart") {
  World world("", "{name: s, stage: canary, weight: 100}");
  world.legacy.refuse();
  {
    RawClient client(world.port());
    deposit(client, 1, 1);
    CHECK(world.modern.count() == 1);
  }
  world.stop(std::chrono::milliseconds(0));
  world.replace_config("weight: 100", "weight: 0");
  world.start();
  RawClient client(world.port());
  CHECK(client.exchange(get("/accounts/1")).status == 200);
  CHECK(world.modern.count() == 2);
  CHECK(world.status()["keys"]["s"]["legacy"]["behind"] == 1);
  world.legacy.back();
  REQUIRE(world.settle());
  CHECK(client.exchange(get("/accounts/1")).status == 200);
  CHECK(world.legacy.seen().back().leg() == "serving");
}

TEST_CASE_METHOD(World, "a second gateway on the same state directory is refused") {
  const auto config = config::load(config_path());
  REQUIRE(config.has_value());
  CHECK_THROWS_WITH(phoenix::gateway::Gateway(*config, *log), Catch::Matchers::Contains("another process uses"));
}

TEST_CASE("keys of writes that found no room in the spool stay incomplete after a restart") {
  World world("  limits: {shadow_queue: 2, spool_bytes: 512KiB}");
  world.modern.refuse();
  {
    RawClient client(world.port());
    const std::string body = "1" + std::string(5000, ' ');
    for (int i = 0; i < 200; ++i)
      REQUIRE(client.exchange(post(fmt::format("/accounts/{}/deposits", i), body)).status == 200);
  }
  auto before = incomplete_on_modern(world);
  CHECK(before.size() > 50);
  world.stop(std::chrono::milliseconds(0));
  world.start();
  auto after = incomplete_on_modern(world);
  std::sort(before.begin(), before.end());
  std::sort(after.begin(), after.end());
  CHECK(after == before);
}

TEST_CASE("an answer that was streamed is compared whole, though its exchange rested on disk") {
  World world("  limits: {shadow_queue: 2}");
  const std::string large(300'000, 'x');
  for (FakeBackend* backend : {&world.legacy, &world.modern})
    backend->script([large](const SeenRequest&) { return Reply::ok(large); });
  world.modern.refuse();
  RawClient client(world.port());
  for (int i = 0; i < 6; ++i) deposit(client, 1, i);
  world.stop(std::chrono::milliseconds(0));
  world.start();
  world.modern.back();
  REQUIRE(world.settle());
  const auto events = world.events();
  CHECK(events.size() == 6);
  for (const auto& event : events) {
    CHECK(event.serving.body_bytes == large.size());
    CHECK(event.serving.body_hash == event.shadow.body_hash);
    CHECK_FALSE(event.serving.cut);
  }
}

TEST_CASE_METHOD(World, "with the accounts moved away they begin anew, and what the journal holds counts as received") {
  modern.refuse();
  {
    RawClient client(port());
    for (int i = 0; i < 5; ++i) deposit(client, i, i);
  }
  stop(std::chrono::milliseconds(0));
  std::filesystem::remove(dir.path() + "/state/accounts");
  start();
  CHECK(route("deposits")["received"] == 5);
  CHECK(route("deposits")["in_flight"] == 5);
  modern.back();
  REQUIRE(settle());
  CHECK(route("deposits")["handed_over"] == 5);
  CHECK(route("deposits")["lost"] == 0);
}

TEST_CASE_METHOD(World, "the heartbeat calls nothing settled whose event is not in the log") {
  RawClient client(port());
  CHECK(client.exchange(get("/free/x")).status == 200);
  REQUIRE(eventually([&] { return status()["settled_until_us"] > 0; }));
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open((dir.path() + "/events.db").c_str(), &other) == SQLITE_OK);
  sqlite3_busy_timeout(other, 10'000);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  CHECK(client.exchange(get("/free/y")).status == 200);
  REQUIRE(eventually([&] { return route("free")["handed_over"] == 2; }));
  const auto unsettled = status()["settled_until_us"].get<std::int64_t>();
  for (int i = 0; i < 5; ++i) CHECK(status()["settled_until_us"] == unsettled);
  REQUIRE(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(other);
  REQUIRE(eventually([&] { return status()["settled_until_us"] > unsettled; }));
}

TEST_CASE("a key that was made while the spool was full is known to be missing on the other side") {
  World world("  limits: {shadow_queue: 2, spool_bytes: 512KiB}", "{name: s, stage: canary, weight: 50}");
  int made = 0;
  world.legacy.script([&](const SeenRequest& seen) {
    return Reply::ok(seen.target == "/accounts" ? fmt::format(R"({{"id":"new-{}"}})", ++made) : "{}");
  });
  world.modern.refuse();
  RawClient client(world.port());
  const std::string body(20'000, ' ');
  while (world.route("open")["dropped"].value("spool_full", 0) == 0)
    REQUIRE(client.exchange(post("/accounts", body)).status == 200);
  const auto keys = incomplete_on_modern(world);
  CHECK(std::find(keys.begin(), keys.end(), fmt::format("new-{}", made)) != keys.end());
}
