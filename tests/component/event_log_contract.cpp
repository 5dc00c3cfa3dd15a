// What every event log promises, run over each implementation.
#include <fmt/format.h>

#include "tests/component/event_log_backends.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::test;
using namespace std::chrono_literals;

namespace {

#define FOR_EACH_BACKEND()                                      \
  const auto kind = GENERATE(from_range(available_backends())); \
  INFO("event log: " << kind);                                  \
  const auto backend = make_backend(kind)

std::vector<std::string> values_of(const std::vector<LogRecord>& records) {
  std::vector<std::string> values;
  for (const auto& record : records) values.push_back(record.value);
  return values;
}

std::set<std::string> set_of(const std::vector<LogRecord>& records) {
  const auto values = values_of(records);
  return {values.begin(), values.end()};
}

void publish_numbers(Producer& producer, const std::string& topic, int first, int count, int keys = 5) {
  for (int i = first; i < first + count; ++i) {
    REQUIRE(producer.publish(topic.c_str(), fmt::format("key-{}", i % keys), fmt::format("{:06}", i)));
  }
}

/// A group member whose positions the test owns, as a caller with a database would.
struct Member {
  Member(EventLog& log, const std::string& topic, std::map<TopicPartition, std::int64_t>& positions) {
    ConsumerOptions options;
    options.topics = {topic};
    options.group = "group";
    options.start_position = [this, &positions](const TopicPartition& partition) {
      assigned.insert(partition);
      return positions.contains(partition) ? positions.at(partition) : ConsumerOptions::kBeginning;
    };
    options.on_revoked = [this](const std::vector<TopicPartition>& partitions) {
      for (const auto& partition : partitions) assigned.erase(partition);
    };
    consumer = log.make_consumer(std::move(options));
  }

  void step(std::map<TopicPartition, std::int64_t>& positions, std::vector<LogRecord>& read) {
    auto batch = consumer->poll(100, 20ms);
    if (batch.has_error()) {
      INFO(batch.error().message);
      REQUIRE(batch.error().code == ErrorCode::unavailable);
      return;
    }
    for (auto& record : *batch) {
      positions[{record.topic, record.partition}] = record.offset + 1;
      read.push_back(std::move(record));
    }
    consumer->report_progress(positions);
  }

  std::set<TopicPartition> assigned;
  std::unique_ptr<Consumer> consumer;
};

}  // namespace

