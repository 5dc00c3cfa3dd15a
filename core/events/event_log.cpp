#include "core/events/event_log.hpp"

#include "core/events/kafka_event_log.hpp"
#include "core/events/sqlite_event_log.hpp"

namespace phoenix {

std::unique_ptr<EventLog> open_event_log(const config::Config& config) {
  if (config.mode == config::Mode::enterprise) {
    events::KafkaLogOptions options;
    options.brokers = config.event_log.kafka.brokers;
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
