// The configuration is replaced under traffic: whole or not at all, and nobody notices who is under way.
#include <fmt/format.h>

#include <future>

#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;
using Catch::Contains;
using Json = nlohmann::json;

namespace {

struct ReloadWorld : World {
  using World::World;
  http::ClientResponse reload() { return admin("POST", "/reload"); }
  http::ClientResponse reload_with(const std::string& from, const std::string& to) {
    replace_config(from, to);
    return reload();
  }
  std::string detail(const http::ClientResponse& response) { return Json::parse(response.body).value("detail", ""); }
};

const std::string kReports = R"(    - {name: reports, match: {methods: [GET], path: "/reports/*"}, shadow: "off"})";

}  // namespace

TEST_CASE_METHOD(ReloadWorld, "a reload applies to the next request of a connection that stays open") {
  RawClient client(port());
  CHECK(client.exchange(post("/free/x", std::string(2000, 'x'))).status == 200);
  const std::string before = status()["config_hash"];
  const auto answer = reload_with("  threads: 2\n", "  threads: 2\n  limits: {body_bytes: 1KiB}\n");
  CHECK(answer.status == 200);
  const Json now = status();
  CHECK(now["config_hash"] != before);
  CHECK(Json::parse(answer.body)["config_hash"] == now["config_hash"]);
  CHECK(now["reloads"]["applied"] == 1);
  CHECK(client.exchange(post("/free/x", "small")).status == 200);
  CHECK(client.exchange(post("/free/x", std::string(2000, 'x'))).status == 413);
  const std::string metrics = admin("GET", "/metrics").body;
  CHECK_THAT(metrics, Contains("phoenix_gateway_reloads_total{result=\"applied\"} 1\n") &&
                          Contains("phoenix_gateway_reloads_total{result=\"refused\"} 0\n") &&
                          Contains("phoenix_gateway_config_loaded_timestamp_seconds 1"));
  REQUIRE(settle());
  check_accounts();
}

TEST_CASE_METHOD(ReloadWorld, "an invalid configuration is refused whole, with the reason, and changes nothing") {
  const Json before = status();
  const std::string good = config_text;
  replace_config("  threads: 2\n", "  threads: 2\n  limits: {body_bytes: 1KiB}\n  lisen: 127.0.0.1:0\n");
  const auto refused = reload();
  CHECK(refused.status == 422);
  CHECK_THAT(detail(refused), Contains(config_path() + ":") && Contains("lisen") && Contains("did you mean 'listen'"));
  CHECK(RawClient(port()).exchange(post("/free/x", std::string(2000, 'x'))).status == 200);
  config_text = good;
  const auto other_state = reload_with("/state\"", "/elsewhere\"");
  CHECK(other_state.status == 422);
  CHECK_THAT(detail(other_state), Contains("gateway.state_dir") && Contains("restart"));
  config_text = good;
  const auto no_log = reload_with("  threads: 2\n", "  threads: 2\n  access_log: {path: /nowhere/access.log}\n");
  CHECK(no_log.status == 422);
  CHECK_THAT(detail(no_log), Contains("gateway.access_log.path") && Contains("/nowhere/access.log"));
  std::remove(config_path().c_str());
  CHECK(reload().status == 422);
  const Json after = status();
  CHECK(after["config_hash"] == before["config_hash"]);
  CHECK(after["reloads"]["refused"] == 4);
  CHECK(after["reloads"]["applied"] == 0);
  CHECK(after["reloads"]["loaded_at_unix_ms"] == before["reloads"]["loaded_at_unix_ms"]);
}

TEST_CASE_METHOD(ReloadWorld, "routes that would make a canary illegal are refused until the slice is back in shadow") {
  REQUIRE(policy("canary", "50").status == 200);
  const auto refused = reload_with("path: /transfers}, key: {json: [/from, /to]}, shadow: dual",
                                   "path: /transfers}, key: {json: [/from, /to]}, shadow: reads");
  CHECK(refused.status == 409);
  CHECK_THAT(detail(refused), Contains("slice 's'") && Contains("canary"));
  REQUIRE(policy("shadow").status == 200);
  CHECK(reload().status == 200);
  REQUIRE(policy("canary", "50").status == 200);
  CHECK(status()["slices"][0]["stage"] == "shadow");  // the routes do not allow it
  CHECK(reload_with("shadow: reads", "shadow: dual").status == 200);
  CHECK(status()["slices"][0]["stage"] == "canary");
}

TEST_CASE_METHOD(ReloadWorld, "per-route counters follow the routes through removal, addition, order and renaming") {
  RawClient client(port());
  CHECK(client.exchange(get("/reports/a")).status == 200);
  CHECK(client.exchange(get("/free/a")).status == 200);
  REQUIRE(settle());
  // reports goes, news comes first, free is renamed.
  const std::string good = config_text;
  replace_config(kReports, "");
  replace_config("  routes:\n", "  routes:\n    - {name: news, match: {path: \"/news/*\"}, shadow: dual}\n");
  CHECK(reload_with("name: free", "name: open-to-all").status == 200);
  for (const char* target : {"/reports/a", "/news/a", "/news/b", "/free/a", "/accounts/7"})
    CHECK(client.exchange(get(target)).status == 200);
  REQUIRE(settle());
  const auto received = [&](const std::string& name) { return route(name)["received"].get<int>(); };
  CHECK(received("reports") == 1);
  CHECK(received("free") == 1);
  CHECK(received("unmatched") == 1);
  CHECK(received("news") == 2);
  CHECK(received("open-to-all") == 1);
  CHECK(received("account") == 1);
  CHECK_THAT(admin("GET", "/metrics").body, Contains("received_total{route=\"reports\"} 1\n"));
  config_text = good;
  write_config();
  CHECK(reload().status == 200);
  for (const char* target : {"/reports/a", "/free/a", "/news/a"}) CHECK(client.exchange(get(target)).status == 200);
  REQUIRE(settle());
  CHECK(received("reports") == 2);
  CHECK(received("free") == 2);
  CHECK(received("news") == 2);
  CHECK(received("unmatched") == 2);
  check_accounts();
}

TEST_CASE_METHOD(ReloadWorld,
                 "a body that is half sent, an answer that streams and a hung shadow leg end as they began") {
  legacy.script([](const SeenRequest& seen) {
    if (seen.target != "/free/stream") return Reply::ok("{}");
    return Reply{
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", true, false, {"data: 1\n\n", "data: 2\n\n"}};
  });
  stop();
  replace_config("threads: 2", "threads: 1");  // one pool, so that the stream's has an idle connection as well
  start();
  modern.hold();
  RawClient uploading(port()), streaming(port()), shadowed(port());
  REQUIRE(streaming.send(get("/free/stream")));
  REQUIRE(streaming.wait_for("\r\n\r\n"));
  CHECK(shadowed.exchange(post("/accounts/7/deposits")).status == 200);
  CHECK(shadowed.exchange(post("/accounts/7/deposits")).status == 200);  // waits behind the first
  CHECK(shadowed.exchange(post("/accounts/8/deposits")).status == 200);
  REQUIRE(modern.wait_for(2));
  REQUIRE(uploading.send("POST /accounts/9/deposits HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf"));
  REQUIRE(eventually([&] { return route("deposits")["in_flight"] == 4; }));
  REQUIRE(legacy.open_connections() == 2);
  FakeBackend other;             // where legacy is from now on
  for (int i = 0; i < 2; ++i) {  // two in a row; every route in another place, the uploaded one gone
    config_text = config_text.substr(0, config_text.find("  routes:\n")) +
                  "  routes:\n    - {name: free, match: {path: \"/free/*\"}, shadow: dual}\n";
    replace_config(
        fmt::format("legacy: {{endpoints: [\"http://127.0.0.1:{}\"]}}", i == 0 ? legacy.port() : other.port()),
        fmt::format("legacy: {{endpoints: [\"http://127.0.0.1:{}\"]}}", other.port()));
    REQUIRE(reload().status == 200);
  }
  REQUIRE(eventually([&] { return legacy.open_connections() == 1; }));  // the stream's alone
  legacy.release_piece();
  REQUIRE(streaming.wait_for("data: 1"));
  REQUIRE(uploading.send("done"));
  CHECK(uploading.response().status == 200);
  CHECK(uploading.exchange(get("/accounts/7")).status == 200);  // unmatched now
  CHECK(route("unmatched")["received"] == 1);
  legacy.release_piece();
  REQUIRE(streaming.wait_for("data: 2"));
  CHECK(streaming.response().complete);
  CHECK(legacy.count() == 4);
  modern.release();
  REQUIRE(settle());
  CHECK(route("deposits")["handed_over"] == 4);
  check_accounts();
  for (const auto& event : events()) {
    if (event.route == "deposits") CHECK(event.shadow.status == 200);
  }
  REQUIRE(eventually([&] { return legacy.open_connections() == 0; }));
}

TEST_CASE_METHOD(ReloadWorld,
                 "shadow legs that wait go to where modern is after the reload, with the connections it allows") {
  FakeBackend moved;
  const auto to_moved = [&] {
    replace_config(fmt::format("modern: {{endpoints: [\"http://127.0.0.1:{}\"]}}", modern.port()),
                   fmt::format("modern: {{endpoints: [\"http://127.0.0.1:{}\"]}}", moved.port()));
    return reload().status;
  };
  SECTION("because it hangs") {
    REQUIRE(reload_with("  threads: 2\n", "  threads: 2\n  limits: {shadow_connections: 1}\n").status == 200);
    modern.hold();
    RawClient client(port());
    CHECK(client.exchange(post("/accounts/7/deposits")).status == 200);
    REQUIRE(modern.wait_for(1));
    CHECK(client.exchange(post("/accounts/8/deposits")).status == 200);  // waits for the only connection
    replace_config("shadow_connections: 1", "shadow_connections: 2");
    CHECK(to_moved() == 200);
    REQUIRE(moved.wait_for(1));
    CHECK(moved.targets()[0] == "/accounts/8/deposits");
    CHECK(modern.count() == 1);
    modern.release();
  }
  SECTION("because it refuses connections") {
    modern.refuse();
    CHECK(RawClient(port()).exchange(post("/accounts/8/deposits")).status == 200);
    REQUIRE(eventually([&] { return status()["backend_up"]["modern"] == false; }));
    CHECK(to_moved() == 200);
    REQUIRE(moved.wait_for(1));
  }
  REQUIRE(settle());
  for (const auto& event : events()) CHECK(event.shadow.status == 200);
  check_accounts();
}

TEST_CASE_METHOD(ReloadWorld, "modern may be added by a reload, but not taken away") {
  const std::string with_modern = fmt::format("  modern: {{endpoints: [\"http://127.0.0.1:{}\"]}}\n", modern.port());
  stop();
  replace_config(with_modern, "");
  start();
  RawClient client(port());
  CHECK(client.exchange(get("/accounts/7")).status == 200);
  REQUIRE(settle());
  CHECK(modern.count() == 0);
  CHECK(reload_with("  threads: 2\n", "  threads: 2\n" + with_modern).status == 200);
  CHECK(client.exchange(get("/accounts/7")).status == 200);
  REQUIRE(modern.wait_for(1));
  REQUIRE(settle());
  const auto refused = reload_with(with_modern, "");
  CHECK(refused.status == 422);
  CHECK_THAT(detail(refused), Contains("gateway.modern") && Contains("restart"));
}

TEST_CASE_METHOD(ReloadWorld, "twenty reloads under load cost nobody an error and lose nothing") {
  std::atomic<bool> done{false};
  std::atomic<int> sent{0};
  std::vector<std::future<int>> clients;
  for (int c = 0; c < 8; ++c) {
    clients.push_back(std::async(std::launch::async, [this, c, &done, &sent] {
      RawClient client(port());
      int wrong = 0;
      for (int i = 0; !done || i < 20; ++i) {
        const std::string target =
            i % 3 == 0 ? fmt::format("/free/{}", c) : fmt::format("/accounts/{}/deposits", i % 50);
        wrong += client.exchange(i % 3 == 0 ? get(target) : post(target)).status == 200 ? 0 : 1;
        ++sent;
      }
      return wrong;
    }));
  }
  const std::string good = config_text;
  for (int i = 0; i < 20; ++i) {
    const int before = sent;
    config_text = good;
    if (i % 2 == 0) {
      replace_config("name: free", "name: renamed");
      replace_config("  routes:\n", fmt::format("  timeouts: {{response: {}s}}\n  routes:\n", 20 + i));
    }
    write_config();
    CHECK(reload().status == 200);
    REQUIRE(eventually([&] { return sent > before + 50; }));
  }
  done = true;
  for (auto& client : clients) CHECK(client.get() == 0);
  REQUIRE(settle());
  CHECK(status()["reloads"]["applied"] == 20);
  CHECK(legacy.count() == static_cast<std::size_t>(sent));
  CHECK(modern.count() == static_cast<std::size_t>(sent));
  check_accounts();
  std::set<std::string> ids;
  for (const auto& event : events()) {
    ids.insert(event.exchange_id);
    CHECK((event.excluded.empty() && event.dropped.empty() && event.shadow.status == 200));
  }
  CHECK(ids.size() == static_cast<std::size_t>(sent));
}
