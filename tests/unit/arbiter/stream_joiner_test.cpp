// Rows and messages of Debezium, each in topics of their own, become changes with their exchange, whatever the
// interleaving and however often the reader starts again.
#include "arbiter/stream_joiner.hpp"

#include <fmt/format.h>

#include <random>
#include <set>

#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;

namespace {

DebeziumRow row(const std::string& transaction, EmittedAt emitted, const std::string& account = "1") {
  DebeziumRow result;
  result.change.account = account;
  result.change.transaction = transaction;
  result.change.position = emitted;
  result.emitted = emitted;
  return result;
}

DebeziumMessage message(const std::string& transaction, EmittedAt emitted, const std::string& exchange,
                        const std::string& marker = "") {
  DebeziumMessage result;
  result.transaction = transaction;
  result.emitted = emitted;
  result.exchange_id = exchange;
  result.marker = marker;
  return result;
}

LogRecord at(const std::string& topic, int partition, std::int64_t offset) {
  LogRecord record;
  record.topic = topic;
  record.partition = partition;
  record.offset = offset;
  return record;
}

std::string joined(StreamJoiner& joiner) {
  std::string text;
  for (const auto& j : joiner.take_joined())
    text += fmt::format("{}:{} ", j.change.account, j.change.exchange_id.empty() ? "-" : j.change.exchange_id);
  return text;
}

}  // namespace

TEST_CASE("a row waits until the message topic shows something later") {
  StreamJoiner joiner;
  joiner.row(row("t1", {10, 12}), at("rows", 0, 5));
  joiner.message(message("t1", {10, 11}, "a"), at("messages", 0, 3));
  CHECK(joined(joiner).empty());  // a second message of t1 may stand between the two
  joiner.message(message("t2", {20, 21}, "b"), at("messages", 0, 4));
  CHECK(joined(joiner) == "1:a ");
  joiner.row(row("t2", {20, 22}), at("rows", 0, 6));
  CHECK(joiner.read_from({"rows", 0}) == 6);
  joiner.message(message("x", {30, 31}, "", "m-1"), at("messages", 0, 5));
  CHECK(joined(joiner) == "1:b ");
  CHECK_FALSE(joiner.read_from({"rows", 0}));
}

TEST_CASE("the last message before the row in its transaction names the exchange; no message names none") {
  StreamJoiner joiner;
  joiner.message(message("t1", {10, 11}, "a"), at("messages", 0, 0));
  joiner.message(message("t1", {10, 14}, "b"), at("messages", 0, 1));
  joiner.message(message("end", {30, 31}, "z"), at("messages", 0, 2));
  joiner.row(row("t1", {10, 12}, "1"), at("rows", 0, 0));
  joiner.row(row("t1", {10, 15}, "2"), at("rows", 0, 1));
  joiner.row(row("foreign", {20, 21}, "3"), at("rows", 1, 0));
  CHECK(joined(joiner) == "1:a 2:b 3:- ");
  DebeziumMessage broken = message("t4", {40, 41}, "");
  broken.malformed = true;
  joiner.message(broken, at("messages", 0, 3));
  joiner.message(message("end", {50, 51}, "z"), at("messages", 0, 4));
  joiner.row(row("t4", {40, 42}, "4"), at("rows", 0, 2));
  CHECK(joined(joiner) == "4:- ");
}

TEST_CASE("what a marker has passed is forgotten, and not read again after a restart") {
  StreamJoiner joiner;
  for (int i = 0; i < 10; ++i) {
    const auto lsn = static_cast<std::uint64_t>(10 * i);
    joiner.message(message(fmt::format("t{}", i), {lsn, lsn + 1}, "e"), at("messages", 0, i));
  }
  joiner.message(message("m", {200, 201}, "", "m-1"), at("messages", 0, 10));
  CHECK(joiner.read_from({"messages", 0}) == 0);
  CHECK_FALSE(joiner.passed("m-0"));
  CHECK_FALSE(joiner.passed(""));
  CHECK(joiner.passed("m-1"));
  CHECK(joiner.read_from({"messages", 0}) == 10);
  // The connector starts again from an earlier place: nothing is counted twice, and no row is held for it.
  joiner.message(message("t9", {90, 91}, "e"), at("messages", 0, 11));
  CHECK(joiner.read_from({"messages", 0}) == 10);
}

