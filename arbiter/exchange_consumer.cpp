#include "arbiter/exchange_consumer.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>

#include "arbiter/accepted_rules_file.hpp"
#include "arbiter/score_publisher.hpp"
#include "arbiter/shard.hpp"
#include "arbiter/stream_marker.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::arbiter {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kIdleWait{5};
constexpr milliseconds kStandbyWait{100};
constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLongestRetry{2'000};
constexpr std::chrono::nanoseconds kGoodRun = std::chrono::seconds(10);  ///< after it, trouble is tried afresh
constexpr std::size_t kMostQueued = 4 * Shard::kBatch;                   ///< records of a topic that a shard holds back
constexpr std::chrono::nanoseconds kIdleTell = milliseconds(100);
constexpr std::chrono::nanoseconds kLagEvery = std::chrono::seconds(1);

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "arbiter";
}

}  // namespace

struct ExchangeConsumer::Impl {
  Impl(const config::Config& configuration, EventLog& event_log, VerdictStore& verdict_store, Producer& out,
       StatusBoard& status, const Clock& time)
      : config(configuration),
        log(event_log),
        store(verdict_store),
        producer(out),
        board(status),
        clock(time),
        scores(out, time, configuration.arbiter.score_interval),
        rules(configuration, fmt::format("{}/{}", host_name(), getpid()),
              [this](int partition, const std::string& key, const std::string& value) {
                return producer.publish_to(partition, topics::kDbStateUpdates, key, value);
              }) {}

  void run() {
    milliseconds retry = kFirstRetry;
    while (!stopping) {
      try {
        take_up();
        taken_up_at = clock.monotonic();
        while (!stopping) step();
      } catch (const std::exception& e) {
        if (clock.monotonic() - taken_up_at > kGoodRun) retry = kFirstRetry;
        note_trouble(e.what());
        pause(retry);
        retry = std::min(retry * 2, kLongestRetry);
      }
      leave();
    }
  }

  // ---- taking up and leaving ----

  void take_up() {
    store.connect();
    ConsumerOptions options;
    options.topics = {kSourceTopics[kExchanges]};
    options.group = group_of(kExchanges);
    options.start_position = [this](const TopicPartition& partition) { return on_assigned(partition); };
    options.on_revoked = [this](const std::vector<TopicPartition>& partitions) { on_revoked(partitions); };
    consumers[kExchanges] = log.make_consumer(std::move(options));
    note_recovery();
    board.update([](ArbiterStatus& s) { ++s.reloads; });
  }

  static std::string group_of(Source source) { return std::string("arbiter-") + kSourceTopics[source]; }

  /// The group shares the partitions of shadow-requests; who has one judges its slices. Called inside a poll.
  std::int64_t on_assigned(const TopicPartition& partition) {
    if (partition.second >= shard_count(config)) {
      log::error("partition {} of {} is beyond event_log.kafka.partitions and is not read", partition.second,
                 partition.first);
      return ConsumerOptions::kEnd;
    }
    shards.erase(partition.second);
    const auto [shard, _] = shards.try_emplace(partition.second, config, partition.second, store, producer, clock);
    reopen = true;
    return shard->second.position(kExchanges);
  }

  void on_revoked(const std::vector<TopicPartition>& partitions) {
    for (const auto& partition : partitions) {
      shards.erase(partition.second);
      rules.forget(partition.second);
    }
    reopen = true;
  }

