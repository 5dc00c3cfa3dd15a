#include "arbiter/exchange_consumer.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "arbiter/event_merger.hpp"
#include "arbiter/score_publisher.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::arbiter {
namespace {

using std::chrono::milliseconds;

constexpr std::array<const char*, 3> kTopics{topics::kShadowRequests, topics::kDbStateUpdates, topics::kGatewayStatus};
constexpr milliseconds kIdleWait{5};
constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLongestRetry{2'000};
constexpr std::chrono::nanoseconds kIdleTell = milliseconds(100);
constexpr std::chrono::nanoseconds kLagEvery = std::chrono::seconds(1);

}  // namespace

struct ExchangeConsumer::Impl {
  Impl(const config::Config& configuration, EventLog& event_log, VerdictStore& verdict_store, Producer& out,
       LedgerReader* ledger_reader, StatusBoard& status, const Clock& time)
      : config(configuration),
        log(event_log),
        store(verdict_store),
        producer(out),
        readings(ledger_reader),
        board(status),
        clock(time),
        scores(out, time, configuration.arbiter.score_interval) {}

  void run() {
    milliseconds retry = kFirstRetry;
    while (!stopping) {
      try {
        reload();
        retry = kFirstRetry;
        while (!stopping && !revoked) step();
        if (revoked) log::info("partitions were taken away: reloading");
      } catch (const std::exception& e) {
        note_trouble(e.what());
        pause(retry);
        retry = std::min(retry * 2, kLongestRetry);
      }
      leave();
    }
  }

  // ---- taking up and leaving ----

  void reload() {
    store.connect();
    CoreState state = store.load();
    positions = std::move(state.positions);
    core = std::make_unique<DecisionCore>(config, std::move(state));
    merger = EventMerger(kTopics.size());
    revoked = false;
    for (std::size_t source = 0; source < kTopics.size(); ++source) consumers[source] = open_consumer(source);
    if (!trouble.empty()) log::info("continuing");
    trouble.clear();
    board.update([](ArbiterStatus& s) {
      s.ready = true;
      s.reason.clear();
      ++s.reloads;
    });
    tell();
  }

  /// One consumer a topic: a topic can then be held back while the other is behind. Kafka wants groups to subscribe
  /// alike, hence a group each.
  std::unique_ptr<Consumer> open_consumer(std::size_t source) {
    ConsumerOptions options;
    options.topics = {kTopics[source]};
    options.group = std::string("arbiter-") + kTopics[source];
    options.start_position = [this](const TopicPartition& partition) {
      return positions.try_emplace(partition, ConsumerOptions::kBeginning).first->second;
    };
    options.on_revoked = [this](const std::vector<TopicPartition>&) { revoked = true; };
    return log.make_consumer(std::move(options));
  }

  void leave() {
    for (auto& consumer : consumers) consumer.reset();
    core.reset();
  }

  void note_trouble(const std::string& what) {
    if (what != trouble) log::warn("{}; retrying", what);
    trouble = what;
    board.update([&](ArbiterStatus& s) {
      s.ready = false;
      s.reason = what;
    });
  }

  void pause(milliseconds time) {
    std::unique_lock lock(mutex);
    wake.wait_for(lock, time, [this] { return stopping.load(); });
  }

  // ---- one batch ----

  void step() {
    const auto records = next_batch();
    if (revoked) return;
    if (!records.empty()) {
      Positions to;
      for (const auto& record : records) {
        core->apply(record);
        to[{record.topic, record.partition}] = record.offset + 1;
      }
      commit(to);
    }
    if (!records.empty() || clock.monotonic() >= next_tell) tell();
  }

  std::vector<LogRecord> next_batch() {
    std::vector<bool> drained(kTopics.size(), false);
    bool anything = false;
    for (std::size_t source = 0; source < kTopics.size(); ++source) {
      if (merger.empty(source)) drained[source] = !poll(source, milliseconds(0));
      anything = anything || !merger.empty(source);
    }
    if (!anything && poll(0, kIdleWait)) drained[0] = false;
    return merger.take(kBatch, drained);
  }

