// What both banks must do alike, checked on each.
#include <fmt/format.h>

#include <chrono>

#include "core/sim/ledger_position.hpp"
#include "fixture.hpp"
#include "legacy_sims/account_service.hpp"
#include "modern_sims/account_service.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::sim_test;

namespace {

sim::SimulatorKind each_kind() {
  return GENERATE(0, 1) == 0 ? legacy_bank::simulator_kind() : modern_bank::simulator_kind();
}

sim::SimulatorKind each_bank() {
  return all_banks().at(GENERATE(0u, 1u, 2u, 3u));
}

}  // namespace

TEST_CASE("seeding follows the rules and repeats without effect") {
  const sim::SimulatorKind kind = each_bank();
  RunningSimulator bank(kind, 10);
  CHECK(bank.send("GET", "/accounts/5").at("/tier") == "vip");
  CHECK(bank.send("GET", "/accounts/4").at("/tier") == "standard");
  CHECK(bank.balance(3) == "4000.00");
  CHECK(bank.balance(10) == "1000.00");
  REQUIRE(bank.deposit(3, "1.00").status == 201);
  sim::FaultProfile faults(true, false);
  kind.flavours.front().make_bank({{"127.0.0.1", 0}, bank.database().url(), 12, 2, false, ""},
                                  faults);  // a second start, with more accounts
  CHECK(bank.balance(3) == "4001.00");
  CHECK(bank.send("GET", "/accounts/12").status == 200);
}

TEST_CASE("postings move exactly what they say") {
  RunningSimulator bank(each_kind(), 4);  // 2000.00 on account 1, 3000.00 on account 2
  const Reply deposit = bank.deposit(1, "10.05");
  CHECK(deposit.status == 201);
  CHECK(deposit.at("/kind") == "deposit");
  CHECK(deposit.at("/fee") == "0.00");
  CHECK(deposit.at("/balance_after") == "2010.05");
  CHECK(bank.withdraw(1, "0.05").at("/balance_after") == "2010.00");
  const Reply transfer = bank.transfer(1, 2, "10.20");
  CHECK(transfer.at("/fee") == "0.26");  // 25.5 cents
  CHECK(transfer.at("/balance_after") == "1999.54");
  CHECK(bank.balance(2) == "3010.20");
}

TEST_CASE("fees of 1.5 % belong to the float-rounding pair") {
  const BankPair pair = float_rounding_pair();
  const bool modern = GENERATE(false, true);
  RunningSimulator bank(modern ? pair.modern : pair.legacy, 5);
  const Reply tie = bank.transfer(5, 2, "19.00");  // 28.5 cents, a VIP's too
  CHECK(tie.at("/fee") == (modern ? "0.29" : "0.28"));
  CHECK(tie.at("/balance_after") == (modern ? "5980.71" : "5980.72"));
  CHECK(bank.transfer(1, 2, "10.00").at("/fee") == "0.15");
  CHECK(bank.withdraw(1, "10.10").at("/balance_after") == "1979.75");
  CHECK(bank.deposit(1, "0.10").at("/balance_after") == "1979.85");
}

TEST_CASE("interest is credited on the balance as it stands") {
  RunningSimulator bank(each_bank(), 9);  // 10000.00 on account 9
  const Reply interest = bank.interest(9, 31, "interest-1");
  CHECK(interest.status == 201);
  CHECK(interest.at("/account_id") == "9");
  CHECK(interest.at("/kind") == "interest");
  CHECK(interest.at("/amount") == "42.47");
  CHECK(interest.at("/fee") == "0.00");
  CHECK(interest.at("/balance_after") == "10042.47");
  CHECK(bank.interest(9, 31, "interest-1").body == interest.body);
  CHECK(bank.interest(9, 365).at("/amount") == "502.12");
  CHECK(bank.balance(9) == "10544.59");
  const Reply statement = bank.send("GET", "/accounts/9/statement");
  CHECK(statement.at("/postings/0/kind") == "interest");
  CHECK(statement.at("/postings/0/amount") == "502.12");
  CHECK(statement.at("/postings/1/balance_after") == "10042.47");

  CHECK(bank.interest(99, 31).status == 404);
  CHECK(bank.interest(9, 367).status == 400);
  const std::string empty = bank.send("POST", "/accounts", "{}").at("/account_id");
  CHECK(bank.send("POST", "/accounts/" + empty + "/interest", R"({"days":366})").at("/amount") == "0.00");
}

TEST_CASE("no balance passes ten million million") {
  RunningSimulator bank(each_bank(), 2);  // 2000.00 on account 1, 3000.00 on account 2
  for (int i = 0; i < 9; ++i) REQUIRE(bank.deposit(1, "1000000000000.00").status == 201);
  REQUIRE(bank.deposit(1, "999999997999.99").at("/balance_after") == "9999999999999.99");
  CHECK(bank.deposit(1, "0.02").status == 422);
  CHECK(bank.transfer(2, 1, "0.02").status == 422);
  CHECK(bank.interest(1, 1).status == 422);
  CHECK(bank.balance(2) == "3000.00");
  CHECK(bank.deposit(1, "0.01").at("/balance_after") == "10000000000000.00");
  CHECK(bank.withdraw(1, "0.01").at("/balance_after") == "9999999999999.99");
}

