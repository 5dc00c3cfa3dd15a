// What all clients of librdkafka share: ownership, configuration, logging. Internal to core/events.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/events/kafka_event_log.hpp"

namespace phoenix::events {

template <auto Function>
struct KafkaDeleter {
  template <class T>
  void operator()(T* object) const {
    Function(object);
  }
};

using KafkaConf = std::unique_ptr<rd_kafka_conf_t, KafkaDeleter<rd_kafka_conf_destroy>>;
using KafkaHandle = std::unique_ptr<rd_kafka_t, KafkaDeleter<rd_kafka_destroy>>;
using KafkaPartitions =
    std::unique_ptr<rd_kafka_topic_partition_list_t, KafkaDeleter<rd_kafka_topic_partition_list_destroy>>;
using KafkaMessage = std::unique_ptr<rd_kafka_message_t, KafkaDeleter<rd_kafka_message_destroy>>;
using KafkaQueue = std::unique_ptr<rd_kafka_queue_t, KafkaDeleter<rd_kafka_queue_destroy>>;
using KafkaEvent = std::unique_ptr<rd_kafka_event_t, KafkaDeleter<rd_kafka_event_destroy>>;

using KafkaProperties = std::vector<std::pair<const char*, std::string>>;

/// Our defaults, then the user's properties, then what correctness rests on. Throws Failure naming the property.
KafkaConf make_kafka_conf(const KafkaLogOptions& options, const KafkaProperties& defaults,
                          const KafkaProperties& required);

/// Throws Failure when the user's properties contain one that Phoenix depends on.
void refuse_reserved_properties(const KafkaLogOptions& options);

/// Throws Failure with librdkafka's reason.
KafkaHandle make_kafka_handle(rd_kafka_type_t type, KafkaConf conf);

}  // namespace phoenix::events
