// What Postgres commits is what the log gets: rows, order, exchange ids; and lines that say what is missing.
#include <fmt/format.h>

#include "fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::capture;
using namespace phoenix::capture_test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

/// Op, table, key, exchange id: a change in one line.
std::string outline(const json& change) {
  return fmt::format("{} {} {} {}", change["op"].get<std::string>(), change["source"]["table"].get<std::string>(),
                     change["key"].get<std::string>(), change.value("exchange_id", "-"));
}

std::vector<std::string> outlines(const std::vector<json>& changes) {
  std::vector<std::string> lines;
  for (const auto& change : changes) lines.push_back(outline(change));
  return lines;
}

/// The reason that stays, after the service has looked at the server.
std::string refusal(const Desk& desk) {
  const CaptureService service(desk.config());
  std::string reason;
  eventually([&] {
    reason = unready(service);
    return reason != "legacy: starting";
  });
  return reason;
}

}  // namespace

TEST_CASE("rows of committed transactions, in commit order, with the exchange that made them") {
  Ledger ledger;
  Desk desk({&ledger});
  const CaptureService service(desk.config());
  REQUIRE(eventually([&] { return unready(service).empty(); }));
  ledger.post(1, "12.50", "first");
  ledger.run(
      "BEGIN; SELECT pg_logical_emit_message(true, 'phoenix', '{\"exchange_id\":\"undone\"}');"
      " UPDATE accounts SET balance = 0 WHERE id = 2; ROLLBACK");
  ledger.run("UPDATE accounts SET balance = balance + 0.01 WHERE id = 3");  // an interest run
  ledger.run(
      "BEGIN; SELECT pg_logical_emit_message(true, 'phoenix', '{\"exchange_id\":\"outer\"}');"
      " SAVEPOINT s; SELECT pg_logical_emit_message(true, 'phoenix', '{\"exchange_id\":\"inner\"}');"
      " UPDATE accounts SET balance = 1 WHERE id = 4; ROLLBACK TO s;"
      " DELETE FROM accounts WHERE id = 5; COMMIT");
  ledger.run("TRUNCATE postings");
  REQUIRE(eventually([&] { return desk.changes().size() >= 5; }));
  auto changes = desk.changes();
  // Postgres runs the parts of one statement in an order of its own.
  if (changes[0]["source"]["table"] == "postings") std::swap(changes[0], changes[1]);
  CHECK(outlines(changes) == std::vector<std::string>{"u accounts 1 first", "c postings 1 first", "u accounts 3 -",
                                                      "d accounts 5 outer", "t postings  -"});
  CHECK(changes[0]["before"] == json{{"id", 1}, {"balance", "100.00"}});
  CHECK(changes[0]["after"] == json{{"id", 1}, {"balance", "112.50"}});
  CHECK(changes[0]["source"]["db"] == ledger.name());
  CHECK(identity(changes[0]).first == identity(changes[1]).first);
  CHECK(identity(changes[0]).second + identity(changes[1]).second == 3);
  CHECK(changes[1]["before"].is_null());
  CHECK(identity(changes[2]).first > identity(changes[1]).first);
  REQUIRE(desk.gaps().size() == 1);  // the slot begins here
  CHECK_THAT(desk.gaps()[0]["reason"].get<std::string>(), Contains("was created"));

  CHECK(eventually([&] { return metric(service, "slot_lag_bytes{side=\"legacy\"}") == "0"; }));
  CHECK(metric(service, "slot_lag_seconds{side=\"legacy\"}") == "0");
  CHECK(metric(service, "transactions_total{side=\"legacy\"}") == "4");
  CHECK(metric(service, "foreign_transactions_total{side=\"legacy\"}") == "2");
  CHECK(metric(service, "records_total{side=\"legacy\",table=\"public.accounts\",op=\"u\"}") == "2");
}

TEST_CASE("both sides at once, told apart by source.name") {
  Ledger legacy, modern;
  Desk desk({&legacy}, {&modern});
  const CaptureService service(desk.config());
  REQUIRE(eventually([&] { return unready(service).empty(); }));
  legacy.post(1, "1.00", "x");
  modern.post(1, "1.00", "x");
  REQUIRE(eventually([&] { return desk.changes().size() == 4; }));
  std::map<std::string, int> sides;
  for (const auto& change : desk.changes()) {
    CHECK(change["exchange_id"] == "x");
    ++sides[change["source"]["name"].get<std::string>()];
  }
  CHECK(sides == std::map<std::string, int>{{"legacy", 2}, {"modern", 2}});
}