TEST_CASE("records come back as published, in order per key, with contiguous offsets") {
  FOR_EACH_BACKEND();
  const auto topic = backend->add_topic("orders");
  const auto log = backend->open();
  const auto producer = log->make_producer();
  const std::string binary_key("k\0ey\xff\n", 6);
  const std::string binary_value("\0\x01\0binary\xfe", 10);
  REQUIRE(producer->publish(topic.c_str(), binary_key, binary_value));
  REQUIRE(producer->publish(topic.c_str(), "empty", ""));
  publish_numbers(*producer, topic, 0, 300);
  REQUIRE(producer->flush(kPatience));
  const auto stats = producer->stats();
  CHECK(stats.accepted == 302);
  CHECK(stats.acknowledged == 302);
  CHECK(stats.queued == 0);
  CHECK(stats.queued_bytes == 0);

  const auto consumer = log->make_consumer({{topic}, "", from(ConsumerOptions::kBeginning), {}});
  const auto records = read_records(*consumer, 302);
  REQUIRE(records.size() == 302);
  std::map<int, std::int64_t> next_offset;
  std::map<std::string, std::string> last_value;
  std::map<std::string, int> partition_of_key;
  bool saw_binary = false;
  bool saw_empty = false;
  for (const auto& record : records) {
    CHECK(record.topic == topic);
    CHECK(record.offset == next_offset[record.partition]++);
    CHECK(std::abs(record.timestamp_ms - std::chrono::duration_cast<std::chrono::milliseconds>(
                                             std::chrono::system_clock::now().time_since_epoch())
                                             .count()) < 60'000);
    const auto [known, is_new] = partition_of_key.try_emplace(record.key, record.partition);
    CHECK(known->second == record.partition);
    if (record.key == binary_key) {
      saw_binary = record.value == binary_value;
    } else if (record.key == "empty") {
      saw_empty = record.value.empty();
    } else {
      CHECK(last_value[record.key] < record.value);
      last_value[record.key] = record.value;
    }
  }
  CHECK(saw_binary);
  CHECK(saw_empty);
  CHECK(last_value.size() == 5);
}

TEST_CASE("reading starts where the caller says") {
  FOR_EACH_BACKEND();
  const auto topic = backend->add_topic("positions");
  const auto log = backend->open();
  const auto producer = log->make_producer();
  publish_numbers(*producer, topic, 0, 50);
  REQUIRE(producer->flush(kPatience));

  std::map<TopicPartition, std::int64_t> positions;
  std::set<std::string> seen;
  {
    const auto first = log->make_consumer({{topic}, "", from(ConsumerOptions::kBeginning), {}});
    std::size_t count = 0;
    REQUIRE(eventually([&] {
      const auto batch = first->poll(7, 100ms);
      if (batch.has_error()) return false;
      CHECK(batch->size() <= 7);
      for (const auto& record : *batch) {
        positions[{record.topic, record.partition}] = record.offset + 1;
        seen.insert(record.value);
        ++count;
      }
      return count >= 21;
    }));
    CHECK(seen.size() == count);
  }
  publish_numbers(*producer, topic, 50, 10);
  REQUIRE(producer->flush(kPatience));
  const auto second = log->make_consumer(
      {{topic},
       "",
       [&](const TopicPartition& partition) { return positions.contains(partition) ? positions.at(partition) : 0; },
       {}});
  const auto rest = read_records(*second, 60 - seen.size());
  CHECK(rest.size() == 60 - seen.size());
  for (const auto& record : rest) CHECK_FALSE(seen.contains(record.value));
  const auto nothing = second->poll(10, 50ms);
  CHECK((nothing.has_error() || nothing->empty()));
}

TEST_CASE("a reader that starts at the end sees only what comes later") {
  FOR_EACH_BACKEND();
  const auto topic = backend->add_topic("tail");
  const auto log = backend->open();
  const auto producer = log->make_producer();
  publish_numbers(*producer, topic, 0, 20);
  REQUIRE(producer->flush(kPatience));
  // The end is asked for at the first poll; a position taken from end_offsets is exact for every implementation.
  const auto probe = log->make_consumer({{topic}, "", from(ConsumerOptions::kEnd), {}});
  Result<std::map<TopicPartition, std::int64_t>> ends = std::map<TopicPartition, std::int64_t>{};
  REQUIRE(eventually([&] {
    const auto batch = probe->poll(10, 50ms);
    if (batch.has_value()) CHECK(batch->empty());
    ends = probe->end_offsets();
    return ends.has_value() && !ends->empty();
  }));
  std::int64_t total = 0;
  for (const auto& [partition, end] : *ends) total += end;
  CHECK(total == 20);

  const auto reader =
      log->make_consumer({{topic}, "", [&](const TopicPartition& partition) { return ends->at(partition); }, {}});
  publish_numbers(*producer, topic, 20, 5);
  CHECK(set_of(read_records(*reader, 5)) == std::set<std::string>{"000020", "000021", "000022", "000023", "000024"});
}

TEST_CASE("readers without a group each read everything, from several topics") {
  FOR_EACH_BACKEND();
  const auto control = backend->add_topic("control");
  const auto status = backend->add_topic("status");
  const auto log = backend->open();
  const auto other_log = backend->open();
  const auto first = log->make_consumer({{control, status}, "", from(ConsumerOptions::kBeginning), {}});
  const auto second = other_log->make_consumer({{control, status}, "", from(ConsumerOptions::kBeginning), {}});
  const auto producer = other_log->make_producer();
  publish_numbers(*producer, control, 0, 30);
  publish_numbers(*producer, status, 30, 30);
  const auto of_first = read_records(*first, 60);
  const auto of_second = read_records(*second, 60);
  CHECK(of_first.size() == 60);
  CHECK(set_of(of_first).size() == 60);
  CHECK(set_of(of_first) == set_of(of_second));
}

TEST_CASE("members of a group share the partitions, and the rest take over what one leaves") {
  FOR_EACH_BACKEND();
  const auto topic = backend->add_topic("shared");
  const auto log = backend->open();
  const auto other_log = backend->open();
  const auto producer = log->make_producer();
  std::map<TopicPartition, std::int64_t> positions;
  std::vector<LogRecord> read;
  auto first = std::make_unique<Member>(*log, topic, positions);
  auto second = std::make_unique<Member>(*other_log, topic, positions);
  const auto step_both = [&] {
    first->step(positions, read);
    second->step(positions, read);
  };

  publish_numbers(*producer, topic, 0, 100);
  REQUIRE(eventually([&] {
    step_both();
    return set_of(read).size() == 100;
  }));
  const std::size_t partitions = kind == "sqlite" ? 1 : 2;
  // The second member may come later than the first records; with more partitions than one it must get its part.
  REQUIRE(eventually([&] {
    step_both();
    const bool both = !first->assigned.empty() && !second->assigned.empty();
    return first->assigned.size() + second->assigned.size() == partitions && (both || partitions == 1);
  }));
  for (const auto& partition : first->assigned) CHECK_FALSE(second->assigned.contains(partition));
  if (kind != "sqlite") CHECK(first->assigned.size() == 1);

  // With a settled assignment nothing is read twice.
  read.clear();
  publish_numbers(*producer, topic, 100, 100);
  REQUIRE(eventually([&] {
    step_both();
    return read.size() >= 100;
  }));
  CHECK(read.size() == 100);
  CHECK(set_of(read).size() == 100);

  auto& holder = first->assigned.empty() ? second : first;
  auto& standby = first->assigned.empty() ? first : second;
  holder.reset();
  read.clear();
  publish_numbers(*producer, topic, 200, 100);
  REQUIRE(eventually([&] {
    standby->step(positions, read);
    return set_of(read).size() >= 100;
  }));
  CHECK(read.size() == 100);
  CHECK(standby->assigned.size() == partitions);
}

TEST_CASE("a caller whose store is away is asked for its position again") {
  FOR_EACH_BACKEND();
  const auto topic = backend->add_topic("asked-again");
  const auto log = backend->open();
  const auto producer = log->make_producer();
  publish_numbers(*producer, topic, 0, 10);
  int asked = 0;
  const auto consumer = log->make_consumer({{topic},
                                            "group",
                                            [&](const TopicPartition&) -> std::int64_t {
                                              if (++asked == 1) throw Failure(ErrorCode::unavailable, "store is away");
                                              return ConsumerOptions::kBeginning;
                                            },
                                            {}});
  bool thrown = false;
  REQUIRE(eventually([&] {
    try {
      static_cast<void>(consumer->poll(1, 100ms));
    } catch (const Failure&) {
      thrown = true;
    }
    return thrown;
  }));
  CHECK(read_records(*consumer, 10).size() == 10);
  CHECK(asked >= 2);
}

TEST_CASE("a producer that ends delivers what it accepted") {
  FOR_EACH_BACKEND();
  const auto topic = backend->add_topic("closing");
  const auto log = backend->open();
  publish_numbers(*log->make_producer(), topic, 0, 500);
  const auto consumer = log->make_consumer({{topic}, "", from(ConsumerOptions::kBeginning), {}});
  CHECK(set_of(read_records(*consumer, 500)).size() == 500);
}

TEST_CASE("an outage loses nothing that was accepted, and both sides recover by themselves") {
  FOR_EACH_BACKEND();
  if (!backend->can_fail()) return;
  const auto topic = backend->add_topic("outage");
  const auto log = backend->open();
  const auto producer = log->make_producer();
  const auto consumer = log->make_consumer({{topic}, "group", from(ConsumerOptions::kBeginning), {}});
  publish_numbers(*producer, topic, 0, 10, 1);
  REQUIRE(producer->flush(kPatience));
  REQUIRE(read_records(*consumer, 10).size() == 10);

  backend->begin_outage();
  publish_numbers(*producer, topic, 10, 300, 1);
  CHECK_FALSE(producer->flush(1s));
  CHECK(producer->stats().acknowledged == 10);
  CHECK(producer->stats().queued == 300);
  const auto during = consumer->poll(10, 200ms);
  if (during.has_error()) CHECK(during.error().code == ErrorCode::unavailable);
  if (during.has_value()) CHECK(during->empty());
  backend->end_outage();

  REQUIRE(producer->flush(kPatience));
  CHECK(producer->stats().acknowledged == 310);
  CHECK(producer->stats().failed == 0);
  const auto all = log->make_consumer({{topic}, "", from(ConsumerOptions::kBeginning), {}});
  const auto values = values_of(read_records(*all, 310));
  REQUIRE(values.size() == 310);
  for (int i = 0; i < 310; ++i) CHECK(values[static_cast<std::size_t>(i)] == fmt::format("{:06}", i));
  // The member may have lost its place meanwhile and started anew; the last record arrives in any case.
  std::string last;
  CHECK(eventually([&] {
    const auto batch = consumer->poll(100, 100ms);
    if (batch.has_value() && !batch->empty()) last = batch->back().value;
    return last == "000309";
  }));
}

TEST_CASE("a batch of records that stand elsewhere is taken from the first on, as far as there is room") {
  FOR_EACH_BACKEND();
  const auto topic = backend->add_topic("batch");
  const auto log = backend->open(10);
  const auto producer = log->make_producer();
  auto numbers = std::make_shared<std::vector<std::string>>();
  for (int i = 0; i < 15; ++i) numbers->push_back(fmt::format("{:02}", i));
  const std::weak_ptr<const void> held = numbers;
  std::vector<HeldRecord> records;
  for (const auto& number : *numbers) records.push_back({0, "key", number, numbers});
  const std::vector<std::string> first_ten(numbers->begin(), numbers->begin() + 10);
  numbers.reset();
  if (backend->can_fail()) {
    backend->begin_outage();
    CHECK(producer->publish_all(topic.c_str(), records) == 10);
    CHECK(producer->stats().refused == 1);
    backend->end_outage();
  } else {
    CHECK(producer->publish_all(topic.c_str(), std::span(records).first(10)) == 10);
  }
  records.clear();  // whoever still needs the bytes keeps them
  REQUIRE(producer->flush(kPatience));
  CHECK(producer->stats().acknowledged == 10);
  CHECK(held.expired());  // and lets go of them afterwards
  const auto consumer = log->make_consumer({{topic}, "", from(ConsumerOptions::kBeginning), {}});
  CHECK(values_of(read_records(*consumer, 10)) == first_ten);
}

TEST_CASE("a full queue refuses, counts what it refused, and delivers what it accepted") {
  FOR_EACH_BACKEND();
  if (!backend->can_fail()) return;
  const auto topic = backend->add_topic("full");
  const auto log = backend->open(10);
  const auto producer = log->make_producer();
  backend->begin_outage();
  std::set<std::string> accepted;
  for (int i = 0; i < 50; ++i) {
    const auto value = fmt::format("{}", i);
    if (producer->publish(topic.c_str(), "key", value)) accepted.insert(value);
  }
  CHECK(accepted.size() == 10);
  CHECK(producer->stats().accepted == 10);
  CHECK(producer->stats().refused == 40);
  backend->end_outage();
  REQUIRE(producer->flush(kPatience));
  REQUIRE(producer->publish(topic.c_str(), "key", "later"));
  accepted.insert("later");
  const auto consumer = log->make_consumer({{topic}, "", from(ConsumerOptions::kBeginning), {}});
  CHECK(set_of(read_records(*consumer, 11)) == accepted);
}

TEST_CASE("a position beyond the end is a conflict, not a silent restart") {
  FOR_EACH_BACKEND();
  const auto topic = backend->add_topic("beyond");
  const auto log = backend->open();
  const auto producer = log->make_producer();
  publish_numbers(*producer, topic, 0, 10);
  REQUIRE(producer->flush(kPatience));
  const auto consumer = log->make_consumer({{topic}, "", from(1000), {}});
  const auto is_conflict = [&] {
    const auto batch = consumer->poll(10, 100ms);
    if (batch.has_value()) CHECK(batch->empty());
    return batch.has_error() && batch.error().code == ErrorCode::conflict &&
           batch.error().message.find("before the position 1000 of this reader") != std::string::npos;
  };
  CHECK(eventually(is_conflict));
  CHECK(is_conflict());
}

TEST_CASE("a record goes to the partition that was asked for, and partitions can be read without a group's leave") {
  FOR_EACH_BACKEND();
  const auto topic = backend->add_topic("chosen");
  const auto log = backend->open();
  const auto producer = log->make_producer();
  const int last = kind == "sqlite" ? 0 : 1;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(producer->publish_to(i % 2, topic.c_str(), "one key", fmt::format("{:06}", i)));
  }
  REQUIRE(producer->flush(kPatience));
  // Two readers of one name: neither takes the partition from the other.
  const auto open = [&] {
    return log->make_consumer({{topic}, "group", from(ConsumerOptions::kBeginning), {}, std::vector<int>{last}});
  };
  const auto first = open();
  const auto second = open();
  const std::size_t expected = kind == "sqlite" ? 20 : 10;
  for (const auto* reader : {&first, &second}) {
    const auto records = read_records(**reader, expected);
    REQUIRE(records.size() == expected);
    for (const auto& record : records) CHECK(record.partition == last);
    CHECK(records.back().value == "000019");
  }
  const TopicPartition partition{topic, last};
  CHECK(eventually([&] {
    static_cast<void>(first->poll(10, 20ms));
    return first->at_end(partition);
  }));
  first->report_progress({{partition, static_cast<std::int64_t>(expected)}});
}