  /// The other topics follow the shards: nobody else reads them for these slices.
  void open_followers() {
    reopen = false;
    consumers[kReadings].reset();
    consumers[kHeartbeats].reset();
    streams.reset();
    for (auto& marker : markers) marker.reset();
    board.update([](ArbiterStatus& s) {
      s.shards.clear();
      s.lag.clear();
    });
    std::string list;
    for (const auto& [number, shard] : shards) {
      if (!list.empty()) list += ", ";
      list += std::to_string(number);
    }
    log::info("judges partitions: {}", list.empty() ? "none; standing by" : list);
    if (shards.empty()) return;
    for (const Source source : {kReadings, kHeartbeats}) consumers[source] = log.make_consumer(follow(source));
    if (Shard* shard = stream_shard()) {
      streams = log.make_consumer(follow_streams(*shard));
      const auto& [legacy, modern] = std::tie(config.arbiter.legacy_state, config.arbiter.modern_state);
      const int partition = shard->partition(kReadings).second;
      using Options = StreamMarker::Options;
      markers[0] = std::make_unique<StreamMarker>(Options{"legacy", config.arbiter.legacy_db.url, legacy, partition},
                                                  log, producer);
      markers[1] = std::make_unique<StreamMarker>(Options{"modern", config.arbiter.modern_db.url, modern, partition},
                                                  log, producer);
    }
  }

  /// The shard whose ledgers Debezium's topics tell of; nullptr: not here, or nobody's.
  Shard* stream_shard() {
    for (auto& [number, shard] : shards) {
      if (shard.reads_streams()) return &shard;
    }
    return nullptr;
  }

  /// All partitions: their accounts are the slice's, whatever Debezium hashed them by.
  ConsumerOptions follow_streams(Shard& shard) {
    ConsumerOptions options;
    const auto& [legacy, modern] = std::tie(config.arbiter.legacy_state.topics, config.arbiter.modern_state.topics);
    options.topics = legacy;
    options.topics.insert(options.topics.end(), modern.begin(), modern.end());
    options.start_position = [&shard](const TopicPartition& partition) { return shard.add_stream(partition); };
    return options;
  }

  ConsumerOptions follow(Source source) {
    ConsumerOptions options;
    options.topics = {kSourceTopics[source]};
    if (source == kReadings) options.group = group_of(source);
    options.partitions.emplace();
    const Positions from = positions_of(source);
    for (const auto& [partition, next] : from) options.partitions->push_back(partition.second);
    options.start_position = [from](const TopicPartition& partition) { return from.at(partition); };
    return options;
  }

  /// How far a topic has been read. Shards that read one partition together count as the one that is furthest behind.
  [[nodiscard]] Positions positions_of(Source source) const {
    Positions positions;
    for (const auto& [number, shard] : shards) {
      const auto [at, added] = positions.try_emplace(shard.partition(source), shard.position(source));
      if (!added) at->second = std::min(at->second, shard.position(source));
    }
    return positions;
  }

  void leave() {
    for (auto& consumer : consumers) consumer.reset();
    streams.reset();
    for (auto& marker : markers) marker.reset();
    shards.clear();
    reopen = false;
  }

  void note_trouble(const std::string& what) {
    if (what != trouble) log::warn("{}; retrying", what);
    trouble = what;
    board.update([&](ArbiterStatus& s) {
      s.ready = false;
      s.reason = what;
    });
  }

  void note_recovery() {
    if (!trouble.empty()) log::info("continuing");
    trouble.clear();
    board.update([](ArbiterStatus& s) {
      s.ready = true;
      s.reason.clear();
    });
  }

  void pause(milliseconds time) {
    std::unique_lock lock(mutex);
    wake.wait_for(lock, time, [this] { return stopping.load(); });
  }

  // ---- one round ----

  void step() {
    const bool standby = shards.empty();
    if (standby || any_needs(kExchanges)) {
      const bool well = poll(kExchanges, standby ? kStandbyWait : milliseconds(0));
      if (standby && well && !trouble.empty()) note_recovery();
    }
    if (reopen) open_followers();
    if (shards.empty()) return;
    for (const Source source : {kReadings, kHeartbeats}) {
      if (any_needs(source)) poll(source, milliseconds(0));
    }
    if (streams) poll_streams(*stream_shard());
    bool anything = false;
    for (auto& [number, shard] : shards) anything = shard.step(at_end(shard)) || anything;
    if (!anything && !poll(kExchanges, kIdleWait)) pause(kIdleWait);
    if (reopen) return;  // the shards are others now
    const bool settled =
        std::all_of(shards.begin(), shards.end(), [](const auto& entry) { return entry.second.settled(); });
    if ((anything && settled) || clock.monotonic() >= next_tell) tell();
  }

