#include "arbiter/event_merger.hpp"

#include "arbiter/exchange_order.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;

namespace {

LogRecord at(const char* topic, std::int64_t time_ms, std::int64_t offset) {
  return {topic, 0, offset, time_ms, "", ""};
}

std::vector<std::int64_t> times(const std::vector<LogRecord>& records) {
  std::vector<std::int64_t> result;
  for (const auto& record : records) result.push_back(record.timestamp_ms);
  return result;
}

void add(EventMerger& merger, std::size_t source, const std::vector<LogRecord>& records) {
  for (const auto& record : records) merger.add(source, record);
}

}  // namespace

TEST_CASE("records come in the order of the log's time; one topic does not run ahead of another") {
  EventMerger merger(2);
  add(merger, 0, {at("a", 1, 0), at("a", 3, 1), at("a", 9, 2)});
  add(merger, 1, {at("b", 2, 0), at("b", 3, 1)});
  const auto first = merger.take(100, {false, false});
  CHECK(times(first) == std::vector<std::int64_t>{1, 2, 3, 3});
  CHECK(first[2].topic == "a");                     // equal times: in the order of the sources
  CHECK(merger.take(100, {false, false}).empty());  // b may still have something before 9
  CHECK(times(merger.take(100, {false, true})) == std::vector<std::int64_t>{9});
}

TEST_CASE("a batch is bounded") {
  EventMerger merger(1);
  add(merger, 0, {at("a", 1, 0), at("a", 2, 1), at("a", 3, 2)});
  CHECK(merger.take(2, {true}).size() == 2);
  CHECK(merger.take(2, {true}).size() == 1);
}

TEST_CASE("waiting exchanges are found by their place and released together, oldest first") {
  ExchangeOrder order;
  order.hold("third", "gw", {{"7", 3}, {"8", 9}}, 30);
  order.hold("second", "gw", {{"7", 2}}, 20);
  order.hold("other", "gw", {{"9", 2}}, 10);
  CHECK(order.waiting_at("7", "gw", 2) == "second");
  CHECK(order.waiting_at("8", "gw", 9) == "third");
  CHECK(order.waiting_at("7", "other-gateway", 2).empty());
  CHECK(order.oldest() == "other");
  CHECK(order.up_to("third") == std::vector<std::string>{"second", "third"});
  CHECK(order.up_to("second") == std::vector<std::string>{"second"});
  order.remove("second");
  CHECK(order.waiting_at("7", "gw", 2).empty());
  CHECK(order.up_to("third") == std::vector<std::string>{"third"});
  CHECK(order.size() == 2);
}
