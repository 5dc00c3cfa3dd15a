// Two ledgers to be swept, writers that move them as a gateway would, and a log that says so.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <map>
#include <mutex>
#include <pqxx/pqxx>
#include <random>
#include <set>
#include <thread>

#include "arbiter/sweep_run.hpp"
#include "arbiter/verdict_store.hpp"
#include "fixture.hpp"
#include "tests/support/catch.hpp"

namespace phoenix::arbiter_test {

using namespace phoenix::arbiter;

inline std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

inline void execute(const ScratchDatabase& database, const std::string& sql) {
  pqxx::connection connection(database.url());
  pqxx::nontransaction(connection).exec(sql);
}

/// Two ledgers of another shape, numeric against minor units, and the arbiter's tables, in one database: making one
/// takes longer than most of these tests.
struct Ledgers {
  explicit Ledgers(int rows) {
    execute(
        legacy,
        fmt::format("CREATE SCHEMA legacy; CREATE TABLE legacy.accounts (id text PRIMARY KEY, n bigint UNIQUE, balance "
                    "numeric(18,2), currency text); "
                    "INSERT INTO legacy.accounts SELECT 'acc-' || n, n, n::numeric / 100, 'EUR' FROM "
                    "generate_series(1, {}) n",
                    rows));
    execute(modern, fmt::format("CREATE SCHEMA modern; CREATE TABLE modern.ledger_accounts (id varchar(40) PRIMARY "
                                "KEY, n bigint UNIQUE, minor bigint, currency "
                                "char(3)); INSERT INTO modern.ledger_accounts SELECT 'acc-' || n, n, n, 'EUR' FROM "
                                "generate_series(1, {}) n",
                                rows));
    config.legacy_db = {legacy.url(),
                        "SELECT balance, currency FROM legacy.accounts WHERE id = $1",
                        {"legacy.accounts", "id", "balance", "currency", 0},
                        {}};
    config.modern_db = {modern.url(),
                        "SELECT minor / 100.0, currency FROM modern.ledger_accounts WHERE id = $1",
                        {"modern.ledger_accounts", "id", "minor", "currency", 2},
                        {}};
    config.sweep.slice = "payments";
    config.sweep.pause = std::chrono::milliseconds(100);
    config.sweep.rows_per_second = 10'000'000;
    config.sweep.statement_timeout = std::chrono::seconds(30);
  }
  ScratchDatabase database{"sweep"};
  const ScratchDatabase& legacy = database;
  const ScratchDatabase& modern = database;
  config::ArbiterConfig config;
};

/// The schema as the arbiter makes it.
inline void create_schema(const ScratchDatabase& database) {
  VerdictStore store(database.url(), 1, [](const std::string&) { return 0; });
  store.connect();
}

/// Stands for the log: who wrote which account when, and what is still under way.
class Writers : public TouchedKeys {
 public:
  Writers(const Ledgers& ledgers, int rows, std::set<int> spared) : rows_(rows), spared_(std::move(spared)) {
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this, &ledgers, i] { write(ledgers, i); });
  }
  ~Writers() override {
    stopping_ = true;
    for (auto& thread : threads_) thread.join();
  }
  std::optional<StreamFacts> ask(const std::vector<std::string>& keys, std::chrono::milliseconds) override {
    const std::lock_guard lock(mutex_);
    StreamFacts facts;
    facts.settled_until_us = now_us();
    for (const auto& [id, since] : under_way_) facts.settled_until_us = std::min(facts.settled_until_us, since);
    for (const auto& key : keys) {
      KeyFacts& of = facts.keys[key];
      of.seen = true;
      of.gap = Decimal();
      if (const auto at = touched_.find(key); at != touched_.end()) of.touched_us = at->second;
    }
    return facts;
  }
  std::optional<std::vector<std::string>> unknown_keys(std::size_t, std::chrono::milliseconds) override {
    return std::vector<std::string>{};
  }
  std::atomic<int> written{0};

 private:
  /// As a gateway would: first the serving side, then the shadow, each on its own time.
  void write(const Ledgers& ledgers, int seed) {
    pqxx::connection legacy(ledgers.legacy.url()), modern(ledgers.modern.url());
    std::mt19937 random(static_cast<unsigned>(seed));
    while (!stopping_) {
      const bool hot = random() % 2 == 0;
      int n = hot ? 1 + seed : 1 + static_cast<int>(random() % static_cast<unsigned>(rows_));
      if (spared_.contains(n)) continue;
      const std::string key = fmt::format("acc-{}", n);
      begin(seed);
      pqxx::nontransaction(legacy).exec_params("UPDATE legacy.accounts SET balance = balance + 0.01 WHERE id = $1",
                                               key);
      if (random() % 8 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // a leg takes its time
      pqxx::nontransaction(modern).exec_params("UPDATE modern.ledger_accounts SET minor = minor + 1 WHERE id = $1",
                                               key);
      end(seed, key);
      ++written;
    }
  }
  void begin(int id) {
    const std::lock_guard lock(mutex_);
    under_way_[id] = now_us();
  }
  void end(int id, const std::string& key) {
    const std::lock_guard lock(mutex_);
    under_way_.erase(id);
    touched_[key] = now_us();
  }

  const int rows_;
  const std::set<int> spared_;
  std::mutex mutex_;
  std::map<int, std::int64_t> under_way_;
  std::map<std::string, std::int64_t> touched_;
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

/// A log in which nothing happens.
class Silence : public TouchedKeys {
 public:
  std::optional<StreamFacts> ask(const std::vector<std::string>&, std::chrono::milliseconds) override {
    return StreamFacts{INT64_MAX, 0, {}};
  }
  std::optional<std::vector<std::string>> unknown_keys(std::size_t, std::chrono::milliseconds) override {
    return std::vector<std::string>{};
  }
};

inline bool rest(std::chrono::microseconds time) {
  std::this_thread::sleep_for(time);
  return true;
}

inline StoredSweep ask_for(SweepStore& store) {
  bool opened = false;
  store.request("payments", "test", opened);
  REQUIRE(opened);
  return store.take_up("payments").value();
}

}  // namespace phoenix::arbiter_test
