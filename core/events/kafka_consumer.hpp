// Internal to core/events.
#pragma once

#include <memory>

#include "core/events/kafka_topics.hpp"

namespace phoenix::events {

std::unique_ptr<Consumer> make_kafka_consumer(const KafkaLogOptions& options, std::shared_ptr<KafkaTopics> topics,
                                              ConsumerOptions consumer);

}  // namespace phoenix::events
