// What the admin server shows: written by the consumer's thread after each batch, read by any thread.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "arbiter/accepted_rule.hpp"
#include "arbiter/decision_core.hpp"
#include "arbiter/ledger_reader.hpp"
#include "arbiter/sweep_runner.hpp"

namespace phoenix::arbiter {

struct ShardStatus {
  std::vector<ScoreEvent> scores;
  std::map<CounterKey, std::int64_t> counters;
  std::map<std::string, std::uint64_t> rejected;  ///< by topic
  Positions positions;
  std::size_t open = 0;
  std::int64_t oldest_open_us = 0;
  std::int64_t event_time_us = 0;
  std::size_t accounts_to_read = 0;
  std::uint64_t postings_given_up = 0;  ///< changes that found no room, or whose amounts do not fit
  LedgerReaderStats readings;
  std::vector<AcceptedRuleStatus> rules;  ///< of accepted changes
  std::optional<SweepStatus> sweep;       ///< where one is configured
};

struct ArbiterStatus {
  bool ready = false;
  std::string reason = "starting";             ///< why not ready
  std::vector<std::string> routes;             ///< configured ones
  std::map<int, ShardStatus> shards;           ///< of the partitions that this arbiter has now
  std::map<TopicPartition, std::int64_t> lag;  ///< records not read yet
  std::uint64_t reloads = 0;                   ///< how often the state was taken from the database again
};

class StatusBoard {
 public:
  template <class Change>
  void update(Change change) {
    const std::lock_guard lock(mutex_);
    change(status_);
  }
  [[nodiscard]] ArbiterStatus get() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  mutable std::mutex mutex_;
  ArbiterStatus status_;
};

}  // namespace phoenix::arbiter
