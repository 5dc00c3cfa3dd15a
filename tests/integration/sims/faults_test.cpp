#include <fmt/format.h>

#include <chrono>
#include <set>

#include "core/sim/pg_pool.hpp"
#include "fixture.hpp"
#include "legacy_sims/account_service.hpp"
#include "modern_sims/account_service.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::sim_test;
using Clock = std::chrono::steady_clock;

namespace {

sim::SimulatorKind each_kind() {
  return GENERATE(0, 1) == 0 ? legacy_bank::simulator_kind() : modern_bank::simulator_kind();
}

}  // namespace

TEST_CASE("exactly every fifth posting is charged too much, and listed") {
  RunningSimulator bank(each_kind(), 4);
  REQUIRE(bank.send("PUT", "/_sim/faults", R"({"wrong_fee_every":5,"wrong_fee_amount":0.03})").status == 200);
  std::set<std::string> wrong;
  for (int i = 0; i < 20; ++i) {
    const std::string id = fmt::format("x{}", i);
    const Reply reply = i % 2 == 0 ? bank.deposit(1, "1.00", id) : bank.withdraw(1, "1.00", id);
    if (reply.at("/fee") == "0.03") wrong.insert(id);
    CHECK(bank.withdraw(1, "100000.00").status == 422);  // a refusal is no posting
  }
  CHECK(wrong == std::set<std::string>{"x4", "x9", "x14", "x19"});
  const Reply listed = bank.send("GET", "/_sim/wrong-fees");
  CHECK(listed.body == R"({"exchange_ids":["x4","x9","x14","x19"]})");
  CHECK(bank.balance(1) == "1999.88");
}

TEST_CASE("hang and reset apply nothing") {
  RunningSimulator bank(each_kind(), 2);
  for (const char* fault : {"hang", "reset"}) {
    REQUIRE(bank.send("PUT", "/_sim/faults", fmt::format(R"({{"{}":true}})", fault)).status == 200);
    http::Client impatient(bank.endpoint(), std::chrono::milliseconds{300});
    CHECK_FALSE(impatient.request("POST", "/accounts/1/deposits", R"({"amount":1.00})").has_value());
    REQUIRE(bank.send("PUT", "/_sim/faults", fmt::format(R"({{"{}":false}})", fault)).status == 200);
  }
  CHECK(bank.balance(1) == "2000.00");
}

TEST_CASE("latency delays and errors refuse") {
  RunningSimulator bank(each_kind(), 2);
  REQUIRE(bank.send("PUT", "/_sim/faults", R"({"latency":"150ms"})").status == 200);
  const auto start = Clock::now();
  CHECK(bank.deposit(1, "1.00").status == 201);
  CHECK(Clock::now() - start >= std::chrono::milliseconds{150});
  REQUIRE(bank.send("PUT", "/_sim/faults", R"({"latency":"0ms","error_rate":1})").status == 200);
  CHECK(bank.deposit(1, "1.00").status == 503);
  REQUIRE(bank.send("PUT", "/_sim/faults", R"({"error_rate":0})").status == 200);
  CHECK(bank.balance(1) == "2001.00");
}

TEST_CASE("bug-compatibility can be switched while modern runs; legacy knows no such thing") {
  RunningSimulator modern(modern_bank::simulator_kind(), 5);
  CHECK(modern.transfer(5, 1, "10.00").at("/fee") == "0.20");
  REQUIRE(modern.send("PUT", "/_sim/faults", R"({"bug_compatible":true})").status == 200);
  CHECK(modern.transfer(5, 1, "10.00").at("/fee") == "0.25");
  RunningSimulator legacy(legacy_bank::simulator_kind(), 5);
  CHECK(legacy.send("PUT", "/_sim/faults", R"({"bug_compatible":true})").status == 400);
}

TEST_CASE("connections that the server ends are replaced without anybody noticing") {
  RunningSimulator bank(each_kind(), 2);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(bank.deposit(1, "1.00").status == 201);
    sim_test::ScratchDatabase::admin_query(
        fmt::format("SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = '{}'",
                    bank.database().name()));
  }
  CHECK(bank.balance(1) == "2003.00");
}

TEST_CASE("a database that is away is 503 within two seconds, and back once it is there") {
  RunningSimulator bank(each_kind(), 2);
  REQUIRE(bank.deposit(1, "1.00").status == 201);
  const std::string name = bank.database().name();
  ScratchDatabase::admin_query(fmt::format("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", name));
  ScratchDatabase::admin_query(
      fmt::format("SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = '{}'", name));
  const auto start = Clock::now();
  CHECK(bank.deposit(1, "1.00", "during").status == 503);
  CHECK(Clock::now() - start < std::chrono::seconds{2});
  CHECK(bank.send("GET", "/readyz").status == 503);
  CHECK(bank.send("GET", "/healthz").status == 200);
  ScratchDatabase::admin_query(fmt::format("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", name));
  CHECK(bank.deposit(1, "1.00", "during").status == 201);
  CHECK(bank.balance(1) == "2002.00");
}
