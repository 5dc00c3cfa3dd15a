#include "arbiter/state_feed.hpp"

#include <algorithm>
#include <utility>

#include "arbiter/clean_text.hpp"
#include "core/events/ledger_comparison.hpp"

namespace phoenix::arbiter {
namespace {

using config::StateSource;

constexpr std::size_t kMaxHeldMarkers = 10'000;  // newer ones say all that older ones say

/// `next_offset` of what is read of each partition (TopicPartition -> something).
template <class Read, class NextOffset>
bool reached(const StateMarker& marker, const Read& read, const NextOffset& next_offset) {
  return std::all_of(marker.after.begin(), marker.after.end(), [&](const auto& wanted) {
    const auto slash = wanted.first.rfind('/');
    if (slash == std::string::npos) return false;
    const auto at = std::find_if(read.begin(), read.end(), [&](const auto& position) {
      return position.first.first == std::string_view(wanted.first).substr(0, slash) &&
             std::to_string(position.first.second) == wanted.first.substr(slash + 1);
    });
    return at != read.end() && std::max<std::int64_t>(next_offset(at->second), 0) >= wanted.second;
  });
}

/// Rows of the snapshot belong to no exchange.
bool can_be_joined(const DebeziumRow& row) {
  return row.ordered || row.change.op == StateChange::Op::snapshot;
}

LogRecord without_value(const LogRecord& record) {
  return {record.topic, record.partition, record.offset, record.timestamp_ms, record.key, {}};
}

}  // namespace

StateFeed::StateFeed(const config::Config& config, StreamProgress before)
    : source_(config.arbiter.state_source),
      streams_(source_ == StateSource::debezium && config.find_slice(config.arbiter.legacy_state.slice) != nullptr),
      before_(std::move(before)),
      decoder_(config),
      debezium_(config.arbiter) {}

bool StateFeed::takes(const LogRecord& record) const {
  return record.topic != topics::kShadowRequests && record.topic != topics::kGatewayStatus;
}

void StateFeed::take(const LogRecord& record, const Positions& read, DecisionCore& core) {
  if (record.topic == topics::kDbStateUpdates) {
    take_state(record, core);
  } else {
    take_debezium(record, core);
  }
  take_reached(read, core);
}

std::vector<TopicPartition> StateFeed::partitions_before() const {
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, _] : before_.taken) {
    if (partition.first == topics::kDbStateUpdates || debezium_.reads(partition.first)) partitions.push_back(partition);
  }
  return partitions;
}

std::int64_t StateFeed::taken_before(const TopicPartition& partition) const {
  const auto taken = before_.taken.find(partition);
  return taken == before_.taken.end() ? ConsumerOptions::kBeginning : taken->second.until;
}

/// Nothing here changes what is in the core: a message that was taken released all that it could then.
void StateFeed::recall(const LogRecord& record) {
  if (record.topic == topics::kDbStateUpdates) {
    auto state = decoder_.decode(record);
    auto* marker = state ? std::get_if<StateMarker>(&*state) : nullptr;
    const auto next_offset = [](const StreamProgress::Taken& taken) { return taken.until; };
    if (marker == nullptr || marker->after.empty()) return;
    if (!reached(*marker, before_.taken, next_offset)) return hold(std::move(*marker), record);
    drop_outdone(*marker, markers_.size());
    return;
  }
  auto decoded = debezium_.decode(record);
  if (!decoded) return;
  StreamJoiner& joiner = joiners_[index(debezium_.side_of(record.topic))];
  if (const auto* message = std::get_if<DebeziumMessage>(&*decoded)) joiner.message(*message, record);
  auto* row = std::get_if<DebeziumRow>(&*decoded);
  const auto& taken = before_.taken.at({record.topic, record.partition});
  if (row != nullptr && can_be_joined(*row) && record.offset >= taken.rows_until)
    joiner.row(std::move(*row), without_value(record));
}

StreamProgress StateFeed::progress(const Positions& read) const {
  StreamProgress progress;
  if (!streams_) return progress;
  for (const auto& [partition, next] : read) {
    if (partition.first == topics::kShadowRequests || partition.first == topics::kGatewayStatus) continue;
    auto before = before_.taken.find(partition);
    StreamProgress::Taken taken = before == before_.taken.end() ? StreamProgress::Taken{} : before->second;
    taken = {std::max(taken.until, next), std::max(taken.rows_until, next)};
    if (debezium_.reads(partition.first)) {
      const auto& joiner = joiners_[index(debezium_.side_of(partition.first))];
      taken.rows_until = joiner.first_held_row(partition).value_or(taken.rows_until);
    }
    progress.taken.emplace(partition, taken);
  }
  return progress;
}

void StateFeed::hold(StateMarker marker, const LogRecord& record) {
  if (markers_.size() == kMaxHeldMarkers) markers_.pop_front();
  markers_.push_back({std::move(marker), without_value(record)});
}

