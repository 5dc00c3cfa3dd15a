// Results and positions in Postgres, one transaction a batch and shard. One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "arbiter/decision_core.hpp"

namespace phoenix::arbiter {

/// The arbiter's database.
const std::string& verdict_database(const config::Config& config);

class VerdictStore {
 public:
  /// `owner_of(slice)` is the shard of a slice, of `shards` in all.
  VerdictStore(std::string url, int shards, std::function<int(const std::string& slice)> owner_of);
  ~VerdictStore();
  VerdictStore(const VerdictStore&) = delete;
  VerdictStore& operator=(const VerdictStore&) = delete;

  /// Connects anew, creating database and schema where they are missing. Throws Failure(unavailable) with one line, and
  /// Failure(invalid_input) when the state was built on another number of shards.
  void connect();
  /// State and positions of the shard's last commit, from one snapshot. Throws Failure(unavailable) with one line.
  CoreState load(int shard);

  /// Writes everything, moving each position from `from` to `to`. False when somebody else has committed for the shard
  /// since this store last loaded or committed it; nothing is written and the caller must reload. Throws
  /// Failure(unavailable) when the outcome is not known or nothing was written: reload then tells which.
  bool commit(int shard, const DecisionCore& core, const CoreChanges& changes, const Positions& from,
              const Positions& to);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::arbiter
