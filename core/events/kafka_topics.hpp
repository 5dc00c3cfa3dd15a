// Creates or checks the topics, at start if the brokers can be reached, else in the background. Until they stand
// nothing may be produced: brokers create unknown topics on demand, with the wrong number of partitions and without
// compaction. Internal to core/events. Any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/events/kafka_client.hpp"

namespace phoenix::events {

class KafkaTopics {
 public:
  /// Waits at most options.start_timeout. Throws Failure when a topic exists and does not fit.
  explicit KafkaTopics(const KafkaLogOptions& options);
  ~KafkaTopics();
  [[nodiscard]] bool ready() const { return ready_.load(std::memory_order_acquire); }
  /// Why they are not ready.
  [[nodiscard]] std::string problem() const;

 private:
  void run();
  void set_problem(const std::string& problem);
  /// The error is `unavailable` when a later attempt may succeed, `invalid_input` when a topic does not fit.
  std::optional<Error> create_or_check(std::chrono::milliseconds timeout);

  const KafkaLogOptions options_;
  KafkaHandle client_;
  std::atomic<bool> ready_{false};
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  std::string problem_;  // guarded by mutex_
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace phoenix::events
