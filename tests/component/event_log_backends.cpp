#include "tests/component/event_log_backends.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "core/events/sqlite_database.hpp"
#include "core/runtime/clock.hpp"
#include "tests/support/catch.hpp"

namespace phoenix::test {
namespace {

constexpr int kPartitions = 2;

class SqliteBackend final : public Backend {
 public:
  std::string add_topic(const std::string& name) override { return name; }

  std::unique_ptr<EventLog> open(std::size_t queue_records) override {
    events::SqliteLogOptions options;
    options.path = directory_.file("events.db");
    options.queue_records = queue_records;
    options.lease = std::chrono::milliseconds(600);
    return events::open_sqlite_event_log(options);
  }

  void begin_outage() override {
    blocker_ = std::make_unique<events::SqliteDatabase>(directory_.file("events.db"));
    for (;;) {
      try {
        return blocker_->execute("BEGIN EXCLUSIVE");
      } catch (const events::SqliteError& error) {
        if (!error.busy()) throw;
      }
    }
  }

  void end_outage() override { blocker_.reset(); }

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<events::SqliteDatabase> blocker_;
};

class MockKafkaBackend final : public Backend {
 public:
  std::string add_topic(const std::string& name) override {
    cluster_.create_topic(name, kPartitions);
    topics_.push_back({name, kPartitions, false});
    return name;
  }

  std::unique_ptr<EventLog> open(std::size_t queue_records) override {
    events::KafkaLogOptions options;
    options.brokers = cluster_.brokers();
    options.properties = quick_properties();
    options.topics = topics_;
    options.queue_records = queue_records;
    return events::open_kafka_event_log(options);
  }

  void begin_outage() override { cluster_.set_up(false); }
  void end_outage() override { cluster_.set_up(true); }

 private:
  MockCluster cluster_;
  std::vector<events::KafkaTopic> topics_;
};

class RealKafkaBackend final : public Backend {
 public:
  explicit RealKafkaBackend(std::string brokers) : brokers_(std::move(brokers)) {}

  std::string add_topic(const std::string& name) override {
    topics_.push_back({fmt::format("phoenix-test-{}-{:016x}", name, random_seed()), kPartitions, false});
    return topics_.back().name;
  }

  std::unique_ptr<EventLog> open(std::size_t queue_records) override {
    events::KafkaLogOptions options;
    options.brokers = brokers_;
    options.topics = topics_;
    options.queue_records = queue_records;
    options.start_timeout = std::chrono::seconds(10);
    return events::open_kafka_event_log(options);
  }

  [[nodiscard]] bool can_fail() const override { return false; }
  void begin_outage() override { throw std::logic_error("the brokers are not ours to stop"); }
  void end_outage() override {}

 private:
  std::string brokers_;
  std::vector<events::KafkaTopic> topics_;
};

}  // namespace

TemporaryDirectory::TemporaryDirectory()
    : path_(fmt::format("{}/phoenix-test-{:016x}", std::filesystem::temp_directory_path().string(), random_seed())) {
  std::filesystem::create_directories(path_);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> available_backends() {
  std::vector<std::string> kinds{"sqlite"};
#ifndef __SANITIZE_THREAD__  // librdkafka starts its threads by thrd_create, which ThreadSanitizer does not know
  kinds.emplace_back("mock-kafka");
  if (std::getenv("PHOENIX_TEST_KAFKA") != nullptr) kinds.emplace_back("kafka");
#endif
  return kinds;
}

std::unique_ptr<Backend> make_backend(const std::string& kind) {
  if (kind == "sqlite") return std::make_unique<SqliteBackend>();
  if (kind == "mock-kafka") return std::make_unique<MockKafkaBackend>();
  return std::make_unique<RealKafkaBackend>(std::getenv("PHOENIX_TEST_KAFKA"));
}

struct MockCluster::Impl {
  rd_kafka_t* handle = nullptr;
  rd_kafka_mock_cluster_t* cluster = nullptr;
};

MockCluster::MockCluster() : impl_(std::make_unique<Impl>()) {
  std::array<char, 256> reason{};
  auto* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", "127.0.0.1:1", reason.data(), reason.size());
  rd_kafka_conf_set_log_cb(conf, nullptr);
  impl_->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size());
  if (impl_->handle == nullptr) throw std::runtime_error(reason.data());
  impl_->cluster = rd_kafka_mock_cluster_new(impl_->handle, 1);
}

MockCluster::~MockCluster() {
  rd_kafka_mock_cluster_destroy(impl_->cluster);
  rd_kafka_destroy(impl_->handle);
}

std::string MockCluster::brokers() const {
  return rd_kafka_mock_cluster_bootstraps(impl_->cluster);
}

void MockCluster::create_topic(const std::string& name, int partitions) {
  rd_kafka_mock_topic_create(impl_->cluster, name.c_str(), partitions, 1);
}

void MockCluster::set_up(bool up) {
  if (up) {
    rd_kafka_mock_broker_set_up(impl_->cluster, 1);
  } else {
    rd_kafka_mock_broker_set_down(impl_->cluster, 1);
  }
}

void MockCluster::set_round_trip(std::chrono::milliseconds time) {
  rd_kafka_mock_broker_set_rtt(impl_->cluster, 1, static_cast<int>(time.count()));
}

void MockCluster::fail_produce(int error_code, int count) {
  constexpr int kProduceApi = 0;
  const std::vector<rd_kafka_resp_err_t> errors(static_cast<std::size_t>(count),
                                                static_cast<rd_kafka_resp_err_t>(error_code));
  rd_kafka_mock_push_request_errors_array(impl_->cluster, kProduceApi, errors.size(), errors.data());
}

std::map<std::string, std::string> quick_properties() {
  return {{"fetch.wait.max.ms", "20"},
          {"reconnect.backoff.max.ms", "200"},
          {"fetch.error.backoff.ms", "50"},
          {"session.timeout.ms", "6000"},
          {"heartbeat.interval.ms", "200"}};
}

std::vector<LogRecord> read_records(Consumer& consumer, std::size_t count, std::chrono::milliseconds patience) {
  std::vector<LogRecord> records;
  eventually(
      [&] {
        auto batch = consumer.poll(1'000, std::chrono::milliseconds(100));
        if (batch.has_error()) {
          INFO(batch.error().message);
          REQUIRE(batch.error().code == ErrorCode::unavailable);
          return false;
        }
        for (auto& record : *batch) records.push_back(std::move(record));
        return records.size() >= count;
      },
      patience);
  return records;
}

}  // namespace phoenix::test
