#include "arbiter/stream_joiner.hpp"

#include <algorithm>
#include <utility>

namespace phoenix::arbiter {

void StreamJoiner::row(DebeziumRow row, LogRecord where) {
  where.value.clear();
  auto& queue = held_[{where.topic, where.partition}];
  const bool now = queue.empty() && row.emitted < seen_;
  HeldRow held{std::move(row), std::move(where)};
  if (now) return join(std::move(held));
  queue.push_back(std::move(held));
  if (++rows_ <= kMaxRows) return;
  overflow_ = true;
  seen_ = std::max(seen_, queue.back().row.emitted);
  ++seen_.second;
  release();
}

void StreamJoiner::message(const DebeziumMessage& message, const LogRecord& where) {
  const bool again = !order_.empty() && message.emitted <= order_.back().emitted;  // the connector began earlier
  seen_ = std::max(seen_, message.emitted);
  if (!again) {
    const bool marker = message.exchange_id.empty() && !message.malformed;
    order_.push_back({message.emitted,
                      {where.topic, where.partition},
                      where.offset,
                      marker ? std::string() : message.transaction,
                      message.marker});
    if (!marker)
      messages_[{message.emitted.first, message.transaction}].push_back({message.emitted, message.exchange_id});
  }
  release();
  if (order_.size() <= kMaxMessages) return;
  overflow_ = true;
  forget_before(order_[order_.size() / 2].emitted);
}

bool StreamJoiner::passed(const std::string& marker) {
  const auto at = std::find_if(order_.begin(), order_.end(),
                               [&](const Place& place) { return !marker.empty() && place.marker == marker; });
  if (at == order_.end()) return false;
  const EmittedAt emitted = at->emitted;
  forget_before(emitted);
  return true;
}

/// A queue is in the order of emission, so what stands behind the first that waits waits as well.
void StreamJoiner::release() {
  for (auto& [partition, queue] : held_) {
    for (; !queue.empty() && queue.front().row.emitted < seen_; --rows_) {
      HeldRow held = std::move(queue.front());
      queue.pop_front();
      join(std::move(held));
    }
  }
}

void StreamJoiner::join(HeldRow held) {
  StateChange& change = held.row.change;
  if (const auto found = messages_.find({held.row.emitted.first, change.transaction}); found != messages_.end()) {
    for (const auto& message : found->second) {
      if (message.emitted <= held.row.emitted) change.exchange_id = message.exchange_id;
    }
  }
  joined_.push_back({std::move(change), std::move(held.where)});
}

void StreamJoiner::forget_before(EmittedAt emitted) {
  while (!order_.empty() && order_.front().emitted < emitted) {
    if (const Place& place = order_.front(); !place.transaction.empty())
      messages_.erase({place.emitted.first, place.transaction});
    order_.pop_front();
  }
}

std::vector<StreamJoiner::Joined> StreamJoiner::take_joined() {
  return std::exchange(joined_, {});
}

std::optional<std::int64_t> StreamJoiner::first_held_row(const TopicPartition& partition) const {
  const auto queue = held_.find(partition);
  if (queue == held_.end() || queue->second.empty()) return std::nullopt;
  return queue->second.front().where.offset;
}

std::optional<std::int64_t> StreamJoiner::read_from(const TopicPartition& partition) const {
  std::optional<std::int64_t> from = first_held_row(partition);
  const auto message =
      std::find_if(order_.begin(), order_.end(), [&](const Place& place) { return place.partition == partition; });
  if (message != order_.end()) from = std::min(from.value_or(message->offset), message->offset);
  return from;
}

}  // namespace phoenix::arbiter
