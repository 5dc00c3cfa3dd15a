// The shadow side, or the event log, is away for a while.
#include <fmt/format.h>
#include <sqlite3.h>

#include <atomic>
#include <memory>

#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;

TEST_CASE_METHOD(World,
                 "a shadow that refuses connections gets everything in order when it is back, and nothing twice") {
  RawClient client(port());
  CHECK(client.exchange(post("/accounts/0/deposits", "before")).status == 200);
  REQUIRE(settle());
  modern.refuse();
  for (int i = 0; i < 40; ++i)
    CHECK(client.exchange(post(fmt::format("/accounts/{}/deposits", i % 4), std::to_string(i))).status == 200);
  CHECK(route("deposits")["in_flight"] == 40);
  CHECK(status()["backlog"]["modern"] == 40);
  check_accounts();
  modern.back();
  REQUIRE(settle());
  std::map<std::string, std::vector<int>> by_key;
  std::set<std::string> ids;
  for (const auto& request : modern.seen()) {
    CHECK(ids.insert(request.header("X-Phoenix-Exchange")).second);
    if (request.body != "before") by_key[request.target].push_back(std::stoi(request.body));
  }
  CHECK(ids.size() == 41);
  REQUIRE(by_key.size() == 4);
  for (const auto& [key, numbers] : by_key) CHECK(std::is_sorted(numbers.begin(), numbers.end()));
  CHECK(status()["keys"]["s"]["modern"]["incomplete"] == 0);
  check_accounts();
}

namespace {

Reply broken_off(const SeenRequest&) {
  return {"", false, true, {}};
}

}  // namespace

TEST_CASE_METHOD(World, "a shadow that resets every connection is tried now and then; the legs wait and none is lost") {
  constexpr std::size_t kUntilRest = 5;  // ejection.failures
  constexpr std::size_t kMostTried = 20;
  constexpr std::size_t kWrites = 60;
  modern.script(broken_off);
  RawClient client(port());
  for (std::size_t i = 0; i < kWrites; ++i) {
    CHECK(client.exchange(post(fmt::format("/accounts/{}/deposits", i), "x")).status == 200);
    if (i < kUntilRest) REQUIRE(settle());
  }
  CHECK(modern.count() >= kUntilRest);
  CHECK(modern.connections() < static_cast<int>(kMostTried));  // one for each backoff from then on
  CHECK(status()["backlog"]["modern"] > kWrites - kMostTried);
  check_accounts();

  modern.script([](const SeenRequest&) { return Reply::ok("{}"); });
  REQUIRE(settle());
  // Every write went once; those that were reset may have been applied, and stay with the side that is certain.
  std::set<std::string> ids;
  for (const auto& request : modern.seen()) CHECK(ids.insert(request.header("X-Phoenix-Exchange")).second);
  CHECK(ids.size() == kWrites);
  std::size_t resets = 0;
  for (const auto& event : events()) {
    CHECK((event.shadow.outcome == LegOutcome::ok || event.shadow.outcome == LegOutcome::reset));
    resets += event.shadow.outcome == LegOutcome::reset ? 1 : 0;
  }
  CHECK(resets >= kUntilRest);
  CHECK(resets < kMostTried);
  CHECK(status()["keys"]["s"]["modern"]["incomplete"] == resets);
  check_accounts();

  // It is in order again: nothing waits any longer.
  CHECK(client.exchange(post("/accounts/900/deposits", "x")).status == 200);
  REQUIRE(settle());
  CHECK(modern.count() == kWrites + 1);
}

TEST_CASE_METHOD(World, "a shadow that resets one leg in two is not kept waiting") {
  // The backend outlives this block.
  modern.script([number = std::make_shared<std::atomic<int>>(0)](const SeenRequest& request) {
    const bool broken = ++*number % 2 == 0;
    return broken ? broken_off(request) : Reply{Reply::ok("{}", "Connection: close\r\n").bytes, true, false, {}};
  });
  RawClient client(port());
  for (std::size_t i = 1; i <= 20; ++i) {
    CHECK(client.exchange(post(fmt::format("/accounts/{}/deposits", i), "x")).status == 200);
    REQUIRE(modern.wait_for(i));
  }
  REQUIRE(settle());
  CHECK(status()["keys"]["s"]["modern"]["incomplete"] == 10);
  check_accounts();
}

TEST_CASE_METHOD(World,
                 "while the event log is locked clients are served as ever; the events arrive later, all of them") {
  RawClient client(port());
  CHECK(client.exchange(get("/free/x")).status == 200);
  REQUIRE(settle());
  REQUIRE(events().size() == 1);

  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open((dir.path() + "/events.db").c_str(), &other) == SQLITE_OK);
  sqlite3_busy_timeout(other, 10'000);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  auto slowest = std::chrono::steady_clock::duration::zero();
  std::size_t sent = 1;
  while (std::chrono::steady_clock::now() < until) {
    const auto started = std::chrono::steady_clock::now();
    REQUIRE(client.exchange(get("/free/x")).status == 200);
    slowest = std::max(slowest, std::chrono::steady_clock::now() - started);
    ++sent;
  }
  // The latest shadow legs may still be under way.
  CHECK(poll_until([&] { return status()["event_log"]["queued"] >= sent - 1; }, std::chrono::seconds(5)));
  CHECK(slowest < std::chrono::milliseconds(500));
  REQUIRE(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(other);
  REQUIRE(settle());
  CHECK(events().size() == sent);
  check_accounts();
}