  [[nodiscard]] bool any_needs(Source source) const {
    return std::any_of(shards.begin(), shards.end(), [&](const auto& entry) { return entry.second.needs(source); });
  }

  [[nodiscard]] std::vector<bool> at_end(const Shard& shard) const {
    std::vector<bool> ends;
    for (const Source source : {kExchanges, kReadings, kHeartbeats}) {
      ends.push_back(at_end(*consumers[source], shard, shard.partition(source)));
    }
    for (const auto& partition : shard.streams()) ends.push_back(at_end(*streams, shard, partition));
    return ends;
  }

  /// A partition that ends before what is to be read again has lost records: then the log is asked. A new leader may
  /// tell a fetch an end that is too early, but answers the question only once it knows better.
  static bool at_end(Consumer& consumer, const Shard& shard, const TopicPartition& partition) {
    const bool ends = consumer.at_end(partition);
    const auto until = ends ? shard.recalls_until(partition) : std::nullopt;
    const auto read = until ? consumer.end_read(partition) : std::nullopt;
    if (!read) return ends;
    const auto end = consumer.query_end(partition);
    return end && (*end == *read || *end < *until);
  }

  /// What a shard cannot decide yet, because another topic holds it back, is bounded.
  void hold_back(Source source) {
    for (const auto& [number, shard] : shards) {
      const std::size_t queued = shard.queued(source);
      if (queued >= kMostQueued) consumers[source]->hold(shard.partition(source), true);
      if (queued <= kMostQueued / 2) consumers[source]->hold(shard.partition(source), false);
    }
  }

  /// False when the log is away.
  bool poll(Source source, milliseconds timeout) {
    if (source != kHeartbeats) hold_back(source);
    auto records = consumers[source]->poll(Shard::kBatch, timeout);
    if (!records) {
      // A log that is merely away is waited for, with the place in the group and the state kept.
      if (records.error().code == ErrorCode::unavailable) {
        if (trouble.empty()) note_trouble(records.error().message);
        return false;
      }
      if (records.error().code == ErrorCode::conflict) note_lost_records(source, records.error().message);
      throw Failure(records.error());
    }
    for (auto& record : *records) {
      if (source == kHeartbeats) {
        for (auto& [number, shard] : shards) shard.offer(source, record);
      } else if (const auto shard = shards.find(record.partition); shard != shards.end()) {
        shard->second.offer(source, std::move(record));
      }
    }
    return true;
  }

  void poll_streams(Shard& shard) {
    if (!shard.streams().empty() && !shard.needs_stream()) return;
    for (std::size_t i = 0; i < shard.streams().size(); ++i) {
      const std::size_t queued = shard.queued(kSources + i);
      if (queued >= kMostQueued) streams->hold(shard.streams()[i], true);
      if (queued <= kMostQueued / 2) streams->hold(shard.streams()[i], false);
    }
    auto records = streams->poll(Shard::kBatch, milliseconds(0));
    if (records) {
      for (auto& record : *records) shard.offer_stream(std::move(record));
      for (std::size_t i = 0; i < shard.streams().size(); ++i) {
        if (const auto end = streams->end_read(shard.streams()[i])) shard.note_stream_end(i, *end);
      }
      return;
    }
    if (records.error().code == ErrorCode::unavailable) {
      if (trouble.empty()) note_trouble(records.error().message);
      return;
    }
    for (const auto& partition : streams->lost_partitions())
      shard.note_lost_records(partition, records.error().message);
    throw Failure(records.error());
  }

  void note_lost_records(Source source, const std::string& why) {
    const auto lost = consumers[source]->lost_partitions();
    for (auto& [number, shard] : shards) {
      if (std::find(lost.begin(), lost.end(), shard.partition(source)) != lost.end())
        shard.note_lost_records(source, why);
    }
  }

