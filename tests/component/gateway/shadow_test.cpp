// The shadow leg: never in the client's way, in the order of its key, once.
#include <fmt/format.h>

#include <future>

#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;
using namespace std::string_literals;

TEST_CASE_METHOD(World, "clients are answered while the shadow hangs; afterwards everything is delivered in order") {
  modern.hold();
  RawClient client(port());
  for (int i = 0; i < 50; ++i) CHECK(client.exchange(post("/accounts/7/deposits", std::to_string(i))).status == 200);
  CHECK(client.exchange(get("/accounts/7")).status == 200);
  REQUIRE(modern.wait_for(1));
  CHECK(modern.count() == 1);  // one write of a key at a time
  CHECK(route("deposits")["in_flight"] == 50);
  CHECK(status()["keys"]["s"]["modern"]["behind"] == 1);
  CHECK(events().empty());
  check_accounts();
  modern.release();
  REQUIRE(settle());
  const auto delivered = modern.seen();
  const auto served = legacy.seen();
  REQUIRE(delivered.size() == 51);
  for (std::size_t i = 0; i < delivered.size(); ++i) {
    CHECK(delivered[i].body == served[i].body);
    CHECK(delivered[i].header("X-Phoenix-Exchange") == served[i].header("X-Phoenix-Exchange"));
  }
  std::uint64_t sequence = 0;
  for (const auto& event : events()) {
    REQUIRE(event.keys.size() == 1);
    CHECK(event.keys[0].sequence == ++sequence);
    CHECK(event.shadow.status == 200);
  }
  CHECK(sequence == 51);
  CHECK(status()["keys"]["s"]["modern"]["behind"] == 0);
  check_accounts();
}

TEST_CASE_METHOD(World, "keys do not wait for each other on the shadow side") {
  modern.hold();
  RawClient client(port());
  for (int key = 0; key < 8; ++key)
    CHECK(client.exchange(post(fmt::format("/accounts/k{}/deposits", key))).status == 200);
  CHECK(modern.wait_for(8));  // all eight at once
  modern.release();
  REQUIRE(settle());
}

TEST_CASE_METHOD(World, "the order of a key is that in which its exchanges completed on the serving side, under load") {
  legacy.script([](const SeenRequest&) { return Reply::ok("{}"); });
  std::vector<std::future<void>> clients;
  for (int c = 0; c < 8; ++c) {
    clients.push_back(std::async(std::launch::async, [&, c] {
      RawClient client(port());
      for (int i = 0; i < 50; ++i)
        client.exchange(post(fmt::format("/accounts/{}/deposits", i % 3), fmt::format("{}-{}", c, i)));
    }));
  }
  for (auto& client : clients) client.get();
  REQUIRE(settle());
  CHECK(modern.count() == 400);
  std::map<std::string, std::string> by_id;  // exchange id -> key
  std::map<std::string, std::vector<std::string>> expected, delivered;
  auto all = events();
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.keys[0].sequence < b.keys[0].sequence; });
  for (const auto& event : all) expected[event.keys[0].key].push_back(event.exchange_id);
  for (const auto& request : modern.seen())
    delivered[request.target.substr(10, 1)].push_back(request.header("X-Phoenix-Exchange"));
  CHECK(expected == delivered);
  for (const auto& event : all) CHECK((event.excluded.empty() && event.dropped.empty()));
  check_accounts();
}

TEST_CASE_METHOD(World,
                 "a shadow that resets, answers garbage or disagrees costs the client nothing and taints the key it "
                 "lost a write of") {
  const std::vector<std::pair<Reply, std::string>> shadows = {{{"", false, true, {}}, "reset"},
                                                              {{"garbage\n", true, false, {}}, "malformed"},
                                                              {Reply::status(500), "ok"},
                                                              {Reply::status(422), "ok"}};
  RawClient client(port());
  int key = 0;
  for (const auto& [reply, outcome] : shadows) {
    modern.script([reply = reply](const SeenRequest&) { return reply; });
    CHECK(client.exchange(post(fmt::format("/accounts/{}/deposits", ++key))).body == "{}");
    REQUIRE(settle());
    CHECK(to_string(events().back().shadow.outcome) == outcome);
    CHECK(status()["keys"]["s"]["modern"]["incomplete"] == key);
    CHECK(status()["keys"]["s"]["legacy"]["incomplete"] == 0);
  }
  CHECK(modern.count() == 4);  // a reset write was not sent again
  check_accounts();
}