TEST_CASE("whether a reader has come to the end is known, and more to read takes that back") {
  FOR_EACH_BACKEND();
  const auto topic = backend->add_topic("ending");
  const auto log = backend->open();
  const auto producer = log->make_producer();
  publish_numbers(*producer, topic, 0, 50, 1);
  REQUIRE(producer->flush(kPatience));
  const auto consumer = log->make_consumer({{topic}, "", from(ConsumerOptions::kBeginning), {}});
  std::vector<LogRecord> read;
  REQUIRE(eventually([&] {
    auto batch = consumer->poll(20, 20ms);
    if (batch.has_error()) return false;
    for (auto& record : *batch) read.push_back(std::move(record));
    if (!read.empty() && read.size() < 50) CHECK_FALSE(consumer->at_end({topic, read.front().partition}));
    return read.size() == 50;
  }));
  CHECK(eventually([&] {
    static_cast<void>(consumer->poll(20, 20ms));
    return consumer->at_end({topic, read.front().partition});
  }));
}

TEST_CASE("a partition that is held back hands out nothing and loses nothing") {
  FOR_EACH_BACKEND();
  const auto topic = backend->add_topic("held");
  const auto log = backend->open();
  const auto producer = log->make_producer();
  for (int i = 0; i < 100; ++i) REQUIRE(producer->publish_to(0, topic.c_str(), "k", fmt::format("{:06}", i)));
  REQUIRE(producer->flush(kPatience));
  const auto consumer = log->make_consumer({{topic}, "", from(ConsumerOptions::kBeginning), {}, std::vector<int>{0}});
  auto records = read_records(*consumer, 1);
  REQUIRE(!records.empty());
  consumer->hold({topic, 0}, true);
  for (int i = 100; i < 200; ++i) REQUIRE(producer->publish_to(0, topic.c_str(), "k", fmt::format("{:06}", i)));
  REQUIRE(producer->flush(kPatience));
  for (int i = 0; i < 10; ++i) {
    const auto nothing = consumer->poll(1'000, 20ms);
    CHECK((nothing.has_error() || nothing->empty()));
  }
  consumer->hold({topic, 0}, false);
  for (auto& record : read_records(*consumer, 200 - records.size())) records.push_back(std::move(record));
  REQUIRE(records.size() == 200);
  for (int i = 0; i < 200; ++i) CHECK(records[static_cast<std::size_t>(i)].value == fmt::format("{:06}", i));
}