  /// After a commit, and every so often while a backlog is worked off: what others may know now.
  void tell() {
    offer_rules();
    next_tell = clock.monotonic() + kIdleTell;
    std::map<int, ShardStatus> now;
    for (auto& [number, shard] : shards) {
      shard.settle();
      const ShardStatus& status = now[number] = shard.status();
      scores.offer(status.scores, status.positions);
      shard.request_readings();
    }
    const bool lag_due = clock.monotonic() >= next_lag;
    std::map<TopicPartition, std::int64_t> lag;
    if (lag_due) {
      next_lag = clock.monotonic() + kLagEvery;
      lag = measure_lag();
    }
    board.update([&](ArbiterStatus& s) {
      s.shards = std::move(now);
      for (const auto& [partition, behind] : lag) s.lag[partition] = behind;
    });
  }

  /// The rules file's present text, where a shard judges by another.
  void offer_rules() {
    const auto now = clock.monotonic();
    if (const auto refused = rules.look(now, rules_wanted.exchange(false)))
      log::error("{}; the rules before stay active", *refused);
    for (const auto& [number, shard] : shards) rules.offer(number, shard.rules_sha256(), now);
  }

  std::map<TopicPartition, std::int64_t> measure_lag() {
    std::map<TopicPartition, std::int64_t> lag;
    bool all = true;
    for (const Source source : {kExchanges, kReadings, kHeartbeats}) {
      const Positions next = positions_of(source);
      consumers[source]->report_progress(next);
      const auto ends = consumers[source]->end_offsets();
      all = all && ends.has_value();
      if (!ends) continue;  // the log is busy: the last known lag stays
      for (const auto& [partition, end] : *ends) {
        const auto at = next.find(partition);
        lag[partition] = end - (at == next.end() ? 0 : std::max<std::int64_t>(0, at->second));
      }
    }
    if (streams) {
      const auto ends = streams->end_offsets();
      all = all && ends.has_value();
      const Shard& shard = *stream_shard();
      for (const auto& partition : ends ? shard.streams() : std::vector<TopicPartition>{}) {
        const auto end = ends->find(partition);
        if (end != ends->end()) lag[partition] = end->second - std::max<std::int64_t>(0, shard.position(partition));
      }
    }
    if (all && !trouble.empty()) note_recovery();
    return lag;
  }

  const config::Config& config;
  EventLog& log;
  VerdictStore& store;
  Producer& producer;
  StatusBoard& board;
  const Clock& clock;
  ScorePublisher scores;

  AcceptedRulesPublisher rules;
  std::atomic<bool> rules_wanted{false};
  std::map<int, Shard> shards;  // by partition
  std::array<std::unique_ptr<Consumer>, kSources> consumers;
  std::unique_ptr<Consumer> streams;                     // Debezium's topics; none where no shard of ours reads them
  std::array<std::unique_ptr<StreamMarker>, 2> markers;  // for those topics, by side
  bool reopen = false;
  std::chrono::nanoseconds next_lag{0};
  std::chrono::nanoseconds next_tell{0};
  std::chrono::nanoseconds taken_up_at{0};
  std::string trouble;

  std::atomic<bool> stopping{false};
  std::mutex mutex;
  std::condition_variable wake;
  std::thread thread;
};

int shard_count(const config::Config& config) {
  return config.mode == config::Mode::enterprise ? config.event_log.kafka.partitions : 1;
}

ExchangeConsumer::ExchangeConsumer(const config::Config& config, EventLog& log, VerdictStore& store, Producer& producer,
                                   StatusBoard& board, const Clock& clock)
    : impl_(std::make_unique<Impl>(config, log, store, producer, board, clock)) {
  impl_->thread = std::thread([this] { impl_->run(); });
}

void ExchangeConsumer::read_rules_again() {
  impl_->rules_wanted = true;
}

ExchangeConsumer::~ExchangeConsumer() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  impl_->thread.join();
}

}  // namespace phoenix::arbiter
