#include "core/events/kafka_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

#include "core/runtime/log.hpp"

namespace phoenix::events {
namespace {

constexpr std::array<std::string_view, 18> kReserved{"bootstrap.servers",
                                                     "metadata.broker.list",
                                                     "group.id",
                                                     "group.instance.id",
                                                     "enable.auto.commit",
                                                     "auto.commit.enable",
                                                     "enable.auto.offset.store",
                                                     "auto.offset.reset",
                                                     "enable.partition.eof",
                                                     "partition.assignment.strategy",
                                                     "enable.idempotence",
                                                     "transactional.id",
                                                     "acks",
                                                     "request.required.acks",
                                                     "partitioner",
                                                     "message.timeout.ms",
                                                     "delivery.timeout.ms",
                                                     "allow.auto.create.topics"};

/// librdkafka tells of every failed attempt to connect, on every client: one line of a kind in this time is enough.
class Throttle {
 public:
  static constexpr std::chrono::seconds kEvery{10};

  /// How many lines of the kind were held back since the last one; none: hold this one back too.
  std::optional<int> admit(const std::string& facility) {
    const std::lock_guard lock(mutex_);
    Kind& kind = kinds_[facility];
    const auto now = std::chrono::steady_clock::now();
    if (kind.last && now - *kind.last < kEvery) {
      ++kind.held_back;
      return std::nullopt;
    }
    kind.last = now;
    return std::exchange(kind.held_back, 0);
  }

 private:
  struct Kind {
    std::optional<std::chrono::steady_clock::time_point> last;
    int held_back = 0;
  };
  std::mutex mutex_;
  std::map<std::string, Kind> kinds_;
};

void write_log(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  static Throttle throttle;
  constexpr int kSyslogWarning = 4;
  // A property for producers is told to consumers too: properties are one list, so that is no news.
  const bool expected = std::strcmp(facility, "CONFWARN") == 0;
  const auto severity = level <= kSyslogWarning && !expected ? log::Level::warn : log::Level::debug;
  if (severity == log::Level::debug)
    return log::write(severity, fmt::format("kafka {}: {}: {}", rd_kafka_name(handle), facility, text));
  if (const auto held_back = throttle.admit(facility)) {
    const auto more = *held_back > 0 ? fmt::format(" (and {} like it before)", *held_back) : std::string();
    log::write(severity, fmt::format("kafka {}: {}: {}{}", rd_kafka_name(handle), facility, text, more));
  }
}

void set_property(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
  std::array<char, 512> reason{};
  if (rd_kafka_conf_set(conf, name, value.c_str(), reason.data(), reason.size()) != RD_KAFKA_CONF_OK) {
    throw Failure(ErrorCode::invalid_input, fmt::format("event_log.kafka.properties: {}: {}", name, reason.data()));
  }
}

}  // namespace

void refuse_reserved_properties(const KafkaLogOptions& options) {
  for (const auto& [name, value] : options.properties) {
    if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) {
      throw Failure(ErrorCode::invalid_input,
                    fmt::format("event_log.kafka.properties: {} is set by Phoenix and cannot be changed", name));
    }
  }
}

KafkaConf make_kafka_conf(const KafkaLogOptions& options, const KafkaProperties& defaults,
                          const KafkaProperties& required) {
  KafkaConf conf(rd_kafka_conf_new());
  rd_kafka_conf_set_log_cb(conf.get(), write_log);
  set_property(conf.get(), "client.id", "phoenix");
  set_property(conf.get(), "socket.keepalive.enable", "true");
  set_property(conf.get(), "reconnect.backoff.max.ms", "2000");
  for (const auto& [name, value] : defaults) set_property(conf.get(), name, value);
  for (const auto& [name, value] : options.properties) set_property(conf.get(), name.c_str(), value);
  for (const auto& [name, value] : required) set_property(conf.get(), name, value);
  set_property(conf.get(), "bootstrap.servers", options.brokers);
  return conf;
}

KafkaHandle make_kafka_handle(rd_kafka_type_t type, KafkaConf conf) {
  std::array<char, 512> reason{};
  rd_kafka_t* handle = rd_kafka_new(type, conf.get(), reason.data(), reason.size());
  if (handle == nullptr) throw Failure(ErrorCode::invalid_input, fmt::format("kafka: {}", reason.data()));
  static_cast<void>(conf.release());  // rd_kafka_new took it
  return KafkaHandle(handle);
}

}  // namespace phoenix::events