  bool poll(std::size_t source, milliseconds timeout) {
    auto records = consumers[source]->poll(kBatch, timeout);
    if (!records) {
      if (records.error().code == ErrorCode::conflict) note_lost_records(source, records.error().message);
      throw Failure(records.error());
    }
    const bool any = !records->empty();
    merger.add(source, std::move(*records));
    return any;
  }

  /// Retention passed us by. Said loudly, and no account is trusted until it was seen whole again; then on from the
  /// start.
  void note_lost_records(std::size_t source, const std::string& why) {
    log::error("{}: records were lost before they were read: {}", kTopics[source], why);
    core->take_changes();
    core->note_lost_records();
    CoreChanges changes = core->take_changes();
    Positions to;
    for (const auto& [partition, next] : positions) {
      if (partition.first != kTopics[source]) continue;
      changes.rejected.push_back({partition.first, partition.second, next, "lost to retention: " + why, ""});
      to[partition] = ConsumerOptions::kBeginning;
    }
    store.commit(*core, changes, positions, to);
  }

  void commit(const Positions& to) {
    const CoreChanges changes = core->take_changes();
    if (!store.commit(*core, changes, positions, to)) {
      throw Failure(ErrorCode::conflict, "another arbiter has moved the positions");
    }
    for (const auto& [partition, next] : to) positions[partition] = next;
    for (const auto& [id, event] : changes.verdicts) {
      producer.publish(topics::kVerdicts, event.account.empty() ? event.exchange_id : event.account, encode(event));
    }
  }

  /// After a commit: what others may know now.
  void tell() {
    next_tell = clock.monotonic() + kIdleTell;
    auto current = core->scores();
    scores.offer(current, positions);
    if (readings != nullptr) readings->want(core->wanted_readings(), core->exchange_time_us());
    const bool lag_due = clock.monotonic() >= next_lag;
    std::map<TopicPartition, std::int64_t> lag;
    if (lag_due) {
      next_lag = clock.monotonic() + kLagEvery;
      lag = measure_lag();
    }
    board.update([&](ArbiterStatus& s) {
      s.scores = std::move(current);
      s.counters = core->counters();
      s.rejected = core->rejected();
      s.positions = positions;
      s.open = core->open_count();
      s.oldest_open_us = core->oldest_open_us();
      s.event_time_us = core->event_time_us();
      s.accounts_to_read = core->wanted_readings().size();
      if (lag_due) s.lag = std::move(lag);
    });
  }

  std::map<TopicPartition, std::int64_t> measure_lag() {
    std::map<TopicPartition, std::int64_t> lag;
    for (auto& consumer : consumers) {
      consumer->report_progress(of(*consumer));
      const auto ends = consumer->end_offsets();
      if (!ends) continue;  // the log is busy: the last known lag stays
      for (const auto& [partition, end] : *ends) {
        const auto at = positions.find(partition);
        lag[partition] = end - (at == positions.end() ? 0 : std::max<std::int64_t>(0, at->second));
      }
    }
    return lag;
  }

  Positions of(const Consumer& consumer) const {
    const auto source = static_cast<std::size_t>(&consumer == consumers[1].get());
    Positions own;
    for (const auto& [partition, next] : positions) {
      if (partition.first == kTopics[source] && next >= 0) own.emplace(partition, next);
    }
    return own;
  }

  const config::Config& config;
  EventLog& log;
  VerdictStore& store;
  Producer& producer;
  LedgerReader* readings;
  StatusBoard& board;
  const Clock& clock;
  ScorePublisher scores;

  std::unique_ptr<DecisionCore> core;
  std::array<std::unique_ptr<Consumer>, kTopics.size()> consumers;
  EventMerger merger{kTopics.size()};
  Positions positions;  // as in the database
  std::chrono::nanoseconds next_lag{0};
  std::chrono::nanoseconds next_tell{0};
  std::string trouble;
  std::atomic<bool> revoked{false};

  std::atomic<bool> stopping{false};
  std::mutex mutex;
  std::condition_variable wake;
  std::thread thread;
};

ExchangeConsumer::ExchangeConsumer(const config::Config& config, EventLog& log, VerdictStore& store, Producer& producer,
                                   LedgerReader* readings, StatusBoard& board, const Clock& clock)
    : impl_(std::make_unique<Impl>(config, log, store, producer, readings, board, clock)) {
  impl_->thread = std::thread([this] { impl_->run(); });
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