TEST_CASE("on a quiet database the slot follows the log that others write") {
  Ledger ledger, busy;
  Desk desk({&ledger});
  const CaptureService service(desk.config());
  REQUIRE(eventually([&] { return unready(service).empty(); }));
  const std::string before = ledger.confirmed_lsn();
  busy.run("CREATE TABLE noise AS SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i");
  const std::string target = busy.value("SELECT pg_current_wal_insert_lsn()");
  CHECK(ledger.value(fmt::format("SELECT pg_wal_lsn_diff('{}', '{}') > 10000000", target, before)) == "t");
  CHECK(eventually(
      [&] { return ledger.value(fmt::format("SELECT '{}'::pg_lsn >= '{}'", ledger.confirmed_lsn(), target)) == "t"; }));
  CHECK(desk.changes().empty());
}

TEST_CASE("what is missing on the server is said in one line that tells what to do") {
  Ledger ledger;
  CHECK_THAT(refusal(Desk({&ledger, false})), Contains("publication 'phoenix' does not exist; run CREATE PUBLICATION"));
  ledger.run("CREATE PUBLICATION phoenix FOR TABLE accounts");
  CHECK_THAT(refusal(Desk({&ledger, false})), Contains("does not publish public.postings; run ALTER PUBLICATION"));
  ledger.run("ALTER PUBLICATION phoenix ADD TABLE postings");
  CHECK_THAT(refusal(Desk({&ledger, false})), Contains("slot '" + ledger.name() + "' does not exist; run SELECT"));
  CHECK_THAT(refusal(Desk({&ledger, true, ", tables: {accounts: {key: iban}}"})),
             Contains("table public.accounts has no column 'iban'"));
  CHECK_THAT(refusal(Desk({&ledger, true, ", tables: {cards: {key: id}}"})),
             Contains("table public.cards does not exist"));
  ledger.run("CREATE VIEW totals AS SELECT sum(balance) AS id FROM accounts");
  CHECK_THAT(refusal(Desk({&ledger, true, ", tables: {totals: {key: id}}"})),
             Contains("public.totals is no table; name the tables behind it"));
  CHECK(ledger.confirmed_lsn().empty());  // nothing was created on the way
  ledger.run("SELECT pg_create_logical_replication_slot('" + ledger.name() + "', 'test_decoding')");
  CHECK_THAT(refusal(Desk({&ledger, true})), Contains("uses plugin 'test_decoding', not pgoutput"));
  ledger.drop_slot();
  ledger.run("SELECT pg_create_physical_replication_slot('" + ledger.name() + "')");
  CHECK_THAT(refusal(Desk({&ledger, true})), Contains("(physical)"));
}

TEST_CASE("a role without the privilege is told which one") {
  Ledger ledger;
  const std::string role = ledger.name() + "_r";
  ledger.run("CREATE ROLE " + role + " LOGIN PASSWORD 'p'");
  const std::string url = ledger.url();
  const std::string at = url.substr(url.find('@'));
  Desk desk({&ledger, true});
  auto config = desk.config();
  config.capture.legacy.url = "postgresql://" + role + ":p" + at;
  {
    const CaptureService service(config);
    CHECK(eventually(
        [&] { return unready(service).find("ALTER ROLE \"" + role + "\" REPLICATION") != std::string::npos; }));
  }
  ledger.run("DROP ROLE " + role);
}

TEST_CASE("a slot has one reader; the second waits and takes over") {
  Ledger ledger;
  Desk desk({&ledger}), other({&ledger});
  auto first = std::make_unique<CaptureService>(desk.config());
  REQUIRE(eventually([&] { return unready(*first).empty(); }));
  const CaptureService second(other.config());
  CHECK(eventually([&] { return unready(second).find("is active for PID") != std::string::npos; }));
  CHECK_THAT(unready(second), Contains("a slot has one reader"));
  first.reset();
  CHECK(eventually([&] { return unready(second).empty(); }));
  ledger.post(1, "1.00", "taken-over");
  CHECK(eventually([&] { return other.changes().size() == 2; }));
  CHECK(desk.changes().empty());
}
