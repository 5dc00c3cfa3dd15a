#include "core/events/kafka_event_log.hpp"

#include "core/events/kafka_consumer.hpp"
#include "core/events/kafka_producer.hpp"
#include "core/events/kafka_topics.hpp"

namespace phoenix::events {
namespace {

class KafkaEventLog final : public EventLog {
 public:
  explicit KafkaEventLog(KafkaLogOptions options)
      : options_(std::move(options)), topics_(std::make_shared<KafkaTopics>(options_)) {}

  std::unique_ptr<Producer> make_producer() override { return make_kafka_producer(options_, topics_); }
  std::unique_ptr<Consumer> make_consumer(ConsumerOptions consumer) override {
    return make_kafka_consumer(options_, topics_, std::move(consumer));
  }

 private:
  const KafkaLogOptions options_;
  const std::shared_ptr<KafkaTopics> topics_;
};

}  // namespace

std::unique_ptr<EventLog> open_kafka_event_log(KafkaLogOptions options) {
  refuse_reserved_properties(options);
  return std::make_unique<KafkaEventLog>(std::move(options));
}

}  // namespace phoenix::events
