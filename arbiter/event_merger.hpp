// Brings records of several topics into the order in which the log took them, so that a replay meets exchanges and
// balance readings as they were met the first time. Pure.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "core/events/event_log.hpp"

namespace phoenix::arbiter {

class EventMerger {
 public:
  explicit EventMerger(std::size_t sources) : queues_(sources) {}

  /// One source more; its number.
  std::size_t add_source() {
    queues_.emplace_back();
    return queues_.size() - 1;
  }
  /// The next record of a source, in its order.
  void add(std::size_t source, LogRecord record) { queues_[source].push_back(std::move(record)); }
  [[nodiscard]] bool empty(std::size_t source) const { return queues_[source].empty(); }
  [[nodiscard]] std::size_t size(std::size_t source) const { return queues_[source].size(); }
  /// The next records, at most `max`. A source without records holds the others back unless it is `drained`: read to
  /// its end. Records of one log time come in the order of the sources.
  std::vector<LogRecord> take(std::size_t max, const std::vector<bool>& drained);

 private:
  std::vector<std::deque<LogRecord>> queues_;
};

}  // namespace phoenix::arbiter
