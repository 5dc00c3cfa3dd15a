// A sweep on two real ledgers: it finds what differs and nothing else while both are written, goes on after a crash,
// and its findings become verdicts through the log.
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/http/client.hpp"
#include "sweep_fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using namespace phoenix::arbiter_test;

TEST_CASE("a sweep finds exactly what differs among 200,000 accounts that move") {
  constexpr int kRows = 200'000;
  Ledgers ledgers(kRows);
  create_schema(ledgers.database);
  // An amount, a missing account on either side, a currency, two balances exchanged (same sum), one at each end.
  execute(
      ledgers.modern,
      "UPDATE modern.ledger_accounts SET minor = minor + 1 WHERE id IN ('acc-10', 'acc-199999', 'acc-99999');"
      "DELETE FROM modern.ledger_accounts WHERE id = 'acc-77777'; UPDATE modern.ledger_accounts SET currency = 'USD' "
      "WHERE id = "
      "'acc-88888'; UPDATE modern.ledger_accounts SET minor = CASE id WHEN 'acc-500' THEN 501 ELSE 500 END WHERE id IN "
      "('acc-500', 'acc-501'); INSERT INTO modern.ledger_accounts VALUES ('zzz-new', 0, 5, 'EUR')");
  const std::set<std::string> wrong{"acc-10",    "acc-199999", "acc-99999", "acc-77777",
                                    "acc-88888", "acc-500",    "acc-501",   "zzz-new"};
  Writers writers(ledgers, kRows, {10, 199'999, 99'999, 77'777, 88'888, 500, 501});
  // One of the accounts that are written all the time is wrong as well: never at rest, so nothing is said about it.
  execute(ledgers.modern, "UPDATE modern.ledger_accounts SET minor = minor + 100 WHERE id = 'acc-1'");
  ledgers.config.sweep.tries = 3;

  SweepStore store(ledgers.database.url());
  std::set<std::string> published;
  SweepRun run(ledgers.config, store, ask_for(store),
               {writers,
                [&](const std::vector<LedgerComparison>& found) {
                  for (const auto& comparison : found) published.insert(comparison.account);
                  return true;
                },
                rest});
  while (run.step()) {
  }
  REQUIRE(run.finished());
  CHECK(published == wrong);
  CHECK(writers.written > 100);
  const auto& progress = run.sweep().progress;
  CHECK(progress.found.size() == 2);
  CHECK(progress.found.at("undetected") == 8);
  CHECK(progress.rows == std::array<std::int64_t, 2>{kRows, kRows});
  CHECK(progress.chunks == 21);
  CHECK(progress.rows_fetched[0] < kRows);
  CHECK(progress.database_us[0] > 0);
  CHECK(ledgers.database.value("SELECT count(*) FROM arbiter.sweep_accounts WHERE state = 'undetected'") == "8");
  // The other one that is written all the time may have been met half-way in every reading.
  const auto busy = ledgers.database.rows("SELECT account FROM arbiter.sweep_accounts WHERE state = 'busy' ORDER BY 1");
  REQUIRE_FALSE(busy.empty());
  CHECK(busy[0] == "acc-1");
  CHECK((busy.size() == 1 || (busy.size() == 2 && busy[1] == "acc-2")));
  CHECK(ledgers.database.value("SELECT state FROM arbiter.sweeps") == "finished");
}

TEST_CASE("a sweep that was killed goes on where it was, and one that lost its place writes nothing") {
  Ledgers ledgers(20'000);
  create_schema(ledgers.database);
  execute(ledgers.modern,
          "UPDATE modern.ledger_accounts SET minor = minor + 1 WHERE id IN ('acc-1', 'acc-20000', 'acc-9999')");
  ledgers.config.sweep.chunk_rows = 500;
  ledgers.config.legacy_db.sweep.key = ledgers.config.modern_db.sweep.key = "n";  // by number: 2 before 10
  const auto chunks = [&] {
    return ledgers.database.value("SELECT coalesce(progress->>'chunks', '0') FROM arbiter.sweeps");
  };
  {
    SweepStore store(ledgers.database.url());
    bool opened = false;
    store.request("payments", "test", opened);
  }
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto config = ledgers.config;
    config.sweep.rows_per_second = 10'000;  // slow enough to be met half-way
    Silence silence;
    SweepStore store(ledgers.database.url());
    SweepRun run(config, store, store.take_up("payments").value(), {silence, [](const auto&) { return true; }, rest});
    while (run.step()) {
    }
    std::_Exit(0);
  }
  REQUIRE(eventually([&] { return !chunks().empty() && std::stoi(chunks()) >= 5; }));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  const int done = std::stoi(chunks());
  CHECK(done < 41);

  Silence silence;
  SweepStore store(ledgers.database.url());
  SweepStore zombie(ledgers.database.url());
  StoredSweep behind = zombie.take_up("payments").value();
  std::set<std::string> published;
  SweepRun run(ledgers.config, store, store.take_up("payments").value(),
               {silence,
                [&](const std::vector<LedgerComparison>& found) {
                  for (const auto& comparison : found) published.insert(comparison.account);
                  return true;
                },
                rest});
  CHECK(run.sweep().progress.chunks == done);
  while (run.step()) {
  }
  CHECK(published == std::set<std::string>{"1", "20000", "9999"});
  CHECK(run.sweep().progress.chunks == 41);
  CHECK(run.sweep().progress.rows == std::array<std::int64_t, 2>{20'000, 20'000});
  CHECK_THROWS_AS(zombie.save(behind, {}, "running"), Failure);
}

