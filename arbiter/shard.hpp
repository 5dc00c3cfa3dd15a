// The slices of one partition: their state, their place in the log, and the readings of their ledgers. A shard's
// verdicts are a function of its partition of shadow-requests and db-state-updates and of gateway-status, whichever
// arbiter holds it. One thread.
#pragma once

#include <array>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arbiter/accepted_policy.hpp"
#include "arbiter/event_merger.hpp"
#include "arbiter/ledger_reader.hpp"
#include "arbiter/state_feed.hpp"
#include "arbiter/status_board.hpp"
#include "arbiter/sweep_runner.hpp"
#include "arbiter/verdict_store.hpp"
#include "core/runtime/clock.hpp"

namespace phoenix::arbiter {

/// What is read; records of one log time are taken in this order.
enum Source : std::size_t { kExchanges, kReadings, kHeartbeats, kSources };
inline constexpr std::array<const char*, kSources> kSourceTopics{topics::kShadowRequests, topics::kDbStateUpdates,
                                                                 topics::kGatewayStatus};

class Shard {
 public:
  static constexpr std::size_t kBatch = 2'000;  ///< records a transaction, at most

  enum class Purpose {
    judge,
    recompute,  ///< from the log alone: nothing is read from the ledgers
  };
  /// Takes up the state of the last commit; throws Failure like VerdictStore::load. Everything passed must outlive it.
  Shard(const config::Config& config, int number, VerdictStore& store, Producer& producer, const Clock& clock,
        Purpose purpose = Purpose::judge);

  /// Waits for the commit under way and tells its verdicts.
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  [[nodiscard]] TopicPartition partition(Source source) const;
  /// Where reading continues.
  [[nodiscard]] std::int64_t position(Source source) const;

  /// Whether this shard judges what Debezium's topics tell.
  [[nodiscard]] bool reads_streams() const { return feed_->reads_streams(); }
  /// A partition of one of those topics is read with the others from now on; where reading begins.
  std::int64_t add_stream(const TopicPartition& partition);
  /// Those that were added, in that order.
  [[nodiscard]] const std::vector<TopicPartition>& streams() const { return streams_; }
  /// How far a partition has been read; what is held of it would be read again.
  [[nodiscard]] std::int64_t position(const TopicPartition& partition) const { return positions_.at(partition); }
  [[nodiscard]] bool needs_stream() const;
  /// How far a partition must be read again before anything is decided; nullopt: it has been.
  [[nodiscard]] std::optional<std::int64_t> recalls_until(const TopicPartition& partition) const;
  void offer_stream(LogRecord record);
  /// A stream whose records were all taken ends here, which may be behind its last record.
  void note_stream_end(std::size_t stream, std::int64_t end);

  [[nodiscard]] bool needs(Source source) const { return merger_.empty(source); }
  /// By number: the sources, then the streams.
  [[nodiscard]] std::size_t queued(std::size_t source) const { return merger_.size(source); }
  /// A record of one of its partitions, in their order; what it has had already is dropped.
  void offer(Source source, LogRecord record);

  /// Decides what has been offered, up to a batch, and commits it. `at_end`: sources, then streams, that have no more
  /// for now; a source without records holds the others back unless it is at its end. False when there was nothing to
  /// decide. Throws Failure(conflict) when another arbiter has moved the positions, and Failure(unavailable). With a
  /// backlog the commit may still be under way: the next batch is decided meanwhile.
  bool step(const std::vector<bool>& at_end);
  /// Retention passed this shard: no account is trusted until it was seen whole again; then on from the start.
  void note_lost_records(Source source, const std::string& why) { note_lost_records(partition(source), why); }
  void note_lost_records(const TopicPartition& partition, const std::string& why);

  /// Hash of the rules of accepted changes that it judges by; empty: none ever were active.
  [[nodiscard]] const std::string& rules_sha256() const { return rules_.sha256(); }
  /// Tells the ledger reader what to read next, and a sweep what it asked.
  void request_readings();
  /// Waits for the commit under way, if any, and tells its verdicts; throws like step().
  void settle();
  [[nodiscard]] bool settled() const { return !commit_.valid(); }
  /// What was decided, which is what is committed once it is settled.
  [[nodiscard]] ShardStatus status() const;

 private:
  [[nodiscard]] static ActiveRules restored_rules(const std::string& stored);
  void take_rules(const LogRecord& record);
  void begin_commit(const CoreChanges& changes);
  void apply(const LogRecord& record);
  void note_read(const LogRecord& record);
  /// Everything waits again that waited at the last commit; until then nothing else is decided.
  [[nodiscard]] bool recalled() const;
  void lose_what_waited(const TopicPartition& partition);
  /// False when there was nothing to read again yet.
  bool recall(const std::vector<bool>& at_end);
  /// Those whose records may have to be read again: by their number in the merger.
  [[nodiscard]] std::vector<std::pair<std::size_t, TopicPartition>> state_sources() const;
  /// Where reading would begin after a restart.
  [[nodiscard]] Positions durable_positions() const;
  static config::Config with_own_slices(config::Config config, int number);

  const config::Config config_;  // with the slices of this shard alone
  const int number_;
  VerdictStore& store_;
  Producer& producer_;
  const Clock& clock_;
  ActiveRules rules_;  // of accepted changes, as the log activated them
  AcceptedPolicy policy_{rules_};
  bool rules_changed_ = false;
  std::unique_ptr<DecisionCore> core_;
  std::unique_ptr<StateFeed> feed_;
  EventMerger merger_{kSources};
  std::vector<TopicPartition> streams_;
  std::vector<TopicPartition> to_recall_;  // of which something had been taken before the start
  Positions positions_;                    // as read and decided
  Positions committed_;                    // as in the database, or on their way there
  std::future<bool> commit_;
  std::vector<std::pair<std::string, std::string>> untold_;  // key and value on `verdicts`, once it is committed
  std::chrono::nanoseconds next_idle_commit_{0};
  std::unique_ptr<LedgerReader> readings_;
  std::unique_ptr<SweepRunner> sweeps_;
};

}  // namespace phoenix::arbiter
