// Brings records of several topics into the order in which the log took them, so that a replay meets exchanges and
// balance readings as they were met the first time. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "core/events/event_log.hpp"

namespace phoenix::arbiter {

class EventMerger {
 public:
  explicit EventMerger(std::size_t sources) : queues_(sources) {}

  /// One source more, which has this number from now on; those behind it have the next ones.
  void add_source(std::size_t number) { queues_.emplace(queues_.begin() + static_cast<std::ptrdiff_t>(number)); }
  /// The next record of a source, in its order.
  void add(std::size_t source, LogRecord record) { queues_[source].push_back(std::move(record)); }
  [[nodiscard]] bool empty(std::size_t source) const { return queues_[source].empty(); }
  [[nodiscard]] std::size_t size(std::size_t source) const { return queues_[source].size(); }
  /// The next records, at most `max`. A source without records holds the others back unless it is `drained`: read to
  /// its end. Records of one log time come in the order of the sources.
  std::vector<LogRecord> take(std::size_t max, const std::vector<bool>& drained);
  /// The records of one source that stand before an offset, without a look at the others.
  std::vector<LogRecord> take_before(std::size_t source, std::int64_t offset);

 private:
  std::vector<std::deque<LogRecord>> queues_;
};

}  // namespace phoenix::arbiter
