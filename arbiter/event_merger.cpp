#include "arbiter/event_merger.hpp"

#include <iterator>

namespace phoenix::arbiter {

void EventMerger::add(std::size_t source, std::vector<LogRecord> records) {
  auto& queue = queues_[source];
  queue.insert(queue.end(), std::make_move_iterator(records.begin()), std::make_move_iterator(records.end()));
}

std::vector<LogRecord> EventMerger::take(std::size_t max, const std::vector<bool>& drained) {
  std::vector<LogRecord> merged;
  while (merged.size() < max) {
    std::deque<LogRecord>* earliest = nullptr;
    for (std::size_t source = 0; source < queues_.size(); ++source) {
      auto& queue = queues_[source];
      if (queue.empty() && !drained[source]) return merged;
      if (queue.empty()) continue;
      if (earliest == nullptr || queue.front().timestamp_ms < earliest->front().timestamp_ms) earliest = &queue;
    }
    if (earliest == nullptr) return merged;
    merged.push_back(std::move(earliest->front()));
    earliest->pop_front();
  }
  return merged;
}

}  // namespace phoenix::arbiter
