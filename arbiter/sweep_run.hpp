// One sweep, step by step: chunks of both tables by key range, then the rows that differed, read again until they are
// decided. Every step ends with its progress stored, so that a sweep goes on after a crash where it was.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "arbiter/sweep_facts.hpp"
#include "arbiter/sweep_store.hpp"
#include "arbiter/sweep_table.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

/// What a sweep needs of its surroundings.
struct SweepWorld {
  TouchedKeys& facts;
  /// Publishes comparisons and waits until the log has them; false: later.
  std::function<bool(const std::vector<LedgerComparison>&)> publish;
  /// Rests; false when the sweep has to stop.
  std::function<bool(std::chrono::microseconds)> rest;
};

/// One thread. Calls may throw Failure: unavailable (take the sweep up again later), conflict (it is not ours any
/// more), invalid_input (it cannot work; it has been stored as failed).
class SweepRun {
 public:
  SweepRun(const config::ArbiterConfig& config, SweepStore& store, StoredSweep sweep, SweepWorld world);

  /// A chunk, or a round over the candidates. False when the sweep is over, or has to stop.
  bool step();
  [[nodiscard]] const StoredSweep& sweep() const { return sweep_; }
  [[nodiscard]] bool finished() const { return finished_; }

 private:
  using Candidates = std::vector<Candidate*>;
  bool chunk();
  KeyRange next_range();
  void take_rows(const KeyRange& range, std::vector<SweepRow>& pending);
  /// Rows of both sides, and when they were read.
  struct BothRows {
    LedgerRows legacy, modern;
    Window window;
  };
  template <class Read>
  BothRows read_both(const Read& read);
  bool begin_candidates();
  bool round();
  Candidates due(std::int64_t now_us, std::int64_t& next_due_us);
  bool decide(const Candidates& batch);
  std::optional<StreamFacts> settled_facts(const std::vector<std::string>& keys, Window window);
  void give_up_if_too_many(std::size_t more);
  void note_cost();
  [[nodiscard]] LedgerComparison comparison_of(const Candidate& candidate, const BalancePair& pair,
                                               Window window) const;

  const config::ArbiterConfig& config_;
  SweepStore& store_;
  StoredSweep sweep_;
  SweepWorld world_;
  SweepTable legacy_;
  SweepTable modern_;
  std::array<std::int64_t, 2> database_us_before_{};
  int chunk_rows_;
  bool finished_ = false;
};

}  // namespace phoenix::arbiter
