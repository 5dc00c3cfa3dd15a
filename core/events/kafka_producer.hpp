// Internal to core/events.
#pragma once

#include <memory>

#include "core/events/kafka_topics.hpp"

namespace phoenix::events {

std::unique_ptr<Producer> make_kafka_producer(const KafkaLogOptions& options, std::shared_ptr<KafkaTopics> topics);

}  // namespace phoenix::events
