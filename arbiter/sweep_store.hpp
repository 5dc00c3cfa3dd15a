// Sweeps in the arbiter's database: who asked for one, how far it is, what it found. A sweep survives the process that
// runs it; whoever has the slice goes on with it. Each call uses the connection of this object; one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arbiter/sweep_compare.hpp"

namespace phoenix::arbiter {

struct StoredSweep {
  std::int64_t id = 0;
  std::int64_t version = 0;  ///< grows with every save: of two that run it, one finds that out
  SweepProgress progress;
  std::map<std::string, Candidate> candidates;  ///< not decided yet; to be read from scratch
};

/// An account that a sweep has something to say about.
struct SweepRow {
  std::string account;
  std::string state;  ///< name of a SweepFinding; `pending` while not decided
  BalancePair balances;
  int tries = 0;
};

/// Throws Failure(unavailable) with one line, and Failure(conflict) when another process goes on with the sweep.
class SweepStore {
 public:
  explicit SweepStore(std::string url);
  ~SweepStore();
  SweepStore(const SweepStore&) = delete;
  SweepStore& operator=(const SweepStore&) = delete;

  /// Asks for a sweep; the id of the one that is open already, if there is one. `opened`: whether it is new.
  std::int64_t request(const std::string& slice, const std::string& by, bool& opened);
  /// Ends the open sweep of the slice, if there is one.
  bool cancel(const std::string& slice, const std::string& by);
  /// The open sweep of the slice, marked as running.
  std::optional<StoredSweep> take_up(const std::string& slice);
  /// When the latest one was asked for, seconds ago; nothing: never.
  std::optional<double> age_of_latest_s(const std::string& slice);
  /// Unix time, seconds, of the end of the latest finished one; 0: none.
  double last_finished_unix(const std::string& slice);

  /// Writes progress and rows in one transaction. Rows of state `equal` are removed. `state`: running, finished or
  /// failed. Throws Failure(conflict) also when the sweep was cancelled.
  void save(StoredSweep& sweep, const std::vector<SweepRow>& rows, const std::string& state,
            const std::string& problem = "");
  /// The latest sweeps of all slices as a JSON array, newest first.
  std::string list(int limit);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::arbiter
