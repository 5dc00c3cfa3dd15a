// A member of a consumer group, or a reader of all partitions for itself. Offsets are never taken from Kafka: each
// assignment asks the caller where to start, and reading out of range is an error, never a silent reset.
#include "core/events/kafka_consumer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <set>
#include <thread>

#include "core/runtime/clock.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::events {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

static_assert(ConsumerOptions::kBeginning == RD_KAFKA_OFFSET_BEGINNING && ConsumerOptions::kEnd == RD_KAFKA_OFFSET_END);

/// Rebalances are handled between two waits of this length.
constexpr milliseconds kWait{50};
constexpr milliseconds kQueryTimeout{2'000};
constexpr milliseconds kMetadataWait{500};  // a round trip at least, however little patience the caller has
constexpr milliseconds kRetryInterval{500};
constexpr std::size_t kMaxPollBytes = 16u << 20;

class KafkaConsumer final : public Consumer {
 public:
  KafkaConsumer(const KafkaLogOptions& options, std::shared_ptr<KafkaTopics> topics, ConsumerOptions consumer)
      : options_(options), topics_(std::move(topics)), consumer_(std::move(consumer)), handle_(make_handle()) {
    rd_kafka_poll_set_consumer(handle_.get());
  }

  ~KafkaConsumer() override {
    try {
      if (grouped()) tell_revoked(assigned());
    } catch (const std::exception& exception) {
      log::warn("event log {}: leaving group {}: {}", options_.brokers, consumer_.group, exception.what());
    }
    closing_ = true;
    if (!rebalances_.empty()) rd_kafka_assign(handle_.get(), nullptr);  // librdkafka still waits for this call
    rd_kafka_consumer_close(handle_.get());
  }

  Result<std::vector<LogRecord>> poll(std::size_t max, milliseconds timeout) override {
    const auto deadline = steady_clock::now() + timeout;
    std::vector<LogRecord> records;
    problem_.reset();
    if (start(deadline)) {
      std::size_t bytes = 0;
      bool go_on = true;
      while (go_on && records.size() < max && bytes < kMaxPollBytes) {
        if (records.empty()) {
          handle_rebalances();
          if (auto lost = check_suspects()) return *lost;
        }
        const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
        const auto wait = records.empty() ? std::clamp(left, milliseconds(0), kWait) : milliseconds(0);
        const KafkaMessage message(rd_kafka_consumer_poll(handle_.get(), static_cast<int>(wait.count())));
        if (message) take(*message, records, bytes);
        go_on = records.empty() ? steady_clock::now() < deadline : message != nullptr;
      }
      drop_revoked(records);
    }
    if (records.empty() && problem_) return *problem_;
    return records;
  }

  Result<std::map<TopicPartition, std::int64_t>> end_offsets() override {
    std::map<TopicPartition, std::int64_t> ends;
    for (const auto& [partition, position] : positions_) {
      if (const auto known = doubtful_ ? std::nullopt : fetched_end(partition)) {
        ends[partition] = *known;
        continue;
      }
      const auto range = query_range(partition);
      if (range.has_error()) return range.error();
      ends[partition] = range->second;
    }
    doubtful_ = false;
    return ends;
  }

  Result<std::int64_t> query_end(const TopicPartition& partition) override {
    // Nobody polls a reader of ends alone; what the brokers report must not pile up.
    while (!started_ && KafkaMessage(rd_kafka_consumer_poll(handle_.get(), 0))) {
    }
    const auto range = query_range(partition);
    if (range.has_error()) return range.error();
    return range->second;
  }

  Result<int> partition_count(const std::string& topic) override {
    const int partitions = count_partitions(topic, kQueryTimeout);
    if (partitions == 0) return *problem_;
    return partitions;
  }

  [[nodiscard]] bool at_end(const TopicPartition& partition) const override { return ends_.contains(partition); }

  [[nodiscard]] std::optional<std::int64_t> end_read(const TopicPartition& partition) const override {
    const auto end = ends_.find(partition);
    return end == ends_.end() ? std::nullopt : std::optional(end->second);
  }

  void hold(const TopicPartition& partition, bool held) override {
    if (held == held_.contains(partition) || !positions_.contains(partition)) return;
    const KafkaPartitions list(rd_kafka_topic_partition_list_new(1));
    add(*list, partition);
    // Fails for partitions alone that are not assigned any more.
    held ? rd_kafka_pause_partitions(handle_.get(), list.get()) : rd_kafka_resume_partitions(handle_.get(), list.get());
    if (held) {
      held_.insert(partition);
    } else {
      held_.erase(partition);
    }
  }

  [[nodiscard]] std::vector<TopicPartition> lost_partitions() const override {
    if (!lost_) return {};
    return {lost_partition_};
  }

  void report_progress(const std::map<TopicPartition, std::int64_t>& next_offsets) override {
    if (consumer_.group.empty() || next_offsets.empty()) return;
    const KafkaPartitions list(rd_kafka_topic_partition_list_new(static_cast<int>(next_offsets.size())));
    for (const auto& [partition, offset] : next_offsets) {
      if (!positions_.contains(partition) || offset < 0) continue;
      add(*list, partition)->offset = offset;
    }
    if (list->cnt > 0) rd_kafka_commit(handle_.get(), list.get(), /*async=*/1);
  }

 private:
  struct Rebalance {
    bool assign = false;
    KafkaPartitions partitions;
  };

  /// A member of a group; otherwise partitions are taken without asking.
  [[nodiscard]] bool grouped() const { return !consumer_.group.empty() && !consumer_.partitions; }

  // Outside of this file topics go by their names without the prefix.
  [[nodiscard]] std::string name_of(const char* topic) const { return topic + options_.prefix.size(); }
  rd_kafka_topic_partition_t* add(rd_kafka_topic_partition_list_t& list, const TopicPartition& partition) const {
    return rd_kafka_topic_partition_list_add(&list, (options_.prefix + partition.first).c_str(), partition.second);
  }

  KafkaHandle make_handle() {
    // Reading alone needs a group name too, but never joins it.
    const std::string group = !consumer_.group.empty() ? options_.prefix + consumer_.group
                                                       : fmt::format("phoenix-reader-{:016x}", random_seed());
    auto conf = make_kafka_conf(options_,
                                {{"fetch.wait.max.ms", "100"},  // the end of a quiet partition is told after a fetch
                                 {"session.timeout.ms", "10000"},
                                 {"topic.metadata.refresh.interval.ms", "30000"}},
                                {{"group.id", group},
                                 {"enable.auto.commit", "false"},
                                 {"enable.auto.offset.store", "false"},
                                 {"auto.offset.reset", "error"},
                                 {"enable.partition.eof", "true"},
                                 {"allow.auto.create.topics", "false"},
                                 // Eager assignment: cooperative rebalancing has known trouble with manual commits.
                                 {"partition.assignment.strategy", "range,roundrobin"}});
    rd_kafka_conf_set_opaque(conf.get(), this);
    // Served by polls, on the caller's thread.
    rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int error, const char* reason, void* opaque) {
      static_cast<KafkaConsumer*>(opaque)->on_error(static_cast<rd_kafka_resp_err_t>(error), reason);
    });
    rd_kafka_conf_set_rebalance_cb(
        conf.get(), [](rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* partitions,
                       void* opaque) { static_cast<KafkaConsumer*>(opaque)->on_rebalance(error, partitions); });
    return make_kafka_handle(RD_KAFKA_CONSUMER, std::move(conf));
  }

  void on_error(rd_kafka_resp_err_t error, const char* reason) {
    if (closing_) return;
    note_doubt(unavailable(fmt::format("event log {}: {} ({})", options_.brokers, rd_kafka_err2str(error), reason)));
  }

  /// What was known of the ends may be old by now.
  void note_doubt(Error problem) {
    doubtful_ = true;
    ends_.clear();
    problem_ = std::move(problem);
  }

  /// Called inside rd_kafka_consumer_poll, through C: only noted here. librdkafka waits until poll() calls assign.
  void on_rebalance(rd_kafka_resp_err_t error, const rd_kafka_topic_partition_list_t* partitions) {
    if (closing_) {
      rd_kafka_assign(handle_.get(), nullptr);
      return;
    }
    const bool assign = error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    rebalances_.push_back({assign, KafkaPartitions(rd_kafka_topic_partition_list_copy(partitions))});
  }

  /// Subscribes or assigns once the topics stand; false while that is not possible.
  bool start(steady_clock::time_point deadline) {
    if (started_) return true;
    while (!topics_->ready()) {
      if (steady_clock::now() >= deadline) {
        problem_ = unavailable(fmt::format("event log {}: {}", options_.brokers, topics_->problem()));
        return false;
      }
      std::this_thread::sleep_for(std::min<steady_clock::duration>(kWait, deadline - steady_clock::now()));
    }
    started_ = grouped() ? subscribe() : assign_own(deadline);
    return started_;
  }

  bool subscribe() {
    const KafkaPartitions list(rd_kafka_topic_partition_list_new(static_cast<int>(consumer_.topics.size())));
    for (const auto& topic : consumer_.topics) add(*list, {topic, RD_KAFKA_PARTITION_UA});
    const auto error = rd_kafka_subscribe(handle_.get(), list.get());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
      problem_ = unavailable(fmt::format("cannot subscribe: {}", rd_kafka_err2str(error)));
    return error == RD_KAFKA_RESP_ERR_NO_ERROR;
  }

  bool assign_own(steady_clock::time_point deadline) {
    KafkaPartitions list(rd_kafka_topic_partition_list_new(1));
    for (const auto& topic : consumer_.topics) {
      for (const int partition : consumer_.partitions.value_or(std::vector<int>{})) add(*list, {topic, partition});
      if (consumer_.partitions) continue;
      const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
      const int partitions = count_partitions(topic, std::max(left, kMetadataWait));
      if (partitions == 0) return false;
      for (int i = 0; i < partitions; ++i) add(*list, {topic, i});
    }
    rebalances_.push_back({true, std::move(list)});
    return true;
  }

  /// 0 with problem_ set when it is not known yet.
  int count_partitions(const std::string& topic, milliseconds timeout) {
    rd_kafka_topic_t* handle = rd_kafka_topic_new(handle_.get(), (options_.prefix + topic).c_str(), nullptr);
    const rd_kafka_metadata_t* metadata = nullptr;
    auto error = rd_kafka_metadata(handle_.get(), 0, handle, &metadata, static_cast<int>(timeout.count()));
    int partitions = 0;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
      error = metadata->topics[0].err;
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) partitions = metadata->topics[0].partition_cnt;
    }
    if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    if (partitions == 0) problem_ = unavailable(fmt::format("topic {}: {}", topic, rd_kafka_err2str(error)));
    return partitions;
  }

  void handle_rebalances() {
    while (!rebalances_.empty()) {
      // May throw (the caller's store is away): then the same rebalance is handled by the next poll.
      if (rebalances_.front().assign) {
        take_over(rebalances_.front().partitions.get());
      } else {
        give_up();
      }
      rebalances_.pop_front();
    }
  }

  void take_over(rd_kafka_topic_partition_list_t* list) {
    std::map<TopicPartition, std::int64_t> positions;
    for (int i = 0; i < list->cnt; ++i) {
      auto& element = list->elems[i];
      const TopicPartition partition{name_of(element.topic), element.partition};
      element.offset = consumer_.start_position ? consumer_.start_position(partition) : ConsumerOptions::kBeginning;
      positions[partition] = element.offset;
    }
    const auto error = rd_kafka_assign(handle_.get(), list);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) log::warn("kafka: assign: {}", rd_kafka_err2str(error));
    positions_ = std::move(positions);
    suspects_.clear();
    ends_.clear();
    lost_.reset();
  }

  void give_up() {
    for (const auto& partition : std::set<TopicPartition>(held_)) hold(partition, false);
    tell_revoked(assigned());
    positions_.clear();
    suspects_.clear();
    ends_.clear();
    lost_.reset();
    rd_kafka_assign(handle_.get(), nullptr);
  }

  [[nodiscard]] std::vector<TopicPartition> assigned() const {
    std::vector<TopicPartition> partitions;
    for (const auto& [partition, position] : positions_) partitions.push_back(partition);
    return partitions;
  }

  void tell_revoked(const std::vector<TopicPartition>& revoked) const {
    if (!revoked.empty() && consumer_.on_revoked) consumer_.on_revoked(revoked);
  }

  /// What was gathered before a revocation in the same poll is not handed out: the next owner reads it.
  void drop_revoked(std::vector<LogRecord>& records) const {
    const auto revoked = [](const Rebalance& rebalance) { return !rebalance.assign; };
    if (std::any_of(rebalances_.begin(), rebalances_.end(), revoked)) records.clear();
  }

  void take(const rd_kafka_message_t& message, std::vector<LogRecord>& records, std::size_t& bytes) {
    const std::string topic = message.rkt != nullptr ? name_of(rd_kafka_topic_name(message.rkt)) : "";
    const TopicPartition partition{topic, message.partition};
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      if (positions_.contains(partition)) ends_[partition] = message.offset;
      return;
    }
    if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
      if (positions_.contains(partition)) suspects_.insert(partition);
      ends_.erase(partition);
      return;
    }
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      const char* text = rd_kafka_message_errstr(&message);
      note_doubt(unavailable(
          fmt::format("event log {}: {}", options_.brokers, text != nullptr ? text : rd_kafka_err2str(message.err))));
      return;
    }
    const auto position = positions_.find(partition);
    if (position == positions_.end()) return;
    LogRecord record;
    record.topic = topic;
    record.partition = message.partition;
    record.offset = message.offset;
    record.timestamp_ms = std::max<std::int64_t>(rd_kafka_message_timestamp(&message, nullptr), 0);
    if (message.key != nullptr) record.key.assign(static_cast<const char*>(message.key), message.key_len);
    if (message.payload != nullptr) record.value.assign(static_cast<const char*>(message.payload), message.len);
    bytes += record.key.size() + record.value.size();
    position->second = message.offset + 1;
    ends_.erase(partition);
    records.push_back(std::move(record));
  }

  /// Reading stopped at a partition: either its position is out of range, which is for the caller to decide about, or
  /// the brokers could not answer in that moment, and reading goes on from where it was.
  std::optional<Error> check_suspects() {
    if (suspects_.empty() || steady_clock::now() < next_check_) return lost_;
    next_check_ = steady_clock::now() + kRetryInterval;
    lost_.reset();
    for (const auto& partition : std::set<TopicPartition>(suspects_)) {
      const auto range = query_range(partition);
      if (range.has_error()) {
        problem_ = range.error();
        continue;
      }
      lost_ = find_loss(partition, *range);
      lost_partition_ = partition;
      if (lost_) return lost_;
      if (resume(partition)) suspects_.erase(partition);
    }
    return std::nullopt;
  }

  std::optional<Error> find_loss(const TopicPartition& partition, std::pair<std::int64_t, std::int64_t> range) const {
    const auto position = positions_.at(partition);
    const auto [low, end] = range;
    const std::string name = fmt::format("{} partition {}", partition.first, partition.second);
    if (position >= 0 && position < low) {
      return Error{ErrorCode::conflict,
                   fmt::format("records {}..{} of topic {} were removed by retention before this reader saw them",
                               position, low - 1, name)};
    }
    if (position > end) {
      return Error{ErrorCode::conflict,
                   fmt::format("topic {} ends at {}, before the position {} of this reader: its records were lost",
                               name, end, position)};
    }
    return std::nullopt;
  }

  bool resume(const TopicPartition& partition) {
    const KafkaPartitions list(rd_kafka_topic_partition_list_new(1));
    auto* element = add(*list, partition);
    element->offset = positions_.at(partition);
    rd_kafka_error_t* error =
        rd_kafka_seek_partitions(handle_.get(), list.get(), static_cast<int>(kQueryTimeout.count()));
    const bool resumed = error == nullptr && element->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error != nullptr) rd_kafka_error_destroy(error);
    return resumed;
  }

  /// As the last fetch told. Asking would wait behind the fetch that is under way, which on a quiet topic is long.
  std::optional<std::int64_t> fetched_end(const TopicPartition& partition) {
    std::int64_t low = RD_KAFKA_OFFSET_INVALID;
    std::int64_t end = RD_KAFKA_OFFSET_INVALID;
    const auto error = rd_kafka_get_watermark_offsets(handle_.get(), (options_.prefix + partition.first).c_str(),
                                                      partition.second, &low, &end);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || end == RD_KAFKA_OFFSET_INVALID) return std::nullopt;
    return end;
  }

  /// First record kept and one past the last.
  Result<std::pair<std::int64_t, std::int64_t>> query_range(const TopicPartition& partition) {
    std::int64_t low = 0;
    std::int64_t end = 0;
    const auto error =
        rd_kafka_query_watermark_offsets(handle_.get(), (options_.prefix + partition.first).c_str(), partition.second,
                                         &low, &end, static_cast<int>(kQueryTimeout.count()));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return unavailable(
          fmt::format("end of topic {} partition {}: {}", partition.first, partition.second, rd_kafka_err2str(error)));
    }
    return std::pair{low, end};
  }

  const KafkaLogOptions options_;
  const std::shared_ptr<KafkaTopics> topics_;
  const ConsumerOptions consumer_;
  bool started_ = false;
  bool closing_ = false;
  std::deque<Rebalance> rebalances_;
  std::map<TopicPartition, std::int64_t> positions_;  ///< of what is assigned; logical until the first record came
  std::set<TopicPartition> held_;                     ///< paused
  std::map<TopicPartition, std::int64_t> ends_;       ///< read to their end: the next offset
  std::set<TopicPartition> suspects_;                 ///< reading stopped there
  steady_clock::time_point next_check_{};
  std::optional<Error> lost_;
  TopicPartition lost_partition_;
  bool doubtful_ = false;         ///< the brokers were out of reach since they were last asked
  std::optional<Error> problem_;  ///< what to tell when a poll brings nothing
  KafkaHandle handle_;            // last: its callbacks use the rest
};

}  // namespace

std::unique_ptr<Consumer> make_kafka_consumer(const KafkaLogOptions& options, std::shared_ptr<KafkaTopics> topics,
                                              ConsumerOptions consumer) {
  return std::make_unique<KafkaConsumer>(options, std::move(topics), std::move(consumer));
}

}  // namespace phoenix::events
