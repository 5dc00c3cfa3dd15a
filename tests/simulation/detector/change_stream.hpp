// The changes of one bank's database as they reach the log: in the order of commits, some time after them, with markers
// in their places; after a restart of capture the last of them come again. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "arbiter/state_record.hpp"
#include "tests/simulation/detector/bank.hpp"
#include "tests/simulation/rules/event_queue.hpp"

namespace phoenix::detector {

class ChangeStream {
 public:
  using Deliver = std::function<void(const arbiter::StateRecord&)>;

  ChangeStream(Side side, simulation::EventQueue& events, simulation::Dice& dice, std::int64_t latency_us,
               std::int64_t epoch_us, Deliver deliver);

  /// One transaction; without an exchange id it is foreign. Empty: nothing was changed.
  void commit(const std::vector<RowChange>& rows, const std::string& exchange_id);
  /// `covers`: end of the exchanges' partition when the marker was written.
  void mark(std::int64_t covers);
  /// Capture dies and starts again after `pause_us`.
  void restart(std::int64_t pause_us);

 private:
  void append(arbiter::StateRecord record);
  void deliver_next();

  const Side side_;
  simulation::EventQueue& events_;
  simulation::Dice& dice_;
  const std::int64_t latency_us_, epoch_us_;
  const Deliver deliver_;
  std::deque<arbiter::StateRecord> waiting_;    // committed, not yet in the log
  std::deque<arbiter::StateRecord> delivered_;  // in the log, not acknowledged to the database
  std::int64_t last_due_us_ = 0;
  std::uint64_t lsn_ = 1'000;
};

}  // namespace phoenix::detector
