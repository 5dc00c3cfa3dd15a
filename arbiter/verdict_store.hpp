// Results and positions in Postgres, one transaction a batch and shard. Any thread; calls wait for each other.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "arbiter/decision_core.hpp"

namespace phoenix::arbiter {

/// The arbiter's database.
const std::string& verdict_database(const config::Config& config);

/// All that a commit writes, taken out of the core: it can be written while the core goes on.
struct PreparedCommit {
  /// Rules of accepted changes and their counts are written with it (ActiveRules::stored).
  void put_rules(std::string stored);

  struct Statement {
    const char* sql;
    std::string rows;  ///< its first parameter, as JSON
    bool of_shard;     ///< the shard's number is its last
    /// Its first parameters, instead of `rows`: one array for each column, in Postgres's binary form (PgArray).
    std::vector<std::string> columns = {};
  };
  int shard = 0;
  std::int64_t event_time_us = 0, exchange_time_us = 0, seen_since_us = 0;
  std::string heartbeats, streams, seen, decided;
  std::string stream_progress;  ///< encode(StreamProgress)
  std::vector<Statement> statements;
  Positions from, to;
};

class VerdictStore {
 public:
  static constexpr const char* kSchema = "arbiter";

  /// `owner_of(slice)` is the shard of a slice, of `shards` in all.
  /// `schema` is where it keeps its tables: the one that everybody reads unless told otherwise.
  VerdictStore(std::string url, int shards, std::function<int(const std::string& slice)> owner_of,
               std::string schema = kSchema);
  ~VerdictStore();
  VerdictStore(const VerdictStore&) = delete;
  VerdictStore& operator=(const VerdictStore&) = delete;

  /// Connects anew, creating database and schema where they are missing. Throws Failure(unavailable) with one line, and
  /// Failure(invalid_input) when the state was built on another number of shards.
  void connect();
  /// State and positions of the shard's last commit, from one snapshot. Throws Failure(unavailable) with one line.
  CoreState load(int shard);

  static PreparedCommit prepare(int shard, const DecisionCore& core, const CoreChanges& changes, Positions from,
                                Positions to);
  /// Writes everything, moving each position from `from` to `to`. False when somebody else has committed for the shard
  /// since this store last loaded or committed it; nothing is written and the caller must reload. Throws
  /// Failure(unavailable) when the outcome is not known or nothing was written: reload then tells which.
  bool commit(const PreparedCommit& commit);
  bool commit(int shard, const DecisionCore& core, const CoreChanges& changes, const Positions& from,
              const Positions& to);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::arbiter
