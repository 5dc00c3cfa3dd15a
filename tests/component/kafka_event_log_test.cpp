// What the Kafka log promises beyond the contract, on librdkafka's mock cluster; what the mock lacks (administration)
// on the brokers that PHOENIX_TEST_KAFKA names.
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <iostream>

#include "core/runtime/clock.hpp"
#include "tests/component/event_log_backends.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

events::KafkaLogOptions options_for(const std::string& brokers) {
  events::KafkaLogOptions options;
  options.brokers = brokers;
  options.properties = quick_properties();
  options.start_timeout = 300ms;
  return options;
}

}  // namespace

TEST_CASE("without brokers the log opens, publishing is accepted, and all of it arrives once they are there") {
  MockCluster cluster;
  cluster.create_topic("t", 1);
  cluster.set_up(false);
  auto options = options_for(cluster.brokers());
  options.topics = {{"t", 1, false}};
  const auto log = events::open_kafka_event_log(options);
  const auto producer = log->make_producer();
  for (int i = 0; i < 200; ++i) REQUIRE(producer->publish("t", "k", fmt::format("{:03}", i)));
  CHECK(producer->stats().queued == 200);
  const auto consumer = log->make_consumer({{"t"}, "", from(ConsumerOptions::kBeginning), {}});
  const auto early = consumer->poll(1, 50ms);
  REQUIRE(early.has_error());
  CHECK(early.error().code == ErrorCode::unavailable);

  cluster.set_up(true);
  REQUIRE(producer->flush(kPatience));
  for (int i = 200; i < 210; ++i) REQUIRE(producer->publish("t", "k", fmt::format("{:03}", i)));
  const auto records = read_records(*consumer, 210);
  REQUIRE(records.size() == 210);
  for (int i = 0; i < 210; ++i) CHECK(records[static_cast<std::size_t>(i)].value == fmt::format("{:03}", i));
}

TEST_CASE("a reader of all partitions that never waits begins, however far the brokers are") {
  MockCluster cluster;
  cluster.create_topic("t", 2);
  const auto log = events::open_kafka_event_log(options_for(cluster.brokers()));
  const auto producer = log->make_producer();
  REQUIRE(producer->publish("t", "k", "v"));
  REQUIRE(producer->flush(kPatience));
  cluster.set_round_trip(20ms);
  const auto consumer = log->make_consumer({{"t"}, "", from(ConsumerOptions::kBeginning), {}});
  CHECK(eventually(
      [&] {
        const auto records = consumer->poll(10, 0ms);
        return records.has_value() && !records->empty();
      },
      5s));
}

TEST_CASE("where a partition ends is known, also of one without records") {
  MockCluster cluster;
  cluster.create_topic("t", 2);
  const auto log = events::open_kafka_event_log(options_for(cluster.brokers()));
  const auto producer = log->make_producer();
  const auto publish = [&](int count) {
    for (int i = 0; i < count; ++i) REQUIRE(producer->publish_to(1, "t", "k", "v"));
    REQUIRE(producer->flush(kPatience));
  };
  publish(3);
  const auto consumer = log->make_consumer({{"t"}, "", from(ConsumerOptions::kBeginning), {}});
  CHECK_FALSE(consumer->end_read({"t", 0}));
  const auto ends_at = [&](int partition, std::int64_t end) {
    return eventually([&] {
      static_cast<void>(consumer->poll(1, 20ms));
      return consumer->end_read({"t", partition}) == end;
    });
  };
  CHECK(ends_at(0, 0));
  CHECK(ends_at(1, 3));
  publish(2);
  REQUIRE(eventually([&] {
    const auto one = consumer->poll(1, 20ms);
    return one && one->size() == 1;
  }));
  CHECK_FALSE(consumer->end_read({"t", 1}));  // one more is to be polled
  CHECK(ends_at(1, 5));
}

