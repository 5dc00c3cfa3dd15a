#include "arbiter/shard.hpp"

#include <fmt/format.h>

#include "core/runtime/log.hpp"

namespace phoenix::arbiter {
namespace {

/// Heartbeats alone change nothing that is stored: their positions are written this often.
constexpr std::chrono::nanoseconds kIdleCommitEvery = std::chrono::seconds(1);

}  // namespace

config::Config Shard::with_own_slices(config::Config config, int number) {
  std::erase_if(config.slices, [&](const auto& slice) { return slice_partition(config, slice.name) != number; });
  return config;
}

Shard::Shard(const config::Config& config, int number, VerdictStore& store, Producer& producer, const Clock& clock)
    : config_(with_own_slices(config, number)), number_(number), store_(store), producer_(producer), clock_(clock) {
  CoreState state = store.load(number);
  positions_ = state.positions;
  for (const Source source : {kExchanges, kReadings, kHeartbeats}) {
    positions_.try_emplace(partition(source), ConsumerOptions::kBeginning);
  }
  committed_ = positions_;
  core_ = std::make_unique<DecisionCore>(config_, std::move(state));
  const auto& [legacy, modern] = std::tie(config.arbiter.legacy_db, config.arbiter.modern_db);
  // A partition without a slice has no accounts; its load on the ledgers would be for nothing.
  if (!legacy.url.empty() && !modern.url.empty() && !config_.slices.empty()) {
    readings_ = std::make_unique<LedgerReader>(legacy, modern, producer, number);
  }
}

TopicPartition Shard::partition(Source source) const {
  return {kSourceTopics[source], source == kHeartbeats ? 0 : number_};
}

std::int64_t Shard::position(Source source) const {
  return positions_.at(partition(source));
}

void Shard::offer(Source source, LogRecord record) {
  if (record.offset < position(source)) return;
  merger_.add(source, std::move(record));
}

bool Shard::step(const std::vector<bool>& at_end) {
  const auto records = merger_.take(kBatch, at_end);
  for (const auto& record : records) {
    core_->apply(record);
    positions_[{record.topic, record.partition}] = record.offset + 1;
  }
  const CoreChanges changes = core_->take_changes();
  if (!changes.empty() || (positions_ != committed_ && clock_.monotonic() >= next_idle_commit_)) commit(changes);
  return !records.empty();
}

void Shard::commit(const CoreChanges& changes) {
  Positions to;
  for (const auto& [partition, next] : positions_) {
    if (committed_.at(partition) != next) to.emplace(partition, next);
  }
  if (!store_.commit(number_, *core_, changes, committed_, to)) {
    throw Failure(ErrorCode::conflict, fmt::format("another arbiter has moved the positions of partition {}", number_));
  }
  committed_ = positions_;
  next_idle_commit_ = clock_.monotonic() + kIdleCommitEvery;
  for (const auto& [id, event] : changes.verdicts) {
    producer_.publish(topics::kVerdicts, event.account.empty() ? event.exchange_id : event.account, encode(event));
  }
  for (const auto& notice : changes.split_keys) producer_.publish(topics::kVerdicts, notice.key, encode(notice));
}

void Shard::note_lost_records(Source source, const std::string& why) {
  log::error("{}: records were lost before they were read: {}", kSourceTopics[source], why);
  core_->note_lost_records();
  CoreChanges changes = core_->take_changes();
  const TopicPartition where = partition(source);
  changes.rejected.push_back({where.first, where.second, positions_.at(where), "lost to retention: " + why, ""});
  positions_[where] = ConsumerOptions::kBeginning;
  commit(changes);
}

void Shard::request_readings() {
  if (readings_) readings_->want(core_->wanted_readings(), core_->exchange_time_us());
}

ShardStatus Shard::status() const {
  ShardStatus status;
  status.scores = core_->scores();
  status.counters = core_->counters();
  status.rejected = core_->rejected();
  status.positions = positions_;
  status.open = core_->open_count();
  status.oldest_open_us = core_->oldest_open_us();
  status.event_time_us = core_->event_time_us();
  status.accounts_to_read = core_->wanted_readings().size();
  if (readings_) status.readings = readings_->stats();
  return status;
}

}  // namespace phoenix::arbiter