TEST_CASE("more than can be held is let go and said once") {
  StreamJoiner joiner;
  for (std::size_t i = 0; i <= StreamJoiner::kMaxRows; ++i)
    joiner.row(row("t", {i + 1, 0}), at("rows", 0, static_cast<std::int64_t>(i)));
  CHECK(joiner.take_overflow());
  CHECK_FALSE(joiner.take_overflow());
  CHECK(joiner.held_rows() == 0);
  CHECK(joiner.take_joined().size() == StreamJoiner::kMaxRows + 1);
}

namespace {

struct Stream {
  struct Item {
    bool is_row = false;
    DebeziumRow row;
    DebeziumMessage message;
  };
  std::map<TopicPartition, std::vector<Item>> topics;                     // offset: index
  std::map<std::pair<std::string, EmittedAt>, std::string> expected;      // account, place -> exchange
  std::map<std::string, std::map<TopicPartition, std::int64_t>> markers;  // id -> ends of all partitions then
};

/// Transactions one after the other, as Debezium emits them: in commit order, messages and rows mixed.
Stream make_stream(std::mt19937_64& random) {
  Stream stream;
  std::uint64_t lsn = 100, last_commit = 0;
  for (int t = 0; t < 200; ++t) {
    const std::string transaction = std::to_string(t % 90);  // transaction numbers come again
    if (random() % 10 == 0) {
      const std::string id = fmt::format("m-{}", t);
      stream.topics[{"messages", 0}].push_back({false, {}, message(transaction, {last_commit, ++lsn}, "", id)});
      for (const auto& [partition, items] : stream.topics)
        stream.markers[id][partition] = static_cast<std::int64_t>(items.size());
    } else {
      std::string exchange;
      for (auto steps = 1 + random() % 5; steps > 0; --steps) {
        if (random() % 3 == 0) {
          exchange = fmt::format("e{}-{}", t, steps);
          stream.topics[{"messages", 0}].push_back({false, {}, message(transaction, {last_commit, ++lsn}, exchange)});
        } else {
          const std::string account = std::to_string(random() % 7);
          const DebeziumRow made = row(transaction, {last_commit, ++lsn}, account);
          stream.expected[{account, made.emitted}] = exchange;
          stream.topics[{"rows", std::stoi(account) % 3}].push_back({true, made, {}});
        }
      }
    }
    last_commit = ++lsn;
  }
  stream.topics[{"messages", 0}].push_back({false, {}, message("end", {last_commit, ++lsn}, "", "m-end")});
  return stream;
}

}  // namespace

TEST_CASE("in any interleaving and with restarts every row is joined once, rightly and in its account's order") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    const Stream stream = make_stream(random);
    auto joiner = std::make_unique<StreamJoiner>();
    std::map<TopicPartition, std::int64_t> next, committed;
    std::map<std::pair<std::string, EmittedAt>, std::string> seen;
    std::map<std::string, EmittedAt> last;
    const auto take = [&] {
      for (const auto& j : joiner->take_joined()) {
        const auto [place, is_new] = seen.emplace(std::pair{j.change.account, j.change.position}, j.change.exchange_id);
        if (!is_new) FAIL_CHECK("joined twice");
        if (last[j.change.account] >= j.change.position) FAIL_CHECK("out of order");
        last[j.change.account] = j.change.position;
      }
    };
    for (bool done = false; !done;) {
      done = true;
      std::vector<TopicPartition> open;
      for (const auto& [partition, items] : stream.topics) {
        if (next[partition] < static_cast<std::int64_t>(items.size())) open.push_back(partition);
      }
      if (!open.empty()) {
        done = false;
        const auto partition = open[random() % open.size()];
        const auto& item = stream.topics.at(partition)[static_cast<std::size_t>(next[partition])];
        const LogRecord where = at(partition.first, partition.second, next[partition]++);
        item.is_row ? joiner->row(item.row, where) : joiner->message(item.message, where);
        take();
      }
      for (const auto& [id, ends] : stream.markers) {
        const bool reached =
            std::all_of(ends.begin(), ends.end(), [&](const auto& end) { return next[end.first] >= end.second; });
        if (reached && random() % 4 == 0) joiner->passed(id);
      }
      take();
      for (const auto& [partition, at_offset] : next)
        committed[partition] = joiner->read_from(partition).value_or(at_offset);
      if (random() % 50 == 0) {
        joiner = std::make_unique<StreamJoiner>();
        next = committed;
      }
    }
    CHECK(seen == stream.expected);
  }
}
