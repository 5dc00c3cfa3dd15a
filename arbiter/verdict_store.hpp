// Results and positions in Postgres, one transaction a batch. One thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "arbiter/decision_core.hpp"

namespace phoenix::arbiter {

class VerdictStore {
 public:
  explicit VerdictStore(std::string url);
  ~VerdictStore();
  VerdictStore(const VerdictStore&) = delete;
  VerdictStore& operator=(const VerdictStore&) = delete;

  /// Connects anew, creating database and schema where they are missing. Throws Failure(unavailable) with one line.
  void connect();
  /// State and positions of the last commit, from one snapshot. Throws like connect().
  CoreState load();

  /// Writes everything, moving each position from `from` to `to`. False when a position was not at `from`: another
  /// reader has been here; nothing is written and the caller must reload. Throws Failure(unavailable) when the outcome
  /// is not known or nothing was written: reload then tells which.
  bool commit(const DecisionCore& core, const CoreChanges& changes, const Positions& from, const Positions& to);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::arbiter
