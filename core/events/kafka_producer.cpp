// librdkafka's own queue is the bounded queue. Until the topics stand, records wait in a queue before it. A thread
// serves the delivery reports: a record counts as acknowledged only when the brokers say so.
#include "core/events/kafka_producer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "core/runtime/clock.hpp"
#include "core/runtime/log.hpp"
#include "core/runtime/thread_cpu.hpp"

namespace phoenix::events {
namespace {

using std::chrono::milliseconds;

static_assert(Producer::kByKey == RD_KAFKA_PARTITION_UA);

constexpr milliseconds kServeInterval{20};
constexpr std::size_t kDrainChunk = 1'000;
constexpr std::chrono::seconds kWarnEvery{10};

/// A record on its way; librdkafka copies the bytes.
struct OutgoingRecord {
  const std::string& topic;
  int partition;
  std::string_view key;
  std::string_view value;
  std::int64_t ts_ms;
  [[nodiscard]] std::size_t bytes() const { return key.size() + value.size(); }
};

struct WaitingRecord {
  std::string topic;
  int partition = Producer::kByKey;
  std::string key;
  std::string value;
  std::int64_t ts_ms = 0;
  [[nodiscard]] OutgoingRecord outgoing() const { return {topic, partition, key, value, ts_ms}; }
};

class KafkaProducer final : public Producer {
 public:
  KafkaProducer(const KafkaLogOptions& options, std::shared_ptr<KafkaTopics> topics)
      : options_(options), topics_(std::move(topics)), handle_(make_handle()), thread_([this] { run(); }) {}

  ~KafkaProducer() override {
    if (!flush(options_.close_timeout)) {
      log::error("event log {}: {} accepted records could not be delivered before the end", options_.brokers,
                 stats().queued);
    }
    stopping_ = true;
    thread_.join();
    // Tells librdkafka not to wait for what cannot be delivered.
    rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  }

  bool publish_to(int partition, const char* topic, std::string key, std::string value) override {
    const std::string name = options_.prefix + topic;
    return publish({name, partition, key, value, SystemClock().unix_ms()});
  }

  std::size_t publish_all(const char* topic, std::span<const HeldRecord> records) override {
    const std::string name = options_.prefix + topic;
    const std::int64_t now_ms = SystemClock().unix_ms();
    std::size_t taken = 0;
    for (const auto& record : records) {
      if (!publish({name, record.partition, record.key, record.value, now_ms})) break;
      ++taken;
    }
    return taken;
  }

  bool flush(milliseconds timeout) override {
    const auto target = accepted_.load();
    std::unique_lock lock(delivered_mutex_);
    return delivered_.wait_for(lock, timeout, [&] { return acknowledged_.load() + failed_.load() >= target; });
  }

  [[nodiscard]] ProducerStats stats() const override {
    ProducerStats stats;
    stats.acknowledged = acknowledged_.load();
    stats.failed = failed_.load();
    // A record may be acknowledged a moment before its publisher has counted it as accepted.
    stats.accepted = std::max(accepted_.load(), stats.acknowledged + stats.failed);
    stats.refused = refused_.load();
    stats.queued = stats.accepted - stats.acknowledged - stats.failed;
    stats.queued_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(queued_bytes_.load(), 0));
    stats.cpu_us = cpu_us_.load();
    return stats;
  }

 private:
  KafkaHandle make_handle() {
    auto conf = make_kafka_conf(options_,
                                {{"linger.ms", "5"},
                                 {"queue.buffering.max.messages", std::to_string(options_.queue_records)},
                                 {"queue.buffering.max.kbytes", std::to_string(options_.queue_bytes >> 10)}},
                                {{"enable.idempotence", "true"},
                                 {"partitioner", "murmur2_random"},
                                 // No time-out: an outage loses nothing while the queue holds.
                                 {"message.timeout.ms", "0"}});
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_dr_msg_cb(conf.get(), [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
      static_cast<KafkaProducer*>(opaque)->on_delivery(*message);
    });
    return make_kafka_handle(RD_KAFKA_PRODUCER, std::move(conf));
  }

  bool publish(const OutgoingRecord& record) {
    if (!direct_.load(std::memory_order_acquire)) {
      const std::lock_guard lock(waiting_mutex_);
      if (!direct_.load(std::memory_order_relaxed)) return keep_waiting(record);
    }
    if (hand_over(record) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++refused_;
      return false;
    }
    count_accepted(record.bytes());
    return true;
  }

  bool keep_waiting(const OutgoingRecord& record) {
    if (waiting_.size() >= options_.queue_records || stats().queued_bytes + record.bytes() > options_.queue_bytes) {
      ++refused_;
      return false;
    }
    waiting_.push_back(
        {record.topic, record.partition, std::string(record.key), std::string(record.value), record.ts_ms});
    count_accepted(record.bytes());
    return true;
  }

  void count_accepted(std::size_t bytes) {
    ++accepted_;
    queued_bytes_ += static_cast<std::int64_t>(bytes);
  }

