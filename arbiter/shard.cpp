#include "arbiter/shard.hpp"

#include <fmt/format.h>

#include <algorithm>

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

Shard::Shard(const config::Config& config, int number, VerdictStore& store, Producer& producer, const Clock& clock,
             Purpose purpose)
    : config_(with_own_slices(config, number)), number_(number), store_(store), producer_(producer), clock_(clock) {
  CoreState state = store.load(number);
  feed_ = std::make_unique<StateFeed>(config_, decode_stream_progress(state.stream_progress).value());
  if (feed_->reads_streams()) to_recall_ = feed_->partitions_before();
  positions_ = state.positions;
  for (const Source source : {kExchanges, kReadings, kHeartbeats}) {
    positions_.try_emplace(partition(source), ConsumerOptions::kBeginning);
  }
  committed_ = positions_;
  rules_ = restored_rules(state.accepted_rules);
  core_ = std::make_unique<DecisionCore>(config_, std::move(state), &policy_);
  const auto& [legacy, modern] = std::tie(config.arbiter.legacy_db, config.arbiter.modern_db);
  // A partition without a slice has no accounts; its load on the ledgers would be for nothing.
  const bool asks = config.arbiter.state_source == config::StateSource::query && !legacy.url.empty();
  if (purpose == Purpose::judge && asks && !config_.slices.empty()) {
    readings_ = std::make_unique<LedgerReader>(legacy, modern, producer, number);
  }
  const auto& sweep = config.arbiter.sweep;
  if (purpose == Purpose::judge && sweep.configured(legacy, modern) && config_.find_slice(sweep.slice) != nullptr) {
    sweeps_ = std::make_unique<SweepRunner>(config_.arbiter, verdict_database(config), producer, number);
  }
}

Shard::~Shard() {
  try {
    settle();
  } catch (const std::exception& error) {
    log::warn("partition {}: {}", number_, error.what());
  }
}

TopicPartition Shard::partition(Source source) const {
  return {kSourceTopics[source], source == kHeartbeats ? 0 : number_};
}

std::int64_t Shard::position(Source source) const {
  const int number = source == kHeartbeats ? 0 : number_;
  for (const auto& [at, next] : positions_) {
    if (at.second == number && at.first == kSourceTopics[source]) return next;
  }
  return ConsumerOptions::kBeginning;
}

/// There are a handful: looking through them needs no copy of the topic's name.
void Shard::note_read(const LogRecord& record) {
  for (auto& [at, next] : positions_) {
    if (at.second != record.partition || at.first != record.topic) continue;
    next = record.offset + 1;
    return;
  }
  positions_[{record.topic, record.partition}] = record.offset + 1;
}

void Shard::offer(Source source, LogRecord record) {
  if (record.offset < position(source)) return;
  merger_.add(source, std::move(record));
}

std::int64_t Shard::add_stream(const TopicPartition& partition) {
  const auto [at, added] = positions_.try_emplace(partition, ConsumerOptions::kBeginning);
  committed_.try_emplace(partition, at->second);
  // In their order, which decides between records of one log time, whoever adds them.
  const auto place = std::lower_bound(streams_.begin(), streams_.end(), partition);
  if (place == streams_.end() || *place != partition) {
    merger_.add_source(kSources + static_cast<std::size_t>(place - streams_.begin()));
    streams_.insert(place, partition);
  }
  return at->second;
}

bool Shard::needs_stream() const {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (merger_.empty(kSources + i)) return true;
  }
  return false;
}

void Shard::offer_stream(LogRecord record) {
  const TopicPartition from{record.topic, record.partition};
  const auto at = std::find(streams_.begin(), streams_.end(), from);
  if (at == streams_.end() || record.offset < positions_.at(from)) return;
  merger_.add(kSources + static_cast<std::size_t>(at - streams_.begin()), std::move(record));
}

void Shard::note_stream_end(std::size_t stream, std::int64_t end) {
  auto& position = positions_.at(streams_[stream]);
  if (merger_.empty(kSources + stream)) position = std::max(position, end);
}

void Shard::apply(const LogRecord& record) {
  note_read(record);
  if (record.topic == topics::kDbStateUpdates && record.key == kAcceptedRulesKey) {
    take_rules(record);
  } else if (feed_->takes(record)) {
    feed_->take(record, positions_, *core_);
  } else {
    core_->apply(record);
  }
}

ActiveRules Shard::restored_rules(const std::string& stored) {
  if (stored.empty()) return {};
  auto rules = ActiveRules::restored(stored);
  if (rules) return std::move(*rules);
  log::error("the stored rules of accepted changes cannot be used, and nothing is accepted: {}", rules.error().message);
  return {};
}

void Shard::take_rules(const LogRecord& record) {
  const std::string before = rules_.sha256();
  if (const auto refused = rules_.activate(record.value)) return core_->reject(record, *refused);
  if (rules_.sha256() == before) return;
  rules_changed_ = true;
  log::info("partition {}: {} rules of accepted changes are active ({}, activated by {})", number_,
            rules_.changes().rules().size(), rules_.record().file, rules_.record().activated_by);
}

std::vector<std::pair<std::size_t, TopicPartition>> Shard::state_sources() const {
  std::vector<std::pair<std::size_t, TopicPartition>> sources{{kReadings, partition(kReadings)}};
  for (std::size_t i = 0; i < streams_.size(); ++i) sources.emplace_back(kSources + i, streams_[i]);
  return sources;
}

