#include <fmt/format.h>

#include <chrono>
#include <set>

#include "core/sim/ledger_position.hpp"
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

sim::SimulatorKind each_bank() {
  return all_banks().at(GENERATE(0u, 1u, 2u, 3u));
}

}  // namespace

TEST_CASE("exactly every fifth posting is charged too much, and listed") {
  RunningSimulator bank(each_bank(), 4);
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

TEST_CASE("exactly every third posting is booked twice, and listed") {
  const sim::SimulatorKind kind = each_bank();
  RunningSimulator bank(kind, 4);  // 2000.00 on account 1, 3000.00 on account 2
  REQUIRE(bank.send("PUT", "/_sim/faults", R"({"duplicate_every":3})").status == 200);
  CHECK(bank.deposit(1, "10.00", "d1").at("/balance_after") == "2010.00");
  CHECK(bank.withdraw(1, "5000.00", "refused").status == 422);  // no posting
  CHECK(bank.withdraw(1, "10.00", "w2").at("/balance_after") == "2000.00");
  const Reply twice = bank.deposit(1, "10.00", "d3");
  CHECK(twice.at("/amount") == "10.00");
  CHECK(twice.at("/balance_after") == "2020.00");
  CHECK(bank.deposit(1, "10.00", "d3").body == twice.body);  // a repeat is still told what was answered first
  const Reply statement = bank.send("GET", "/accounts/1/statement");
  CHECK(statement.at("/postings/0/balance_after") == "2020.00");
  CHECK(statement.at("/postings/1/balance_after") == "2010.00");
  CHECK(statement.at("/postings/0/posting_id") != statement.at("/postings/1/posting_id"));
  const auto position = sim::LedgerPosition{}.after("d1").after("w2").after("d3").after("d3");
  CHECK(bank.database().query("SELECT txn_count || ' ' || txn_hash FROM accounts WHERE id = 1") ==
        fmt::format("{} {}", position.txn_count, position.txn_hash));
  const std::string table = kind.knows_bug_compatible ? "ledger_transactions" : "postings";
  CHECK(bank.database().query("SELECT count(*) FROM " + table + " WHERE exchange_id = 'd3'") == "2");
  CHECK(bank.database().query("SELECT count(*) FROM " + table + " WHERE exchange_id = 'd1'") == "1");

  REQUIRE(bank.deposit(2, "1.00", "d4").status == 201);
  REQUIRE(bank.deposit(2, "1.00", "d5").status == 201);
  const std::int64_t fee = bank.transfer(1, 2, "100.00", "t6").json().hundredths("/fee").value();
  CHECK(bank.balance(1) == hundredths_to_text(1'820'00 - 2 * fee));
  CHECK(bank.balance(2) == "3202.00");
  CHECK(bank.send("GET", "/_sim/duplicates").body == R"({"exchange_ids":["d3","t6"]})");

  for (int i = 0; i < 2; ++i) REQUIRE(bank.deposit(2, "1.00").status == 201);
  CHECK(bank.withdraw(2, "3000.00", "w9").at("/balance_after") == "204.00");  // not there a second time: spared
  CHECK(bank.send("GET", "/_sim/duplicates").body == R"({"exchange_ids":["d3","t6"]})");
}

TEST_CASE("interest that is booked twice is the same amount twice") {
  RunningSimulator bank(each_bank(), 9);
  REQUIRE(bank.send("PUT", "/_sim/faults", R"({"duplicate_every":1})").status == 200);
  const Reply reply = bank.interest(9, 31, "i1");
  CHECK(reply.at("/amount") == "42.47");
  CHECK(reply.at("/balance_after") == "10084.94");
}

TEST_CASE("exactly every second posting is answered, and not booked") {
  RunningSimulator bank(each_bank(), 2);
  REQUIRE(bank.send("PUT", "/_sim/faults", R"({"drop_every":2})").status == 200);
  CHECK(bank.deposit(1, "10.00", "d1").at("/balance_after") == "2010.00");
  const Reply dropped = bank.deposit(1, "5.00", "d2");
  CHECK(dropped.status == 201);
  CHECK(dropped.at("/balance_after") == "2015.00");
  CHECK(bank.deposit(1, "5.00", "d2").body == dropped.body);
  CHECK(bank.balance(1) == "2010.00");
  CHECK(bank.send("GET", "/_sim/drops").body == R"({"exchange_ids":["d2"]})");
}

TEST_CASE("a write that is silenced was carried out") {
  RunningSimulator bank(each_kind(), 2);
  REQUIRE(bank.send("PUT", "/_sim/faults", R"({"silence_every":1})").status == 200);
  http::Client impatient(bank.endpoint(), std::chrono::milliseconds{500});
  CHECK_FALSE(impatient.request("POST", "/accounts/1/deposits", R"({"amount":1.00})").has_value());
  REQUIRE(bank.send("PUT", "/_sim/faults", R"({"silence_every":0})").status == 200);
  CHECK(bank.balance(1) == "2001.00");
}

TEST_CASE("truncated, fees and interest are a cent less wherever they differ") {
  const sim::SimulatorKind kind = each_bank();
  constexpr int kAccounts = 60;
  RunningSimulator rounded(kind, kAccounts), truncated(kind, kAccounts);
  REQUIRE(truncated.send("PUT", "/_sim/faults", R"({"truncate":true})").status == 200);
  int same = 0, less = 0;
  auto compare = [&](const Reply& a, const Reply& b, const char* field) {
    const auto gap = a.json().hundredths(field).value() - b.json().hundredths(field).value();
    same += gap == 0;
    less += gap == 1;
  };
  for (int account = 1; account <= kAccounts; ++account) {  // interest first, while the balances agree
    compare(rounded.interest(account, account), truncated.interest(account, account), "/amount");
    const std::string amount = hundredths_to_text(10'00 + 7 * account);
    compare(rounded.transfer(account, account % kAccounts + 1, amount),
            truncated.transfer(account, account % kAccounts + 1, amount), "/fee");
    REQUIRE(truncated.deposit(account % kAccounts + 1, "0.01").status == 201);
  }
  CHECK(same + less == 2 * kAccounts);
  CHECK(same > 20);
  CHECK(less > 20);
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