  rd_kafka_resp_err_t hand_over(const OutgoingRecord& record) {
    std::array<rd_kafka_vu_t, 6> arguments{};
    arguments[0].vtype = RD_KAFKA_VTYPE_TOPIC;
    arguments[0].u.cstr = record.topic.c_str();
    arguments[1].vtype = RD_KAFKA_VTYPE_KEY;
    arguments[1].u.mem = {const_cast<char*>(record.key.data()), record.key.size()};
    arguments[2].vtype = RD_KAFKA_VTYPE_VALUE;
    arguments[2].u.mem = {const_cast<char*>(record.value.data()), record.value.size()};
    arguments[3].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    arguments[3].u.i = RD_KAFKA_MSG_F_COPY;
    arguments[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    arguments[4].u.i64 = record.ts_ms;
    arguments[5].vtype = RD_KAFKA_VTYPE_PARTITION;
    arguments[5].u.i32 = record.partition;

    const std::shared_lock lock(handle_mutex_);
    rd_kafka_error_t* error = rd_kafka_produceva(handle_.get(), arguments.data(), arguments.size());
    if (error == nullptr) return RD_KAFKA_RESP_ERR_NO_ERROR;
    const auto code = rd_kafka_error_code(error);
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) warn(record.topic, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return code;
  }

  void run() {
    while (!stopping_) {
      if (!direct_.load(std::memory_order_relaxed) && topics_->ready()) drain_waiting();
      rd_kafka_poll(handle_.get(), static_cast<int>(kServeInterval.count()));
      cpu_us_ = thread_cpu_us();
      if (rd_kafka_fatal_error(handle_.get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) replace_handle();
    }
  }

  /// In chunks, so that publishers never wait long for the lock; in order, because only an empty queue opens the direct
  /// way.
  void drain_waiting() {
    for (;;) {
      const std::lock_guard lock(waiting_mutex_);
      for (std::size_t i = 0; i < kDrainChunk && !waiting_.empty(); ++i) {
        const OutgoingRecord record = waiting_.front().outgoing();
        const auto error = hand_over(record);
        if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) return;
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) count_done(failed_, record.bytes());
        waiting_.pop_front();
      }
      if (waiting_.empty()) {
        direct_.store(true, std::memory_order_release);
        return;
      }
    }
  }

  /// A fatal error (the brokers lost acknowledged records, say) ends an idempotent producer for good: a new one takes
  /// its place, and what the old one still had counts as failed, because sending it again could duplicate it.
  void replace_handle() {
    std::array<char, 512> reason{};
    rd_kafka_fatal_error(handle_.get(), reason.data(), reason.size());
    log::error("event log {}: the producer starts anew after a fatal error: {}", options_.brokers, reason.data());
    KafkaHandle fresh;
    try {
      fresh = make_handle();
    } catch (const Failure& failure) {  // out of threads or descriptors: tried again in the next round
      log::error("event log {}: {}", options_.brokers, failure.what());
      return;
    }
    const std::unique_lock lock(handle_mutex_);
    rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(handle_.get(),
                   static_cast<int>(options_.close_timeout.count()));  // serves the reports of the purged
    handle_ = std::move(fresh);
  }

  void on_delivery(const rd_kafka_message_t& message) {
    const bool delivered = message.err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!delivered) warn(rd_kafka_topic_name(message.rkt), rd_kafka_err2str(message.err));
    count_done(delivered ? acknowledged_ : failed_, message.len + message.key_len);
  }

  void count_done(std::atomic<std::uint64_t>& counter, std::size_t bytes) {
    {
      const std::lock_guard lock(delivered_mutex_);
      ++counter;
      queued_bytes_ -= static_cast<std::int64_t>(bytes);
    }
    delivered_.notify_all();
  }

  void warn(std::string_view topic, std::string_view reason) {
    const auto now = SystemClock().monotonic().count();
    auto last = last_warning_ns_.load();
    if (now - last < std::chrono::nanoseconds(kWarnEvery).count() ||
        !last_warning_ns_.compare_exchange_strong(last, now))
      return;
    log::warn("event log {}: a record of topic {} was not delivered: {}", options_.brokers, topic, reason);
  }

  const KafkaLogOptions options_;
  const std::shared_ptr<KafkaTopics> topics_;
  std::atomic<std::uint64_t> accepted_{0}, acknowledged_{0}, failed_{0}, refused_{0}, cpu_us_{0};
  std::atomic<std::int64_t> queued_bytes_{0};
  std::atomic<std::int64_t> last_warning_ns_{std::numeric_limits<std::int64_t>::min() / 2};
  std::mutex delivered_mutex_;
  std::condition_variable delivered_;
  std::mutex waiting_mutex_;
  std::deque<WaitingRecord> waiting_;  // guarded by waiting_mutex_
  std::atomic<bool> direct_{false};    // set once, under waiting_mutex_
  std::atomic<bool> stopping_{false};
  std::shared_mutex handle_mutex_;  // publishers share it; held alone to replace the handle
  KafkaHandle handle_;
  std::thread thread_;  // last: starts when everything else is there
};

}  // namespace

std::unique_ptr<Producer> make_kafka_producer(const KafkaLogOptions& options, std::shared_ptr<KafkaTopics> topics) {
  return std::make_unique<KafkaProducer>(options, std::move(topics));
}

}  // namespace phoenix::events
