// publish() appends to a bounded queue; a thread of its own writes batches, one transaction each, and removes expired
// records in between. A record stays in the queue until it is committed, so that the bound counts it.
#include "core/events/sqlite_producer.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/events/sqlite_batch_writer.hpp"
#include "core/events/sqlite_database.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/log.hpp"
#include "core/runtime/thread_cpu.hpp"

namespace phoenix::events {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kBatchRecords = 4'000;
constexpr std::size_t kBatchBytes = 8u << 20;
constexpr std::size_t kMaxRecordBytes = 64u << 20;
constexpr milliseconds kGather{5};  // what comes together is written together: each batch costs a sync
constexpr milliseconds kFirstBackoff{1};
constexpr milliseconds kLockedBackoff{50};
constexpr milliseconds kFailingBackoff{1'000};
constexpr std::chrono::seconds kWarnEvery{10};

class SqliteProducer final : public Producer {
 public:
  explicit SqliteProducer(const SqliteLogOptions& options) : options_(options), thread_([this] { run(); }) {}

  ~SqliteProducer() override {
    if (!flush(options_.close_timeout)) {
      log::error("event log {}: {} accepted records could not be written before the end", options_.path,
                 stats().queued);
    }
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  bool publish_to(int /*partition*/, const char* topic, std::string key, std::string value) override {
    QueuedRecord record(topic, std::move(key), std::move(value), SystemClock().unix_ms());
    bool wake = false;
    {
      const std::lock_guard lock(mutex_);
      wake = queue_.empty();
      if (!queue_locked(std::move(record))) return false;
    }
    if (wake) changed_.notify_all();
    return true;
  }

  /// One batch, one transaction: its records are there at once when the thread wakes.
  std::size_t publish_all(const char* topic, std::span<const HeldRecord> records) override {
    const std::int64_t now_ms = SystemClock().unix_ms();
    std::size_t taken = 0;
    {
      const std::lock_guard lock(mutex_);
      while (taken < records.size() && queue_locked(QueuedRecord(topic, records[taken], now_ms))) ++taken;
      whole_batch_ = true;
    }
    if (taken > 0) changed_.notify_all();
    return taken;
  }

  bool flush(milliseconds timeout) override {
    std::unique_lock lock(mutex_);
    const auto target = stats_.accepted;
    return changed_.wait_for(lock, timeout, [&] { return stats_.acknowledged + stats_.failed >= target; });
  }

  [[nodiscard]] ProducerStats stats() const override {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  void run() {
    ::pthread_setname_np(::pthread_self(), "event-log");
    auto next_retention = steady_clock::now();
    while (!closing()) {
      const auto batch = next_batch(next_retention);
      if (!batch.empty() && persist([&](BatchWriter& writer) { writer.write(batch, makes_room_); }))
        acknowledge(batch.size());
      if (batch.empty() && writer_) writer_->release_memory();
      if (steady_clock::now() >= next_retention) next_retention = steady_clock::now() + remove_expired();
    }
  }

  bool queue_locked(QueuedRecord&& record) {
    const std::size_t weight = record.weight();
    const bool full = queue_.size() >= options_.queue_records || stats_.queued_bytes + weight > options_.queue_bytes;
    if (full || closing_ || weight > kMaxRecordBytes) {
      ++stats_.refused;
      return false;
    }
    queue_.push_back(std::move(record));
    ++stats_.accepted;
    ++stats_.queued;
    stats_.queued_bytes += weight;
    return true;
  }

  [[nodiscard]] bool closing() const {
    const std::lock_guard lock(mutex_);
    return closing_;
  }

  /// Waits for records, at most until `until`. The pointers stay valid: a deque moves nothing when it grows at its end,
  /// and only acknowledge() shrinks it.
  RecordBatch next_batch(steady_clock::time_point until) {
    RecordBatch batch;
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until, [this] { return !queue_.empty() || closing_; });
    const auto enough = [this] { return whole_batch_ || queue_.size() >= kBatchRecords || closing_; };
    if (!queue_.empty()) changed_.wait_for(lock, kGather, enough);
    whole_batch_ = false;
    std::size_t bytes = 0;
    for (const QueuedRecord& record : queue_) {
      if (closing_ || batch.size() == kBatchRecords || bytes > kBatchBytes) break;
      bytes += record.weight();
      batch.push_back(&record);
    }
    return batch;
  }

  void acknowledge(std::size_t count) {
    const std::uint64_t cpu_us = thread_cpu_us();
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < count; ++i) {
        stats_.queued_bytes -= queue_.front().weight();
        queue_.pop_front();
      }
      stats_.queued -= count;
      stats_.acknowledged += count;
      stats_.cpu_us = cpu_us;
    }
    changed_.notify_all();
  }

  /// Repeats `work` until it is done, for as long as it takes; false when the producer is closed before.
  template <class Work>
  bool persist(const Work& work) {
    const auto started = steady_clock::now();
    for (milliseconds backoff = kFirstBackoff;;) {
      milliseconds limit = kLockedBackoff;
      try {
        if (!writer_) writer_.emplace(options_);
        work(*writer_);
        return true;
      } catch (const SqliteError& error) {
        // A lock held by another writer is daily business; one that stays is not.
        if (!error.busy() || steady_clock::now() - started > kWarnEvery) warn(error);
        if (!error.busy()) {  // full disk, I/O error: the connection may be of no use any more
          writer_.reset();
          limit = kFailingBackoff;
          makes_room_ = false;  // it may be the removal that fails: publishing comes first
        }
      }
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, backoff, [this] { return closing_; })) return false;
      backoff = std::min(backoff * 2, limit);
    }
  }

  /// Time until the next removal. A locked log is left for later: publishing comes first.
  milliseconds remove_expired() {
    try {
      if (!writer_) writer_.emplace(options_);
      const bool more = writer_->remove_expired();
      makes_room_ = true;
      return more ? milliseconds(0) : options_.retention_interval;
    } catch (const SqliteError& error) {
      if (!error.busy()) warn(error);
      return options_.retention_interval;
    }
  }

  void warn(const SqliteError& error) {
    const auto now = steady_clock::now();
    if (last_warning_ && now - *last_warning_ < kWarnEvery) return;
    last_warning_ = now;
    log::warn("event log {}: cannot write: {}; {} records wait", options_.path, error.what(), stats().queued);
  }

  const SqliteLogOptions options_;
  std::optional<BatchWriter> writer_;                     // writing thread
  bool makes_room_ = true;                                // writing thread
  std::optional<steady_clock::time_point> last_warning_;  // writing thread
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<QueuedRecord> queue_;  // guarded by mutex_, as are the following
  ProducerStats stats_;
  bool closing_ = false;
  bool whole_batch_ = false;  // there is one that need not wait for more
  std::thread thread_;        // last: starts when everything else is there
};

}  // namespace

std::unique_ptr<Producer> make_sqlite_producer(const SqliteLogOptions& options) {
  return std::make_unique<SqliteProducer>(options);
}

}  // namespace phoenix::events
