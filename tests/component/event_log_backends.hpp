// The stores behind the event log contract: a SQLite file, librdkafka's mock cluster, and real brokers when
// PHOENIX_TEST_KAFKA names them.
#pragma once

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/events/event_log.hpp"
#include "core/events/kafka_event_log.hpp"
#include "core/events/sqlite_event_log.hpp"
#include "tests/support/poll_until.hpp"

namespace phoenix::test {

/// An empty directory that goes away with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class Backend {
 public:
  virtual ~Backend() = default;
  /// Creates what the topic needs and returns its real name.
  virtual std::string add_topic(const std::string& name) = 0;
  /// Another instance over the same store, as another process would open it. `queue_records` bounds its producers.
  virtual std::unique_ptr<EventLog> open(std::size_t queue_records = 100'000) = 0;
  [[nodiscard]] virtual bool can_fail() const { return true; }
  virtual void begin_outage() = 0;
  virtual void end_outage() = 0;
};

/// "sqlite", "mock-kafka" and, when PHOENIX_TEST_KAFKA is set, "kafka".
std::vector<std::string> available_backends();
std::unique_ptr<Backend> make_backend(const std::string& kind);

/// librdkafka's mock cluster with one broker.
class MockCluster {
 public:
  MockCluster();
  ~MockCluster();
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;
  [[nodiscard]] std::string brokers() const;
  void create_topic(const std::string& name, int partitions);
  void set_up(bool up);
  /// Of every answer from now on.
  void set_round_trip(std::chrono::milliseconds time);
  /// The next answers to produce requests are this error.
  void fail_produce(int error_code, int count);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Properties that make a mock cluster answer fast: it does not wake waiting fetches.
std::map<std::string, std::string> quick_properties();

constexpr std::chrono::seconds kPatience{30};

/// Polls until `count` records came or patience is over; temporary errors are waited out, others fail the test.
std::vector<LogRecord> read_records(Consumer& consumer, std::size_t count,
                                    std::chrono::milliseconds patience = kPatience);

/// Polls until the condition holds; false when patience is over.
inline bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds deadline = kPatience) {
  return poll_until(condition, deadline);
}

inline std::function<std::int64_t(const TopicPartition&)> from(std::int64_t position) {
  return [position](const TopicPartition&) { return position; };
}

}  // namespace phoenix::test