TEST_CASE_METHOD(World,
                 "a shadow that floods is read up to a limit, through a window, and only its beginning is kept") {
  modern.script([](const SeenRequest&) {
    return Reply{"HTTP/1.1 200 OK\r\n\r\n" + std::string(20 << 20, 'x'), true, false, {}};
  });
  RawClient client(port());
  CHECK(client.exchange(get("/free/x")).body == "{}");
  REQUIRE(settle());
  CHECK(events().front().shadow.body.size() == 64 * 1024);
  CHECK(events().front().shadow.body_bytes > 16 << 20);
  CHECK(events().front().shadow.body_bytes < 17 << 20);
  CHECK(events().front().shadow.cut);
}

TEST_CASE_METHOD(World, "on a kept connection that the backend gave up, GET goes again and a write does not") {
  for (FakeBackend* backend : {&legacy, &modern}) {
    backend->script([](const SeenRequest&) {
      // The second request on a connection is not answered: as if the backend had closed it when the request came.
      static thread_local int served = 0;  // a connection has a thread of its own
      return ++served == 1 ? Reply::ok("first") : Reply{"", false, true, {}};
    });
  }
  RawClient client(port());
  CHECK(client.exchange(get("/free/1")).body == "first");
  REQUIRE(settle());
  CHECK(client.exchange(get("/free/2")).body == "first");
  REQUIRE(settle());
  CHECK(client.exchange(post("/free/3")).status == 502);
  REQUIRE(settle());
  CHECK(legacy.targets() == std::vector<std::string>{"/free/1", "/free/2", "/free/2", "/free/3"});
  CHECK(modern.targets() == std::vector<std::string>{"/free/1", "/free/2", "/free/2"});
  check_accounts();
}

TEST_CASE_METHOD(World,
                 "an id that the serving side made travels to the shadow, and what follows on that key queues behind") {
  legacy.script([](const SeenRequest& seen) {
    return seen.target == "/accounts" ? Reply::ok(R"({"id":"acc-9"})") : Reply::ok("{}");
  });
  modern.hold();
  RawClient client(port());
  CHECK(client.exchange(post("/accounts")).status == 200);
  CHECK(client.exchange(post("/accounts/acc-9/deposits")).status == 200);
  REQUIRE(modern.wait_for(1));
  CHECK(modern.seen()[0].header("X-Phoenix-Assigned-Id") == "acc-9");
  CHECK(legacy.seen()[0].header("X-Phoenix-Assigned-Id").empty());
  CHECK(modern.count() == 1);
  modern.release();
  REQUIRE(settle());
  CHECK(modern.targets() == std::vector<std::string>{"/accounts", "/accounts/acc-9/deposits"});
  CHECK(events()[0].keys[0].key == "acc-9");
  legacy.script([](const SeenRequest&) { return Reply::ok(R"({"name":"no id"})"); });
  CHECK(client.exchange(post("/accounts")).status == 200);
  REQUIRE(settle());
  CHECK(route("open")["dropped"]["assigned_id_missing"] == 1);
  CHECK(modern.count() == 2);
  check_accounts();
}

TEST_CASE_METHOD(World,
                 "routes that are not shadowed and requests that match none reach legacy alone and are counted") {
  RawClient client(port());
  CHECK(client.exchange(get("/reports/1")).status == 200);
  CHECK(client.exchange(get("/nowhere")).status == 200);
  REQUIRE(settle());
  CHECK(route("reports")["excluded"]["shadow_off"] == 1);
  CHECK(route("unmatched")["excluded"]["unmatched"] == 1);
  CHECK(modern.count() == 0);
  CHECK(events().size() == 1);
  check_accounts();
}

TEST_CASE("of the reads a share is shadowed, drawn anew for each exchange; writes always are") {
  World world;
  world.stop();
  world.replace_config("shadow: dual}\n    - {name: reports",
                       "shadow: dual, shadow_sample: 25%}\n    - {name: reports");
  world.start();
  RawClient client(world.port());
  for (int i = 0; i < 400; ++i) CHECK(client.exchange(get("/free/x")).status == 200);
  for (int i = 0; i < 20; ++i) CHECK(client.exchange(post("/free/x")).status == 200);
  REQUIRE(world.settle());
  const auto route = world.route("free");
  const int left_out = route["excluded"]["not_sampled"].get<int>();
  CHECK(left_out > 250);
  CHECK(left_out < 350);
  CHECK(world.modern.count() == static_cast<std::size_t>(420 - left_out));
  world.check_accounts();
}
