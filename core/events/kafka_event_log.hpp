// The event log of a fleet: Kafka through librdkafka. Positions belong to the caller; what is committed to Kafka is for
// lag displays only.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/events/event_log.hpp"

namespace phoenix::events {

enum class PartitionRule { any, at_least, exactly };

struct KafkaTopic {
  std::string name;
  int partitions = 1;      ///< when it has to be created
  bool compacted = false;  ///< must be cleaned up by key: its newest records are state; the others must not
  PartitionRule rule = PartitionRule::any;  ///< how many partitions an existing topic may have
};

/// The topics of topics::k*, with `partitions` for those that carry traffic. Those that carry slices need at least as
/// many, the others are one sequence.
std::vector<KafkaTopic> standard_kafka_topics(int partitions);

struct KafkaLogOptions {
  std::string brokers;
  std::string prefix;  ///< before the names of topics and groups, so that several migrations share a cluster
  std::map<std::string, std::string> properties;   ///< for librdkafka; those that correctness rests on are refused
  std::vector<KafkaTopic> topics;                  ///< created or checked at start
  std::chrono::milliseconds start_timeout{2'000};  ///< wait for the brokers at start; afterwards in the background
  std::chrono::milliseconds close_timeout{5'000};  ///< how long a producer's destructor tries to deliver
  std::size_t queue_records = 100'000;             ///< bound of each producer
  std::size_t queue_bytes = 256u << 20;
};

/// Throws Failure on a property that is unknown or reserved, and when a topic exists and does not fit. Unreachable
/// brokers are no error: producers queue, consumers say `unavailable`, and both start by themselves later.
std::unique_ptr<EventLog> open_kafka_event_log(KafkaLogOptions options);

}  // namespace phoenix::events