TEST_CASE("the statement shows the last ten, newest first") {
  RunningSimulator bank(each_kind(), 4);
  for (int i = 1; i <= 11; ++i) REQUIRE(bank.deposit(1, fmt::format("{}.00", i)).status == 201);
  REQUIRE(bank.transfer(1, 2, "4.00").status == 201);
  const Reply statement = bank.send("GET", "/accounts/1/statement");
  CHECK(statement.at("/balance") == "2061.90");
  CHECK(statement.at("/postings/0/kind") == "transfer_out");
  CHECK(statement.at("/postings/0/amount") == "4.00");
  CHECK(statement.at("/postings/0/fee") == "0.10");
  CHECK(statement.at("/postings/0/balance_after") == "2061.90");
  CHECK(statement.at("/postings/1/amount") == "11.00");
  CHECK(statement.at("/postings/9/amount") == "3.00");
  CHECK(statement.at("/postings/10/amount") == "absent");
  const Reply other = bank.send("GET", "/accounts/2/statement");
  CHECK(other.at("/postings/0/kind") == "transfer_in");
  CHECK(other.at("/postings/0/fee") == "0.00");
  CHECK(bank.send("GET", "/accounts/3/statement").at("/postings/0/kind") == "absent");
}

TEST_CASE("overdrafts are refused, the fee counted, and change nothing") {
  RunningSimulator bank(each_kind(), 10);  // 1000.00 on account 10
  CHECK(bank.withdraw(10, "1000.01").status == 422);
  CHECK(bank.transfer(10, 1, "990.00").status == 422);  // 24.75 fee
  CHECK(bank.balance(10) == "1000.00");
  CHECK(bank.database().query("SELECT txn_count FROM accounts WHERE id = 10") == "0");
  CHECK(bank.withdraw(10, "1000.00").at("/balance_after") == "0.00");
}

TEST_CASE("unknown accounts and impossible transfers are refused") {
  RunningSimulator bank(each_kind(), 2);
  CHECK(bank.send("GET", "/accounts/99").status == 404);
  CHECK(bank.send("GET", "/accounts/99/statement").status == 404);
  CHECK(bank.deposit(99, "1.00").status == 404);
  CHECK(bank.transfer(1, 99, "1.00").status == 404);
  CHECK(bank.transfer(99, 1, "1.00").status == 404);
  CHECK(bank.transfer(1, 1, "1.00").status == 422);
  const Reply dollars = bank.send("POST", "/accounts", R"({"tier":"standard","currency":"USD"})");
  CHECK(bank.transfer(1, dollars.json().whole("/account_id").value(), "1.00").status == 422);
  CHECK(bank.balance(1) == "2000.00");
}

TEST_CASE("a repeat of an exchange gets the first answer and moves nothing") {
  RunningSimulator bank(each_kind(), 10);
  const Reply first = bank.transfer(1, 2, "10.00", "exchange-1");
  const Reply again = bank.transfer(1, 2, "10.00", "exchange-1");
  CHECK(first.status == 201);
  CHECK(again.status == 201);
  CHECK(again.body == first.body);
  CHECK(bank.database().query("SELECT txn_count FROM accounts WHERE id = 1") == "1");

  const Reply refused = bank.withdraw(10, "5000.00", "exchange-2");
  REQUIRE(bank.deposit(10, "9000.00").status == 201);
  const Reply still_refused = bank.withdraw(10, "5000.00", "exchange-2");
  CHECK(still_refused.status == 422);
  CHECK(still_refused.body == refused.body);

  const Reply opened = bank.send("POST", "/accounts", "{}", "exchange-3");
  CHECK(bank.send("POST", "/accounts", "{}", "exchange-3").body == opened.body);
}

TEST_CASE("accounts get an id above the seeded ones, or the assigned one") {
  RunningSimulator bank(each_kind(), 3);
  const Reply own = bank.send("POST", "/accounts", R"({"tier":"vip","currency":"EUR"})", "open-1");
  CHECK(own.status == 201);
  const std::int64_t id = own.json().whole("/account_id").value();
  CHECK(id > 3);
  CHECK(own.at("/balance") == "0.00");
  CHECK(own.at("/tier") == "vip");
  CHECK(bank.database().query(fmt::format("SELECT txn_count || ' ' || txn_hash FROM accounts WHERE id = {}", id)) ==
        fmt::format("1 {}", sim::position_hash("open-1")));

  const std::string next = std::to_string(id + 1);
  CHECK(bank.send("POST", "/accounts", "{}", "open-2", next).at("/account_id") == next);
  CHECK(bank.send("POST", "/accounts", "{}", "open-3", next).status == 409);
  CHECK(bank.send("POST", "/accounts", "{}", "open-4").at("/account_id") == std::to_string(id + 2));  // passes it over
}

TEST_CASE("every posting is announced in the change stream, in its own transaction") {
  RunningSimulator bank(each_kind(), 2);
  const std::string slot = bank.database().name();  // goes with its database
  bank.database().query(fmt::format("SELECT pg_create_logical_replication_slot('{}', 'test_decoding')", slot));
  REQUIRE(bank.deposit(1, "1.00", "announced-1").status == 201);
  CHECK(bank.withdraw(1, "1000000.00", "refused-1").status == 422);
  REQUIRE(bank.deposit(1, "1.00", "announced-2").status == 201);
  // The server may write its log a moment after the commit: read on until the last posting has come.
  std::string changes;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (changes.find("announced-2") == std::string::npos && std::chrono::steady_clock::now() < deadline)
    changes += bank.database().query(
        fmt::format("SELECT string_agg(data, E'\n') FROM pg_logical_slot_get_changes('{}', NULL, NULL)", slot));
  CHECK(changes.find("transactional: 1 prefix: phoenix") != std::string::npos);
  CHECK(changes.find(R"({"exchange_id":"announced-1"})") != std::string::npos);
  CHECK(changes.find(R"({"exchange_id":"announced-2"})") != std::string::npos);
  CHECK(changes.find(R"({"exchange_id":"refused-1"})") == std::string::npos);
}
