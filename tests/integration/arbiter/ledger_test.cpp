// Both ledgers are read for real: overlaps are proven, money that does not add up is found.
#include <fmt/format.h>

#include <pqxx/pqxx>

#include "core/events/control_events.hpp"
#include "fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using namespace phoenix::arbiter_test;

namespace {

struct Ledgers {
  Ledgers() {
    for (const auto* database : {&legacy, &modern}) {
      execute(*database,
              "CREATE TABLE accounts (id text PRIMARY KEY, balance numeric(18,2), currency text, n bigint, h text)");
    }
  }
  static void execute(const ScratchDatabase& database, const std::string& sql) {
    pqxx::connection connection(database.url());
    pqxx::nontransaction(connection).exec(sql);
  }
  void set(const ScratchDatabase& side, const std::string& account, const std::string& balance, int n) {
    execute(side,
            fmt::format("INSERT INTO accounts VALUES ('{0}', {1}, 'EUR', {2}, 'h{2}') ON CONFLICT (id) DO UPDATE SET "
                        "balance = excluded.balance, n = excluded.n, h = excluded.h",
                        account, balance, n));
  }
  void configure(config::Config& config, bool positions = true) {
    const std::string query = positions ? "SELECT balance, currency, n, h FROM accounts WHERE id = $1"
                                        : "SELECT balance, currency FROM accounts WHERE id = $1";
    config.arbiter.legacy_db = {legacy.url(), query};
    config.arbiter.modern_db = {modern.url(), query};
  }
  ScratchDatabase legacy{"legacy"}, modern{"modern"};
};

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

ExchangeEvent just_now(ExchangeEvent event) {
  event.received_at_us = now_us() - 1'000;
  event.completed_at_us = now_us();
  return event;
}

std::string trip_reason(Bench& bench) {
  const auto scores = bench.read_all(topics::kConsistencyScores);
  return scores.empty() ? "" : decode_score_event(scores.back().value)->trip_reason;
}

}  // namespace

TEST_CASE("an overlap is decided by a reading of both ledgers that came back through the log") {
  const bool positions = GENERATE(true, false);
  Ledgers ledgers;
  const ScratchDatabase database("overlap");
  Bench bench(database.url());
  ledgers.configure(bench.config, positions);
  ledgers.set(ledgers.legacy, "acc-1", "20.00", 2);
  ledgers.set(ledgers.modern, "acc-1", "20.00", 2);
  const ArbiterService service(bench.config);
  auto one = just_now(deposit(1, "acc-1", 1, "0.10", 500)), other = just_now(deposit(2, "acc-1", 2, "0.10", -500));
  one.overlap = other.overlap = true;
  bench.publish({one, other});
  REQUIRE(eventually(
      [&] { return database.value("SELECT sum(n) FROM arbiter.counters WHERE verdict = 'order_dependent'") == "2"; }));
  CHECK(database.value("SELECT count(*) FROM arbiter.open_exchanges") == "0");
  CHECK(database.value("SELECT count(*) FROM arbiter.verdicts WHERE verdict <> 'order_dependent'") == "0");
  CHECK(bench.read_all(topics::kDbStateUpdates).size() >= 2);
  CHECK(trip_reason(bench).empty());
}

TEST_CASE("ledgers that differ although the answers agree: a verdict on the account, drift, and a trip") {
  Ledgers ledgers;
  const ScratchDatabase database("drift");
  Bench bench(database.url());
  ledgers.configure(bench.config);
  ledgers.set(ledgers.legacy, "acc-1", "10.00", 1);
  ledgers.set(ledgers.modern, "acc-1", "9.99", 1);
  const ArbiterService service(bench.config);
  bench.publish({just_now(deposit(1, "acc-1", 1))});
  REQUIRE(eventually([&] { return !trip_reason(bench).empty(); }));
  CHECK(trip_reason(bench) ==
        "confirmed balance mismatch: account acc-1: legacy 10.00, modern 9.99 at the same position (n=1), the gap was "
        "0.00");
  CHECK(database.rows("SELECT account, gap_minor, currency, legacy_balance, modern_balance FROM arbiter.drift") ==
        std::vector<std::string>{"acc-1|-1|EUR|10.00|9.99"});
  CHECK(database.rows("SELECT exchange_id, account, verdict FROM arbiter.verdicts") ==
        std::vector<std::string>{"|acc-1|mismatch"});
}

TEST_CASE("a posting that never reaches modern is missing there, decided once no leg can be on its way") {
  Ledgers ledgers;
  const ScratchDatabase database("missing");
  Bench bench(database.url());
  ledgers.configure(bench.config);
  bench.config.arbiter.settle = bench.config.gateway.timeouts.response = std::chrono::milliseconds(300);
  ledgers.set(ledgers.legacy, "acc-1", "10.00", 1);
  ledgers.set(ledgers.modern, "acc-1", "0.00", 0);
  const ArbiterService service(bench.config);
  bench.publish({just_now(deposit(1, "acc-1", 1))});
  REQUIRE(eventually([&] { return database.value("SELECT count(*) FROM arbiter.verdicts") == "1"; }));
  CHECK(database.value("SELECT verdict, detail FROM arbiter.verdicts") ==
        "missing_modern|account acc-1: 1 posting(s) missing on modern; legacy 10.00, modern 0.00");
  CHECK(database.value("SELECT gap_minor FROM arbiter.drift") == "-1000");
}

TEST_CASE("a ledger that is away is read again when it is back") {
  Ledgers ledgers;
  const ScratchDatabase database("away");
  Bench bench(database.url());
  ledgers.configure(bench.config);
  ledgers.set(ledgers.legacy, "acc-1", "20.00", 2);
  ledgers.set(ledgers.modern, "acc-1", "20.00", 2);
  ScratchDatabase::admin("ALTER DATABASE " + ledgers.modern.name() + " ALLOW_CONNECTIONS false");
  const ArbiterService service(bench.config);
  auto one = just_now(deposit(1, "acc-1", 1, "0.10", 500));
  one.overlap = true;
  bench.publish({one});
  REQUIRE(eventually([&] { return get(service.endpoint(), "/status").find("modern ledger") != std::string::npos; }));
  CHECK(database.value("SELECT count(*) FROM arbiter.open_exchanges") == "1");
  CHECK_FALSE(get(service.endpoint(), "/readyz").empty());  // it still works: only this decision waits
  ScratchDatabase::admin("ALTER DATABASE " + ledgers.modern.name() + " ALLOW_CONNECTIONS true");
  CHECK(eventually([&] {
    return database.value("SELECT count(*) FROM arbiter.verdicts WHERE verdict = 'order_dependent'") == "1";
  }));
}
