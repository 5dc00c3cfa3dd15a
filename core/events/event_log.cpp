#include "core/events/event_log.hpp"

#include <xxhash.h>

#include "core/events/kafka_event_log.hpp"
#include "core/events/sqlite_event_log.hpp"

namespace phoenix {

int slice_partition(const config::Config& config, std::string_view slice) {
  if (config.mode != config::Mode::enterprise) return 0;
  return static_cast<int>(XXH64(slice.data(), slice.size(), 0) %
                          static_cast<std::uint64_t>(config.event_log.kafka.partitions));
}

std::unique_ptr<EventLog> open_event_log(const config::Config& config) {
  if (config.mode == config::Mode::enterprise) {
    events::KafkaLogOptions options;
    options.brokers = config.event_log.kafka.brokers;
    options.prefix = config.event_log.kafka.topic_prefix;
    options.properties = config.event_log.kafka.properties;
    options.topics = events::standard_kafka_topics(config.event_log.kafka.partitions);
    return events::open_kafka_event_log(std::move(options));
  }
  events::SqliteLogOptions options;
  options.path = config.event_log.sqlite.path;
  options.retain_age = config.event_log.sqlite.retain_age;
  options.retain_bytes = config.event_log.sqlite.retain_bytes;
  return events::open_sqlite_event_log(std::move(options));
}

}  // namespace phoenix