TEST_CASE("a sweep over a table that does not fit says why and is over") {
  Ledgers ledgers(100);
  create_schema(ledgers.database);
  Silence silence;
  SweepStore store(ledgers.database.url());
  const auto problem = [&] {
    try {
      SweepRun run(ledgers.config, store, ask_for(store), {silence, [](const auto&) { return true; }, rest});
      while (run.step()) {
      }
      return std::string();
    } catch (const Failure& failure) {
      return std::string(failure.what());
    }
  };
  ledgers.config.modern_db.sweep.balance = "minor::float8";
  CHECK_THAT(problem(), Catch::Contains("binary floating-point"));
  ledgers.config.modern_db.sweep.balance = "no_such_column";
  CHECK_THAT(problem(), Catch::Contains("no_such_column"));
  ledgers.config.modern_db.sweep.balance = "minor";
  ledgers.config.modern_db.sweep.key = "substr(id, 5)::bigint";
  CHECK_THAT(problem(), Catch::Contains("different types"));
  ledgers.config.modern_db.sweep.key = "id";
  ledgers.config.modern_db.sweep.scale = 0;
  ledgers.config.sweep.max_differences = 50;
  CHECK_THAT(problem(), Catch::Contains("more than 50 rows differ"));
  CHECK(ledgers.database.value("SELECT count(*) FROM arbiter.sweeps WHERE state = 'failed' AND problem <> ''") == "4");
}

TEST_CASE("what a sweep finds becomes a verdict through the log, and again the same when the log is replayed") {
  Ledgers ledgers(50);
  Bench bench(ledgers.database.url());
  ledgers.config.listen = bench.config.arbiter.listen;
  ledgers.config.database = ledgers.database.url();
  bench.config.arbiter = ledgers.config;
  const auto verdicts = [](const ScratchDatabase& database) {
    return database.rows("SELECT id, account, verdict, detail FROM arbiter.verdicts ORDER BY account");
  };
  {
    const ArbiterService service(bench.config);
    const auto sweep = [&] {
      http::Client client(service.endpoint(), std::chrono::seconds(5));
      const auto answer = client.request("POST", "/sweep", R"({"by":"test"})");
      REQUIRE(answer.has_value());
      REQUIRE(answer->status == 202);
      const std::string id = nlohmann::json::parse(answer->body)["sweep"].dump();
      REQUIRE(eventually(
          [&] { return ledgers.database.value("SELECT state FROM arbiter.sweeps WHERE id = " + id) == "finished"; }));
    };
    // acc-3 has an exchange that agrees, and is read as such; then modern loses a cent that no log knows of.
    auto exchange = deposit(1, "acc-3", 1);
    exchange.received_at_us = now_us() - 5'000'000;
    exchange.completed_at_us = now_us() - 4'900'000;
    bench.publish({exchange});
    REQUIRE(eventually([&] {
      return ledgers.database.value("SELECT state FROM arbiter.accounts WHERE account = 'acc-3'").find("dirty") ==
             std::string::npos;
    }));
    REQUIRE(eventually([&] { return !ledgers.database.value("SELECT state FROM arbiter.accounts").empty(); }));
    sweep();
    CHECK(verdicts(ledgers.database).empty());
    execute(ledgers.modern, "UPDATE modern.ledger_accounts SET minor = minor - 1 WHERE id IN ('acc-3', 'acc-4')");
    sweep();
    REQUIRE(eventually([&] { return verdicts(ledgers.database).size() == 2; }));
    CHECK_THAT(verdicts(ledgers.database)[0],
               Catch::Contains("acc-3|mismatch|sweep 2: account acc-3: legacy 0.03 EUR"));
    CHECK(ledgers.database.rows("SELECT account, state FROM arbiter.sweep_accounts ORDER BY account") ==
          std::vector<std::string>{"acc-3|undetected", "acc-4|unseen"});
    CHECK(ledgers.database.rows("SELECT account, gap_minor FROM arbiter.drift ORDER BY account") ==
          std::vector<std::string>{"acc-3|-1", "acc-4|-1"});
    sweep();  // known by now
    CHECK(ledgers.database.rows("SELECT state FROM arbiter.sweep_accounts WHERE sweep = 3") ==
          std::vector<std::string>{"explained", "explained"});
    CHECK(verdicts(ledgers.database).size() == 2);
    CHECK_THAT(get(service.endpoint(), "/metrics"),
               Catch::Contains("phoenix_arbiter_sweep_undetected_total{slice=\"payments\"} 1"));
    CHECK_THAT(get(service.endpoint(), "/sweep"), Catch::Contains("\"explained\": 2"));
  }
  const ScratchDatabase replayed("sweep_replay");
  bench.config.arbiter.database = replayed.url();
  const ArbiterService service(bench.config);
  REQUIRE(eventually([&] { return verdicts(replayed).size() == 2; }));
  CHECK(verdicts(replayed) == verdicts(ledgers.database));
  CHECK(replayed.value("SELECT sum(n) FROM arbiter.counters WHERE verdict = 'sweep_undetected'") == "1");
}
