// The event log: named topics of ordered, partitioned records. Two implementations, SQLite (one machine) and Kafka (a
// fleet), behind one interface and one contract suite (tests/component/event_log_contract.cpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/result.hpp"
#include "core/runtime/config.hpp"

namespace phoenix {

namespace topics {
inline constexpr const char* kShadowRequests = "shadow-requests";
inline constexpr const char* kDbStateUpdates = "db-state-updates";
inline constexpr const char* kVerdicts = "verdicts";
inline constexpr const char* kConsistencyScores = "consistency-scores";
inline constexpr const char* kRoutingControl = "routing-control";
inline constexpr const char* kGatewayStatus = "gateway-status";
}  // namespace topics

/// (topic, partition). SQLite has partition 0 alone.
using TopicPartition = std::pair<std::string, int>;

/// The partition of `shadow-requests` and `db-state-updates` that carries a slice: xxh64(name) mod the configured
/// count, 0 in mode local. One exchange may touch several accounts, so the accounts of a slice are judged in one place.
int slice_partition(const config::Config& config, std::string_view slice);

struct LogRecord {
  std::string topic;
  int partition = 0;
  std::int64_t offset = 0;  ///< position of this record; reading resumes at offset + 1
  std::int64_t timestamp_ms = 0;
  std::string key;
  std::string value;
};

struct ProducerStats {
  std::uint64_t accepted = 0;      ///< handed to publish() and taken
  std::uint64_t acknowledged = 0;  ///< durable in the log
  std::uint64_t failed = 0;        ///< given up after retries; nothing is retried for ever beyond the queue's bound
  std::uint64_t refused = 0;       ///< publish() returned false: the bounded queue was full
  std::uint64_t queued = 0;        ///< accepted, not yet acknowledged or failed
  std::uint64_t queued_bytes = 0;
  std::uint64_t cpu_us = 0;  ///< of the threads that bring records to the log, without librdkafka's own
};

/// A record whose bytes stand elsewhere.
struct HeldRecord {
  int partition = -1;  ///< Producer::kByKey: by the key
  std::string_view key;
  std::string_view value;
  std::shared_ptr<const void> held;  ///< keeps them there
};

/// Publishes without ever waiting for the log. Any thread.
class Producer {
 public:
  virtual ~Producer() = default;
  static constexpr int kByKey = -1;

  /// Queues one record; false when the bounded queue is full (the caller counts the loss). Order is kept per topic and
  /// key.
  bool publish(const char* topic, std::string key, std::string value) {
    return publish_to(kByKey, topic, std::move(key), std::move(value));
  }
  /// The same, to a partition of the caller's choice (SQLite has one). Order is kept per partition.
  virtual bool publish_to(int partition, const char* topic, std::string key, std::string value) = 0;
  /// Queues `records` from the first on as one batch, and says how many of them: less than all when the queue is full.
  /// Their bytes are not copied where the log can do without.
  virtual std::size_t publish_all(const char* topic, std::span<const HeldRecord> records) {
    std::size_t taken = 0;
    for (const auto& record : records) {
      if (!publish_to(record.partition, topic, std::string(record.key), std::string(record.value))) break;
      ++taken;
    }
    return taken;
  }
  /// Waits until everything accepted so far is durable; false on timeout. Not on an I/O thread.
  virtual bool flush(std::chrono::milliseconds timeout) = 0;
  [[nodiscard]] virtual ProducerStats stats() const = 0;
};

struct ConsumerOptions {
  std::vector<std::string> topics;
  /// Members of one group share the partitions (SQLite: one leased member per group and topic). Empty: reads everything
  /// for itself alone (gateways on routing-control).
  std::string group;
  /// Asked for each partition when it is assigned: the offset to read next. The caller owns positions (it stores them
  /// in one transaction with its results); kBeginning and kEnd are allowed. Called from poll().
  std::function<std::int64_t(const TopicPartition&)> start_position;
  /// Told from poll() (or the destructor) when partitions are taken away; what was polled from them and is not yet
  /// committed by the caller must then fail its compare-and-set or be dropped.
  std::function<void(const std::vector<TopicPartition>&)> on_revoked;
  /// Reads these partitions and shares nothing: `group`, if any, is then only the name under which progress is
  /// reported.
  std::optional<std::vector<int>> partitions = std::nullopt;

  static constexpr std::int64_t kBeginning = -2;
  static constexpr std::int64_t kEnd = -1;
};

/// Reads records in order per partition. One thread.
class Consumer {
 public:
  virtual ~Consumer() = default;
  /// Up to `max` records, waiting at most `timeout` for the first. An error is temporary (`unavailable`: call again)
  /// or, with `conflict`, says that retention passed this reader (offset out of range: records are lost, never skipped
  /// silently).
  virtual Result<std::vector<LogRecord>> poll(std::size_t max, std::chrono::milliseconds timeout) = 0;
  /// One past the last record of each assigned partition, as known now.
  virtual Result<std::map<TopicPartition, std::int64_t>> end_offsets() = 0;
  /// The same for any partition, asked of the log now: everything acknowledged before the call lies below it. Needs no
  /// poll before it; may take seconds where the log is away (`unavailable`).
  virtual Result<std::int64_t> query_end(const TopicPartition& partition) = 0;
  /// Of a topic, asked of the log now; `unavailable` also where there is no such topic.
  virtual Result<int> partition_count(const std::string& topic) = 0;
  /// Whether all that the log had in an assigned partition, when it was last asked, has been polled.
  [[nodiscard]] virtual bool at_end(const TopicPartition& partition) const = 0;
  /// Of a partition that is at its end: the next offset, also where no record stands right before it (an empty
  /// partition, producers' transactions, retention). nullopt: not at its end, or the log has no such offsets.
  [[nodiscard]] virtual std::optional<std::int64_t> end_read(const TopicPartition& /*partition*/) const {
    return std::nullopt;
  }
  /// Holds a partition back, or goes on with it, for a reader that has enough of it for now.
  virtual void hold(const TopicPartition& partition, bool held) = 0;
  /// Where records were lost, after a poll that answered with `conflict`.
  [[nodiscard]] virtual std::vector<TopicPartition> lost_partitions() const = 0;
  /// Tells the log how far this reader got, for retention and lag displays only. Never decides where reading starts.
  virtual void report_progress(const std::map<TopicPartition, std::int64_t>& next_offsets) = 0;
};

class EventLog {
 public:
  virtual ~EventLog() = default;
  virtual std::unique_ptr<Producer> make_producer() = 0;
  virtual std::unique_ptr<Consumer> make_consumer(ConsumerOptions options) = 0;
};

/// Opens the log that `mode` names and creates or checks the topics; throws Failure with one clear line when it cannot
/// be used (unwritable path, topics that do not fit). A Kafka that is merely unreachable is not an error here: the
/// gateway must start and serve without it.
std::unique_ptr<EventLog> open_event_log(const config::Config& config);

}  // namespace phoenix
