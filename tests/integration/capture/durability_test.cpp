// Nothing is lost: killed processes, a log that takes nothing, a server that restarts, a slot that is dropped.
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <set>
#include <thread>

#include "fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::capture;
using namespace phoenix::capture_test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

/// Keeps every other writer out of the event log while it lives.
class LogLock {
 public:
  explicit LogLock(const std::string& path) {
    REQUIRE(sqlite3_open(path.c_str(), &handle_) == SQLITE_OK);
    sqlite3_busy_timeout(handle_, 10'000);
    REQUIRE(sqlite3_exec(handle_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  ~LogLock() { sqlite3_close(handle_); }
  LogLock(const LogLock&) = delete;
  LogLock& operator=(const LogLock&) = delete;

 private:
  sqlite3* handle_ = nullptr;
};

/// All postings of the ledger, "account seq", against those in the log: each is there, first arrivals are in commit
/// order, and what came twice is the same.
void check_complete(Ledger& ledger, const std::vector<json>& changes) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, json> seen;
  std::set<std::string> postings;
  std::pair<std::uint64_t, std::uint64_t> last{0, 0};
  bool ordered = true, alike = true;
  for (const auto& change : changes) {
    json content = change;
    content.erase("ts_ms");  // of capturing
    const auto [at, is_new] = seen.emplace(identity(change), content);
    alike = alike && at->second == content;
    if (is_new) {
      ordered = ordered && identity(change) > last;
      last = identity(change);
    }
    if (change["source"]["table"] == "postings") {
      postings.insert(
          fmt::format("{} {}", change["after"]["account_id"].get<int>(), change["after"]["seq"].get<int>()));
    }
  }
  CHECK(ordered);
  CHECK(alike);
  CHECK(std::to_string(postings.size()) == ledger.value("SELECT count(*) FROM postings"));
  CHECK(std::to_string(seen.size()) == ledger.value("SELECT 2 * count(*) FROM postings"));
}

constexpr const char* kBigTransaction =
    "BEGIN; SELECT pg_logical_emit_message(true, 'phoenix', '{\"exchange_id\":\"batch\"}');"
    "UPDATE accounts SET balance = balance + 1;"
    "INSERT INTO postings(account_id, amount) SELECT i % 20 + 1, 1 FROM generate_series(1, 20) i; COMMIT";

}  // namespace

TEST_CASE("killed with SIGKILL again and again while the ledger is written: no loss, no gap") {
  Ledger ledger;
  Desk desk({&ledger});
  {
    Child first(desk.yaml_path());
    // The gap is told first, then what was captured is put on record: killed in between it tells one more.
    const std::string record = desk.config().capture.state_dir + "/legacy.json";
    REQUIRE(eventually([&] { return !ledger.confirmed_lsn().empty() && std::filesystem::exists(record); }));
    CHECK_FALSE(desk.gaps().empty());
  }
  std::atomic<bool> stop{false};
  std::thread bank([&] {
    PgConnection writer(ledger.url(), PgConnection::Kind::sql);
    for (int i = 0; !stop; ++i) {
      writer.run(
          fmt::format("WITH moved AS (UPDATE accounts SET balance = balance + 1 WHERE id = {0}),"
                      " booked AS (INSERT INTO postings(account_id, amount) VALUES ({0}, 1))"
                      " SELECT pg_logical_emit_message(true, 'phoenix', '{{\"exchange_id\":\"e{1}\"}}')",
                      i % 20 + 1, i));
      if (i % 50 == 0) writer.run(kBigTransaction);
    }
  });
  std::size_t before = 0;
  for (int kill = 0; kill < 8; ++kill) {
    Child child(desk.yaml_path());
    // It dies in the middle of what comes after its first progress: early, and after more and more of it.
    const std::size_t goal = before + 1 + static_cast<std::size_t>(kill) * 300;
    CHECK(eventually([&] { return desk.size() >= goal; }));
    child.stop(SIGKILL);
    before = desk.size();
  }
  stop = true;
  bank.join();
  Child last(desk.yaml_path());
  REQUIRE(ledger.all_confirmed());
  CHECK(WEXITSTATUS(last.stop(SIGTERM)) == 0);
  const auto changes = desk.changes();
  INFO(changes.size() << " records, " << ledger.value("SELECT 2 * count(*) FROM postings") << " changes");
  check_complete(ledger, changes);
  CHECK(desk.gaps().size() == 1);
}

TEST_CASE("a log that takes nothing: the slot stays, the lag is told, and a kill loses nothing") {
  Ledger ledger;
  Desk desk({&ledger}, {}, "  max_slot_lag: 16KiB\n");
  auto service = std::make_unique<CaptureService>(desk.config());
  REQUIRE(eventually([&] { return unready(*service).empty(); }));
  ledger.post(1, "1.00", "before");
  REQUIRE(ledger.all_confirmed());
  CHECK(desk.changes().size() == 2);
  {
    const LogLock lock(desk.log_path());
    ledger.post(1, "1.00", "read");
    // A keep-alive may move the slot into a transaction that is still open; past its commit only an acknowledgement
    // does.
    const std::string committed = ledger.value("SELECT pg_current_wal_insert_lsn()");
    const auto held = [&] {
      return ledger.value(fmt::format("SELECT '{}'::pg_lsn < '{}'", ledger.confirmed_lsn(), committed)) == "t";
    };
    REQUIRE(eventually(
        [&] { return metric(*service, "records_total{side=\"legacy\",table=\"public.postings\",op=\"c\"}") == "2"; }));
    for (int i = 0; i < 200; ++i) ledger.post(i % 20 + 1, "1.00", fmt::format("e{}", i));
    REQUIRE(eventually([&] { return unready(*service).find("more than max_slot_lag (16384)") != std::string::npos; }));
    REQUIRE(eventually([&] { return std::stod(metric(*service, "slot_lag_seconds{side=\"legacy\"}")) > 0.5; }));
    CHECK(std::stod(metric(*service, "slot_lag_bytes{side=\"legacy\"}")) > 16'384);
    CHECK(metric(*service, "up{side=\"legacy\"}") == "1");
    // Some of it was read, and nothing is confirmed.
    CHECK(held());
    // A Postgres that shut down now would wait for its reader: after a while it is let go.
    REQUIRE(eventually([&] { return unready(*service).find("the event log takes no records") != std::string::npos; }));
    CHECK(eventually([&] {
      return ledger.value("SELECT active FROM pg_replication_slots WHERE slot_name = '" + ledger.name() + "'") == "f";
    }));
    CHECK(held());
    CHECK(metric(*service, "up{side=\"legacy\"}") == "0");
  }
  REQUIRE(ledger.all_confirmed());
  CHECK(eventually([&] { return unready(*service).empty(); }));
  check_complete(ledger, desk.changes());
  service.reset();
  // The same, and the program dies with all it has read.
  Child child(desk.yaml_path());
  REQUIRE(eventually([&] {
    return ledger.value("SELECT active FROM pg_replication_slots WHERE slot_name = '" + ledger.name() + "'") == "t";
  }));
  const std::size_t taken = desk.size();
  {
    const LogLock lock(desk.log_path());
    for (int i = 0; i < 100; ++i) ledger.post(i % 20 + 1, "1.00", fmt::format("f{}", i));
    const std::string end = ledger.value("SELECT pg_current_wal_insert_lsn()");
    REQUIRE(eventually([&] {
      return ledger.value(fmt::format("SELECT count(*) FROM pg_stat_replication WHERE application_name ="
                                      " 'phoenix-capture' AND sent_lsn >= '{}' AND flush_lsn < '{}'",
                                      end, end)) == "1";
    }));
    child.stop(SIGKILL);
  }
  CHECK(desk.size() == taken);
  Child next(desk.yaml_path());
  REQUIRE(ledger.all_confirmed());
  check_complete(ledger, desk.changes());
}

TEST_CASE("a slot that is dropped underneath is an error, never silently made anew") {
  Ledger ledger;
  Desk desk({&ledger, true});
  const CaptureService service(desk.config());
  REQUIRE(eventually([&] { return unready(service).empty(); }));
  ledger.drop_slot();
  REQUIRE(eventually([&] { return unready(service).find("was dropped while it was in use") != std::string::npos; }));
  CHECK(ledger.confirmed_lsn().empty());
  CHECK(metric(service, "up{side=\"legacy\"}") == "0");
  CHECK(metric(service, "slot_lag_bytes{side=\"legacy\"}").empty());
  // Made anew by hand, it goes on, and says that it jumped.
  ledger.post(1, "1.00", "lost");
  ledger.run("SELECT pg_create_logical_replication_slot('" + ledger.name() + "', 'pgoutput')");
  REQUIRE(eventually([&] { return unready(service).empty(); }));
  ledger.post(1, "1.00", "kept");
  REQUIRE(eventually([&] { return desk.changes().size() == 2; }));
  CHECK(desk.changes()[0]["exchange_id"] == "kept");
  REQUIRE(desk.gaps().size() == 2);
  CHECK_THAT(desk.gaps()[1]["reason"].get<std::string>(), Contains("advanced or recreated"));
}

namespace {

/// A cluster of this test's own, which may be stopped.
class PrivatePostgres {
 public:
  PrivatePostgres() : directory_(fmt::format("/tmp/phoenix-capture-postgres-{}", getpid())) {
    url = call("start", port_);
  }
  ~PrivatePostgres() {
    call("stop", "");
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  void stop() { call("stop", ""); }
  void start() { CHECK(call("start", url.substr(url.rfind(':') + 1, url.rfind('/') - url.rfind(':') - 1)) == url); }
  std::string url;

 private:
  std::string call(const std::string& what, const std::string& port) const {
    const std::string command =
        fmt::format("'{}/deploy/postgres.sh' {} '{}' {}", PHOENIX_SOURCE_DIR, what, directory_, port);
    FILE* pipe = popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    char line[512] = "";
    const bool any = std::fgets(line, sizeof line, pipe) != nullptr;
    pclose(pipe);
    std::string text(any ? line : "");
    while (text.ends_with('\n')) text.pop_back();
    return text;
  }
  const std::string directory_, port_;
};

}  // namespace

TEST_CASE("Postgres restarts: capture says so, comes back by itself and has lost nothing") {
  base_url();  // skipped like the others
  PrivatePostgres postgres;
  Ledger ledger(postgres.url);
  Desk desk({&ledger});
  const CaptureService service(desk.config());
  REQUIRE(eventually([&] { return unready(service).empty(); }));
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 50; ++i) ledger.post(i % 20 + 1, "1.00", "before");
    postgres.stop();
    REQUIRE(eventually([&] { return metric(service, "up{side=\"legacy\"}") == "0"; }));
    CHECK_THAT(unready(service), Contains("127.0.0.1"));
    postgres.start();
    REQUIRE(eventually([&] { return unready(service).empty(); }));
    REQUIRE_THROWS(ledger.run("SELECT 1"));  // the test's own connection broke as well
    for (int i = 0; i < 50; ++i) ledger.post(i % 20 + 1, "1.00", "after");
  }
  REQUIRE(ledger.all_confirmed());
  check_complete(ledger, desk.changes());
  CHECK(desk.gaps().size() == 1);
  CHECK(std::stoi(metric(service, "reconnects_total{side=\"legacy\"}")) >= 2);
}
