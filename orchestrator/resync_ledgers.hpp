// The two ledgers as `resync` reads and writes them, by the statements of the configuration. One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/runtime/config.hpp"
#include "orchestrator/resync_plan.hpp"

namespace phoenix::orchestrator {

/// Every call may throw Failure: unavailable (away, or a lock or time-out: again), conflict (the row moved under the
/// transaction: again), invalid_input (the statement does not fit).
class ResyncLedger {
 public:
  ResyncLedger(Side side, config::ResyncConfig settings);
  ~ResyncLedger();
  ResyncLedger(const ResyncLedger&) = delete;
  ResyncLedger& operator=(const ResyncLedger&) = delete;

  LedgerRow read(const std::string& key);

  /// In one transaction at REPEATABLE READ: reads the row, lets `decide` say what to write (nothing: nothing), writes
  /// it under a Phoenix message that carries `run`, reads it again, asks `still_right`, and commits. A row that
  /// somebody else moved meanwhile ends it. True when it was written.
  bool overwrite(const std::string& key, const std::string& run,
                 const std::function<LedgerRow(const LedgerRow& before)>& decide,
                 const std::function<bool(const LedgerRow& after)>& still_right);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::orchestrator
