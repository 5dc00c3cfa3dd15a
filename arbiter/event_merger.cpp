#include "arbiter/event_merger.hpp"

namespace phoenix::arbiter {

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

std::vector<LogRecord> EventMerger::take_before(std::size_t source, std::int64_t offset) {
  std::vector<LogRecord> taken;
  auto& queue = queues_[source];
  for (; !queue.empty() && queue.front().offset < offset; queue.pop_front()) taken.push_back(std::move(queue.front()));
  return taken;
}

}  // namespace phoenix::arbiter