TEST_CASE("while topics are missing and cannot be created, producers queue and consumers say which one it is") {
  MockCluster cluster;
  cluster.create_topic("there", 1);
  auto options = options_for(cluster.brokers());
  options.topics = {{"there", 1, false}, {"missing", 1, false}};
  options.queue_records = 3;
  const auto log = events::open_kafka_event_log(options);
  const auto producer = log->make_producer();
  for (int i = 0; i < 3; ++i) CHECK(producer->publish("missing", "k", fmt::format("{}", i)));
  CHECK_FALSE(producer->publish("missing", "k", "beyond the bound"));
  CHECK(producer->stats().refused == 1);
  const auto consumer = log->make_consumer({{"missing"}, "", from(ConsumerOptions::kBeginning), {}});
  const auto early = consumer->poll(1, 50ms);
  REQUIRE(early.has_error());
  CHECK(early.error().code == ErrorCode::unavailable);
  CHECK_THAT(early.error().message, Contains("topic missing"));

  cluster.create_topic("missing", 1);
  CHECK(read_records(*consumer, 3).size() == 3);
}

TEST_CASE("temporary errors of the brokers are retried without loss, duplication or disorder") {
  MockCluster cluster;
  cluster.create_topic("t", 1);
  const auto log = events::open_kafka_event_log(options_for(cluster.brokers()));
  const auto producer = log->make_producer();
  cluster.fail_produce(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 3);
  for (int i = 0; i < 100; ++i) REQUIRE(producer->publish("t", "k", fmt::format("{:03}", i)));
  REQUIRE(producer->flush(kPatience));
  CHECK(producer->stats().acknowledged == 100);
  const auto consumer = log->make_consumer({{"t"}, "", from(ConsumerOptions::kBeginning), {}});
  const auto records = read_records(*consumer, 100);
  REQUIRE(records.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(records[static_cast<std::size_t>(i)].value == fmt::format("{:03}", i));
}

TEST_CASE("a record that the brokers refuse for good is counted as failed") {
  MockCluster cluster;
  cluster.create_topic("t", 1);
  const auto log = events::open_kafka_event_log(options_for(cluster.brokers()));
  const auto producer = log->make_producer();
  cluster.fail_produce(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 1);
  REQUIRE(producer->publish("t", "k", "refused"));
  REQUIRE(producer->flush(kPatience));
  CHECK(producer->stats().failed == 1);
  CHECK(producer->stats().queued == 0);
  REQUIRE(producer->publish("t", "k", "taken"));
  REQUIRE(producer->flush(kPatience));
  CHECK(producer->stats().acknowledged == 1);
}

TEST_CASE("a fatal error of the idempotent producer is survived") {
  MockCluster cluster;
  cluster.create_topic("t", 1);
  const auto log = events::open_kafka_event_log(options_for(cluster.brokers()));
  const auto producer = log->make_producer();
  REQUIRE(producer->publish("t", "k", "before"));
  REQUIRE(producer->flush(kPatience));
  cluster.fail_produce(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 1);
  REQUIRE(producer->publish("t", "k", "struck"));
  REQUIRE(producer->flush(kPatience));
  CHECK(producer->stats().failed == 1);
  REQUIRE(eventually([&] {
    return producer->publish("t", "k", "after") && producer->flush(1s) && producer->stats().acknowledged >= 2;
  }));
}

TEST_CASE("properties that correctness rests on are refused, and so are unknown ones") {
  auto options = options_for("127.0.0.1:1");
  options.properties = {{"enable.idempotence", "false"}};
  CHECK_THROWS_WITH(events::open_kafka_event_log(options),
                    "event_log.kafka.properties: enable.idempotence is set by Phoenix and cannot be changed");
  options.properties = {{"no.such.property", "1"}};
  CHECK_THROWS_WITH(events::open_kafka_event_log(options), Contains("no.such.property") && !Contains("\n"));
  options.properties = {{"linger.ms", "often"}};
  CHECK_THROWS_WITH(events::open_kafka_event_log(options), Contains("linger.ms"));
}

TEST_CASE("closing does not hang while the brokers are away") {
  MockCluster cluster;
  cluster.create_topic("t", 1);
  auto options = options_for(cluster.brokers());
  options.close_timeout = 100ms;
  auto log = events::open_kafka_event_log(options);
  auto producer = log->make_producer();
  auto consumer = log->make_consumer({{"t"}, "group", from(ConsumerOptions::kBeginning), {}});
  REQUIRE(producer->publish("t", "k", "v"));
  REQUIRE(read_records(*consumer, 1).size() == 1);
  cluster.set_up(false);
  REQUIRE(producer->publish("t", "k", "never delivered"));
  const auto started = std::chrono::steady_clock::now();
  producer.reset();
  consumer.reset();
  log.reset();
  CHECK(std::chrono::steady_clock::now() - started < 15s);
}

TEST_CASE("real brokers: topics are created as asked for, and one that does not fit is a clear failure") {
  const char* brokers = std::getenv("PHOENIX_TEST_KAFKA");
  if (brokers == nullptr) {
    std::cout << "not run: topic administration, because PHOENIX_TEST_KAFKA is not set\n";
    return;
  }
  events::KafkaLogOptions options;
  options.brokers = brokers;
  options.start_timeout = 10s;
  const auto unique = fmt::format("{:016x}", random_seed());
  options.topics = {{"phoenix-test-traffic-" + unique, 3, false}, {"phoenix-test-state-" + unique, 1, true}};
  CHECK_NOTHROW(events::open_kafka_event_log(options));
  CHECK(eventually([&] {  // metadata follows creation with a delay
    const auto log = events::open_kafka_event_log(options);
    const auto reader = log->make_consumer({{options.topics[0].name}, "", from(ConsumerOptions::kBeginning), {}});
    static_cast<void>(reader->poll(1, 500ms));
    const auto ends = reader->end_offsets();
    return ends.has_value() && ends->size() == 3;
  }));
  const auto wrong = [&](const auto& change) {
    auto changed = options;
    change(changed.topics);
    return changed;
  };
  using Topics = std::vector<events::KafkaTopic>;
  CHECK_THROWS_WITH(events::open_kafka_event_log(wrong([](Topics& topics) { topics[0].compacted = true; })),
                    Contains("set cleanup.policy=compact"));
  CHECK_THROWS_WITH(events::open_kafka_event_log(wrong([](Topics& topics) { topics[1].compacted = false; })),
                    Contains("set cleanup.policy=delete"));
  const auto ruled = [](int partitions, events::PartitionRule rule) {
    return [=](Topics& topics) {
      topics[0].partitions = partitions;
      topics[0].rule = rule;
    };
  };
  using events::PartitionRule;
  CHECK_THROWS_WITH(events::open_kafka_event_log(wrong(ruled(4, PartitionRule::at_least))),
                    Contains("has 3 partitions, but event_log.kafka.partitions is 4"));
  CHECK_NOTHROW(events::open_kafka_event_log(wrong(ruled(2, PartitionRule::at_least))));
  CHECK_THROWS_WITH(events::open_kafka_event_log(wrong(ruled(1, PartitionRule::exactly))),
                    Contains("its records are one sequence: create it anew with 1"));
}

TEST_CASE("a prefix keeps two logs of one cluster apart, and nobody who uses them sees it") {
  MockCluster cluster;
  std::vector<std::unique_ptr<EventLog>> logs;
  for (const auto* prefix : {"one.", "two."}) {
    cluster.create_topic(std::string(prefix) + "t", 1);
    auto options = options_for(cluster.brokers());
    options.prefix = prefix;
    options.topics = {{"t", 1, false}};
    logs.push_back(events::open_kafka_event_log(options));
    REQUIRE(logs.back()->make_producer()->publish("t", "k", prefix));
  }
  for (std::size_t i = 0; i < logs.size(); ++i) {
    for (const auto* group : {"", "group"}) {
      const auto consumer = logs[i]->make_consumer({{"t"}, group, from(ConsumerOptions::kBeginning), {}});
      const auto records = read_records(*consumer, 1);
      REQUIRE(records.size() == 1);
      CHECK(records[0].topic == "t");
      CHECK(records[0].value == (i == 0 ? "one." : "two."));
      CHECK(consumer->end_offsets().value() == std::map<TopicPartition, std::int64_t>{{{"t", 0}, 1}});
      consumer->report_progress({{{"t", 0}, 1}});
    }
  }
}