std::optional<std::int64_t> Shard::recalls_until(const TopicPartition& partition) const {
  if (std::find(to_recall_.begin(), to_recall_.end(), partition) == to_recall_.end()) return std::nullopt;
  const auto at = positions_.find(partition);
  const std::int64_t until = feed_->taken_before(partition);
  return (at == positions_.end() ? ConsumerOptions::kBeginning : at->second) < until ? std::optional(until)
                                                                                     : std::nullopt;
}

bool Shard::recalled() const {
  return std::none_of(to_recall_.begin(), to_recall_.end(),
                      [this](const auto& partition) { return recalls_until(partition).has_value(); });
}

void Shard::lose_what_waited(const TopicPartition& partition) {
  log::error("{} partition {} ends before offset {}, up to which it had been read: its records were lost",
             partition.first, partition.second, feed_->taken_before(partition));
  feed_->note_lost_records(partition, *core_);
}

bool Shard::recall(const std::vector<bool>& at_end) {
  bool anything = false;
  for (const auto& [source, partition] : state_sources()) {
    const std::int64_t until = feed_->taken_before(partition);
    for (const auto& record : merger_.take_before(source, until)) {
      note_read(record);
      feed_->recall(record);
      anything = true;
    }
    auto& position = positions_.at(partition);  // compaction may have taken the last ones away
    if (!merger_.empty(source)) position = std::max(position, until);
    if (position < until && at_end[source]) lose_what_waited(partition);
  }
  // All partitions of a topic are added at once: those that were not are gone.
  for (const auto& partition : to_recall_) {
    const bool added = std::find(streams_.begin(), streams_.end(), partition) != streams_.end();
    const bool others = std::any_of(streams_.begin(), streams_.end(),
                                    [&](const TopicPartition& stream) { return stream.first == partition.first; });
    if (!added && others && recalls_until(partition)) lose_what_waited(partition);
  }
  return anything;
}

bool Shard::step(const std::vector<bool>& at_end) {
  if (!recalled()) {
    const bool anything = recall(at_end);
    if (!recalled()) return anything;
  }
  const auto records = merger_.take(kBatch, at_end);
  for (const auto& record : records) {
    apply(record);
  }
  feed_->take_reached(positions_, *core_);
  const CoreChanges changes = core_->take_changes();
  const bool idle_commit_due = clock_.monotonic() >= next_idle_commit_;
  if (policy_.take_changed()) rules_changed_ = true;
  if (!changes.empty() || rules_changed_ || (idle_commit_due && durable_positions() != committed_))
    begin_commit(changes);
  if (records.size() < kBatch) settle();
  return !records.empty();
}

Positions Shard::durable_positions() const {
  Positions durable = positions_;
  if (!feed_->reads_streams()) return durable;
  for (const auto& [_, partition] : state_sources()) {
    const auto held = feed_->read_from(partition);
    if (held && *held < durable[partition]) durable[partition] = *held;
  }
  return durable;
}

void Shard::begin_commit(const CoreChanges& changes) {
  Positions to;
  Positions durable = durable_positions();
  for (const auto& [partition, next] : durable) {
    if (committed_.at(partition) != next) to.emplace(partition, next);
  }
  PreparedCommit prepared = VerdictStore::prepare(number_, *core_, changes, committed_, std::move(to));
  if (feed_->reads_streams()) prepared.stream_progress = encode(feed_->progress(positions_));
  if (std::exchange(rules_changed_, false)) prepared.put_rules(rules_.stored());
  settle();
  commit_ = std::async(std::launch::async, [this, prepared = std::move(prepared)] { return store_.commit(prepared); });
  committed_ = std::move(durable);
  for (const auto& [id, event] : changes.verdicts) {
    untold_.emplace_back(event.account.empty() ? event.exchange_id : event.account, encode(event));
  }
  for (const auto& notice : changes.split_keys) untold_.emplace_back(notice.key, encode(notice));
}

void Shard::settle() {
  if (!commit_.valid()) return;
  if (!commit_.get())
    throw Failure(ErrorCode::conflict, fmt::format("another arbiter has moved the positions of partition {}", number_));
  next_idle_commit_ = clock_.monotonic() + kIdleCommitEvery;
  for (auto& [key, value] : untold_) producer_.publish(topics::kVerdicts, std::move(key), std::move(value));
  untold_.clear();
}

void Shard::note_lost_records(const TopicPartition& where, const std::string& why) {
  log::error("{}: records were lost before they were read: {}", where.first, why);
  core_->note_lost_records();
  feed_->note_lost_records(where, *core_);
  CoreChanges changes = core_->take_changes();
  changes.rejected.push_back({where.first, where.second, positions_.at(where), "lost to retention: " + why, ""});
  positions_[where] = ConsumerOptions::kBeginning;
  begin_commit(changes);
  settle();
}

void Shard::request_readings() {
  if (readings_) readings_->want(core_->wanted_readings(), core_->exchange_time_us());
  if (sweeps_) sweeps_->facts().serve(*core_);
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
  if (const auto ledger = core_->ledger()) status.postings_given_up = ledger->postings_given_up;
  if (readings_) status.readings = readings_->stats();
  if (sweeps_) status.sweep = sweeps_->status();
  status.rules = rules_.changes().status(status.event_time_us);
  return status;
}

}  // namespace phoenix::arbiter