/// A marker that counts says all that older ones of its side say. Such a one may never be reached: of a topic that was
/// created anew, or is not read any more. How many of the first `before` were dropped.
std::size_t StateFeed::drop_outdone(const StateMarker& by, std::size_t before) {
  const auto end = markers_.begin() + static_cast<std::ptrdiff_t>(before);
  const auto kept = std::remove_if(markers_.begin(), end, [&](const HeldMarker& held) {
    return held.marker.side == by.side && held.marker.covers <= by.covers;
  });
  const auto dropped = static_cast<std::size_t>(end - kept);
  markers_.erase(kept, end);
  return dropped;
}

void StateFeed::take_state(const LogRecord& record, DecisionCore& core) {
  if (is_ledger_comparison(record.value)) return core.apply(record);
  auto state = decoder_.decode(record);
  if (source_ == StateSource::query) {
    // Somebody may capture although nobody asked for it; the rest is the core's, readings and what cannot be read.
    if (!state || std::holds_alternative<BalanceReading>(*state)) core.apply(record);
    return;
  }
  if (!state) return set_aside(record, state.error().message, core);
  if (auto* marker = std::get_if<StateMarker>(&*state); marker != nullptr && !marker->after.empty())
    return hold(std::move(*marker), record);
  core.apply_state(*state, record);
}

void StateFeed::take_debezium(const LogRecord& record, DecisionCore& core) {
  auto decoded = debezium_.decode(record);
  if (!decoded) return set_aside(record, decoded.error().message, core);
  if (std::holds_alternative<StateIgnored>(*decoded)) return;
  const Side side = debezium_.side_of(record.topic);
  if (auto* gap = std::get_if<StateGap>(&*decoded)) return core.apply_state(*gap, record);
  StreamJoiner& joiner = joiners_[index(side)];
  if (const auto* message = std::get_if<DebeziumMessage>(&*decoded)) {
    joiner.message(*message, record);
  } else {
    auto& row = std::get<DebeziumRow>(*decoded);
    if (!can_be_joined(row)) {
      return set_aside(
          record,
          "Debezium record: without its transaction's number and place it cannot be joined with its exchange;"
          " add txId and sequence to add.fields of the flattened form",
          core);
    }
    joiner.row(std::move(row), without_value(record));
  }
  feed_joined(side, core);
}

void StateFeed::feed_joined(Side side, DecisionCore& core) {
  StreamJoiner& joiner = joiners_[index(side)];
  LogRecord last;
  for (auto& joined : joiner.take_joined()) {
    core.apply_state(StateRecord(std::move(joined.change)), joined.record);
    last = std::move(joined.record);
  }
  if (joiner.take_overflow())
    feed_gap(side, "more rows wait for the messages of their transactions than can be held", "", last, core);
}

void StateFeed::take_reached(const Positions& read, DecisionCore& core) {
  for (std::size_t i = 0; i < markers_.size();) {
    if (!reached(markers_[i].marker, read, [](std::int64_t next) { return next; })) {
      ++i;
      continue;
    }
    StateMarker marker = std::move(markers_[i].marker);
    const LogRecord record = std::move(markers_[i].record);
    markers_.erase(markers_.begin() + static_cast<std::ptrdiff_t>(i));
    i -= drop_outdone(marker, i);
    // Rows from before it have been read, but those that still wait for a message are not in the core.
    joiners_[index(marker.side)].passed(marker.id);
    feed_joined(marker.side, core);
    marker.after.clear();
    core.apply_state(StateRecord(std::move(marker)), record);
  }
}

void StateFeed::set_aside(const LogRecord& record, const std::string& reason, DecisionCore& core) {
  core.reject(record, reason);
  if (source_ == StateSource::query) return;
  if (record.topic != topics::kDbStateUpdates)
    return feed_gap(debezium_.side_of(record.topic), reason, "", record, core);
  // Captured changes have their account as key, and which side this was of may be what cannot be read.
  for (const Side side : {Side::legacy, Side::modern}) feed_gap(side, reason, clean_text(record.key), record, core);
}

void StateFeed::feed_gap(Side side, std::string reason, std::string account, const LogRecord& record,
                         DecisionCore& core) {
  core.apply_state(StateRecord(StateGap{side, std::move(reason), std::move(account)}), without_value(record));
}

void StateFeed::note_lost_records(const TopicPartition& where, DecisionCore& core) {
  before_.taken.erase(where);
  if (source_ == StateSource::query) return;
  LogRecord record;
  record.topic = where.first;
  record.partition = where.second;
  const std::string reason = "records were lost to retention";
  if (where.first == topics::kDbStateUpdates) {
    for (const Side side : {Side::legacy, Side::modern}) feed_gap(side, reason, "", record, core);
  } else if (streams_ && where.first != topics::kShadowRequests && where.first != topics::kGatewayStatus) {
    feed_gap(debezium_.side_of(where.first), reason, "", record, core);
  }
}

std::optional<std::int64_t> StateFeed::read_from(const TopicPartition& partition) const {
  if (!streams_) return std::nullopt;
  if (partition.first == topics::kDbStateUpdates)
    return markers_.empty() ? std::nullopt : std::optional(markers_.front().record.offset);
  return joiners_[index(debezium_.side_of(partition.first))].read_from(partition);
}

}  // namespace phoenix::arbiter
