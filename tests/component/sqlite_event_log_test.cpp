// What the SQLite log promises beyond the contract: several processes, retention, compaction, leases, start-up errors.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "core/events/sqlite_batch_writer.hpp"
#include "core/events/sqlite_database.hpp"
#include "core/events/sqlite_retention.hpp"
#include "core/runtime/clock.hpp"
#include "tests/component/event_log_backends.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

events::SqliteLogOptions options_in(const TemporaryDirectory& directory) {
  events::SqliteLogOptions options;
  options.path = directory.file("events.db");
  options.retention_interval = 10ms;
  options.lease = 600ms;
  return options;
}

void publish_all(EventLog& log, const char* topic, const std::string& key, int count, std::size_t size = 10) {
  const auto producer = log.make_producer();
  for (int i = 0; i < count; ++i) REQUIRE(producer->publish(topic, key, fmt::format("{:0{}}", i, size)));
  REQUIRE(producer->flush(kPatience));
}

std::int64_t count_records(const std::string& path) {
  return events::SqliteDatabase(path).query_integer("SELECT count(*) FROM records");
}

}  // namespace

TEST_CASE("processes and instances write one topic at once: offsets stay contiguous and nothing is lost") {
  const TemporaryDirectory directory;
  const auto options = options_in(directory);
  constexpr int kEach = 1'000;
  const pid_t child = fork();  // before any thread exists
  REQUIRE(child >= 0);
  const auto write = [&](const std::string& writer) {
    const auto log = events::open_sqlite_event_log(options);
    const auto producer = log->make_producer();
    bool all = true;
    for (int i = 0; i < kEach; ++i) {
      all = producer->publish("t", writer, fmt::format("{}:{:06}", writer, i)) && all;
      if (i % 100 == 0) all = producer->flush(kPatience) && all;  // many small transactions instead of one
    }
    return producer->flush(kPatience) && all;
  };
  if (child == 0) _exit(write("process") ? 0 : 1);
  std::vector<std::thread> threads;
  std::array<bool, 3> done{};
  for (std::size_t i = 0; i < done.size(); ++i) {
    threads.emplace_back([&, i] { done[i] = write(fmt::format("thread-{}", i)); });
  }
  for (auto& thread : threads) thread.join();
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  CHECK((done[0] && done[1] && done[2]));

  const auto log = events::open_sqlite_event_log(options);
  const auto consumer = log->make_consumer({{"t"}, "", from(ConsumerOptions::kBeginning), {}});
  const auto records = read_records(*consumer, 4 * kEach);
  REQUIRE(records.size() == 4 * kEach);
  std::map<std::string, int> next;
  for (std::size_t i = 0; i < records.size(); ++i) {
    REQUIRE(records[i].offset == static_cast<std::int64_t>(i));
    REQUIRE(records[i].value == fmt::format("{}:{:06}", records[i].key, next[records[i].key]++));
  }
}

TEST_CASE("a batch of several topics stands in its order, each topic with offsets of its own") {
  const TemporaryDirectory directory;
  auto options = options_in(directory);
  options.retain_age = std::chrono::hours(24 * 365 * 100);  // the records are as old
  const auto log = events::open_sqlite_event_log(options);
  std::vector<events::QueuedRecord> records;
  records.reserve(100);
  for (int i = 0; i < 100; ++i)  // runs of 40, 1 and 59: whole statements of several rows, and what is left
    records.emplace_back(i == 40 ? "other" : "t", "key", std::to_string(i), 1'000 + i);
  events::RecordBatch batch;
  for (const auto& record : records) batch.push_back(&record);
  events::BatchWriter(options).write(batch, true);
  const auto consumer = log->make_consumer({{"t", "other"}, "", {}, {}});
  std::vector<LogRecord> read;
  while (read.size() < records.size()) {
    auto polled = consumer->poll(1'000, kPatience);
    REQUIRE(polled.has_value());
    REQUIRE_FALSE(polled->empty());
    std::move(polled->begin(), polled->end(), std::back_inserter(read));
  }
  int next = 0;
  std::int64_t offset = 0;
  for (const auto& record : read) {
    if (record.topic == "other") {
      CHECK((record.value == "40" && record.offset == 0));
      continue;
    }
    if (next == 40) ++next;
    CHECK(record.value == std::to_string(next));
    CHECK(record.offset == offset++);
    CHECK(record.timestamp_ms == 1'000 + next++);
  }
  CHECK(next == 100);
}

TEST_CASE("retention by size removes the oldest, and a reader that was passed is told for ever") {
  const TemporaryDirectory directory;
  auto options = options_in(directory);
  options.retain_bytes = 50 * events::stored_bytes(1, 1000);
  const auto log = events::open_sqlite_event_log(options);
  const auto slow = log->make_consumer({{"t"}, "", from(5), {}});
  const auto producer = log->make_producer();
  for (int i = 0; i < 141; ++i) REQUIRE(producer->publish("t", "k", std::string(1000, 'x')));
  REQUIRE(producer->flush(kPatience));
  REQUIRE(eventually([&] { return count_records(options.path) == 50; }));

  for (int i = 0; i < 2; ++i) {
    const auto batch = slow->poll(10, 50ms);
    REQUIRE(batch.has_error());
    CHECK(batch.error().code == ErrorCode::conflict);
    CHECK(batch.error().message == "records 5..90 of topic t were removed by retention before this reader saw them");
  }
  const auto fresh = log->make_consumer({{"t"}, "", from(ConsumerOptions::kBeginning), {}});
  const auto kept = read_records(*fresh, 50);
  REQUIRE(kept.size() == 50);
  CHECK(kept.front().offset == 91);
  CHECK(kept.back().offset == 140);
}

TEST_CASE("a batch makes room for itself, and leaves alone what is compacted") {
  const TemporaryDirectory directory;
  auto options = options_in(directory);
  options.retain_bytes = 300 * events::stored_bytes(1, 1000);
  const auto log = events::open_sqlite_event_log(options);  // no producer: nobody else removes anything
  events::BatchWriter writer(options);
  events::SqliteDatabase database(options.path);
  const auto stored = [&] { return database.query_integer("SELECT sum(bytes) FROM topics"); };
  std::vector<events::QueuedRecord> records;
  for (int i = 0; i < 200; ++i) {
    const bool policy = i % 20 == 0;
    records.emplace_back(policy ? topics::kRoutingControl : "t", policy ? fmt::format("slice-{}", i) : "k",
                         std::string(1000, 'x'), SystemClock().unix_ms());
  }
  events::RecordBatch batch;
  for (const auto& record : records) batch.push_back(&record);
  for (int round = 0; round < 5; ++round) {
    writer.write(batch, true);
    CHECK(stored() <= static_cast<std::int64_t>(options.retain_bytes));
  }
  CHECK(stored() > static_cast<std::int64_t>(options.retain_bytes) - events::stored_bytes(10, 1000));
  CHECK(database.query_integer("SELECT count(*) FROM records WHERE topic = 'routing-control'") == 50);
  CHECK(database.query_integer("SELECT next_offset FROM topics WHERE topic = 't'") == 950);
  CHECK(database.query_integer("SELECT min(offset) - (SELECT low_water FROM topics WHERE topic = 't') FROM records "
                               "WHERE topic = 't'") == 0);
}

TEST_CASE("zeros behind the write-ahead log's frames end it for a reader that recovers it") {
  const TemporaryDirectory directory;
  const TemporaryDirectory elsewhere;
  const auto options = options_in(directory);
  const auto log = events::open_sqlite_event_log(options);
  events::BatchWriter writer(options);
  const events::QueuedRecord record("t", "k", std::string(1000, 'x'), SystemClock().unix_ms());
  writer.write(events::RecordBatch(100, &record), true);
  CHECK(std::filesystem::file_size(options.path + "-wal") >= 8 << 20);
  // As a loss of power leaves it: without the index in shared memory.
  const std::string copy = elsewhere.file("events.db");
  std::filesystem::copy_file(options.path, copy);
  std::filesystem::copy_file(options.path + "-wal", copy + "-wal");
  CHECK(count_records(copy) == 100);
  writer.write(events::RecordBatch(100, &record), true);
  CHECK(count_records(options.path) == 200);
}

TEST_CASE("retention by age removes the old and keeps the young; offsets go on after everything was removed") {
  const TemporaryDirectory directory;
  auto options = options_in(directory);
  {
    const auto log = events::open_sqlite_event_log(options);
    publish_all(*log, "t", "k", 20);
  }
  events::SqliteDatabase database(options.path);
  const auto now_ms = SystemClock().unix_ms();
  options.retain_age = 1h;
  CHECK_FALSE(events::Retention(database, options).remove_expired(now_ms));
  CHECK(count_records(options.path) == 20);
  events::Retention(database, options).remove_expired(now_ms + std::chrono::milliseconds(2h).count());
  CHECK(count_records(options.path) == 0);
  CHECK(database.query_integer("SELECT bytes FROM topics") == 0);

  const auto log = events::open_sqlite_event_log(options);
  publish_all(*log, "t", "k", 1);
  const auto consumer = log->make_consumer({{"t"}, "", from(ConsumerOptions::kBeginning), {}});
  const auto records = read_records(*consumer, 1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].offset == 20);
}

TEST_CASE("a compacted topic keeps the newest record of each key, whatever its age and the size of the log") {
  const TemporaryDirectory directory;
  auto options = options_in(directory);
  {
    const auto log = events::open_sqlite_event_log(options);
    publish_all(*log, topics::kRoutingControl, "bank-a", 10);
    publish_all(*log, topics::kRoutingControl, "bank-b", 10);
    publish_all(*log, "t", "k", 10);
  }
  options.retain_age = 1h;
  options.retain_bytes = 1;
  events::SqliteDatabase database(options.path);
  events::Retention(database, options).remove_expired(SystemClock().unix_ms() + std::chrono::milliseconds(24h).count());
  CHECK(count_records(options.path) == 2);

  options.retain_bytes = 1 << 20;
  const auto log = events::open_sqlite_event_log(options);
  const auto behind = log->make_consumer({{topics::kRoutingControl}, "", from(3), {}});
  const auto state = read_records(*behind, 2);
  REQUIRE(state.size() == 2);
  CHECK(state[0].key == "bank-a");
  CHECK(state[0].offset == 9);
  CHECK(state[1].key == "bank-b");
  CHECK(state[1].offset == 19);
}

TEST_CASE("a member that stops polling loses its lease, is told so, and reads nothing until it has it again") {
  const TemporaryDirectory directory;
  const auto log = events::open_sqlite_event_log(options_in(directory));
  int revoked = 0;
  ConsumerOptions member{{"t"}, "group", from(ConsumerOptions::kBeginning), [&](const auto& lost) {
                           revoked += static_cast<int>(lost.size());
                         }};
  const auto stopped = log->make_consumer(member);
  const auto standby = log->make_consumer({{"t"}, "group", from(ConsumerOptions::kBeginning), {}});
  publish_all(*log, "t", "k", 10);
  REQUIRE(read_records(*stopped, 10).size() == 10);
  CHECK(standby->poll(10, 20ms).value().empty());
  const auto started = std::chrono::steady_clock::now();
  REQUIRE(read_records(*standby, 10).size() == 10);  // takes over once the lease has expired, and not before
  CHECK(std::chrono::steady_clock::now() - started > 300ms);
  CHECK(revoked == 0);
  CHECK(stopped->poll(10, 20ms).value().empty());
  CHECK(revoked == 1);
  CHECK(stopped->end_offsets().value().empty());
}

TEST_CASE("a member that leaves hands over at once") {
  const TemporaryDirectory directory;
  auto options = options_in(directory);
  options.lease = 1h;
  const auto log = events::open_sqlite_event_log(options);
  publish_all(*log, "t", "k", 10);
  auto first = log->make_consumer({{"t"}, "group", from(ConsumerOptions::kBeginning), {}});
  REQUIRE(read_records(*first, 10).size() == 10);
  first.reset();
  const auto second = log->make_consumer({{"t"}, "group", from(ConsumerOptions::kBeginning), {}});
  CHECK(read_records(*second, 10).size() == 10);
}

TEST_CASE("a lease written before a restart of the machine binds nobody") {
  const TemporaryDirectory directory;
  const auto options = options_in(directory);
  const auto log = events::open_sqlite_event_log(options);
  publish_all(*log, "t", "k", 3);
  events::SqliteDatabase(options.path).execute("INSERT INTO leases VALUES('group', 't', 'somebody', 9000000000000000)");
  const auto consumer = log->make_consumer({{"t"}, "group", from(ConsumerOptions::kBeginning), {}});
  CHECK(read_records(*consumer, 3, 5s).size() == 3);
}

TEST_CASE("a log that stays locked beyond the lease revokes, then everything goes on") {
  const TemporaryDirectory directory;
  const auto options = options_in(directory);
  const auto log = events::open_sqlite_event_log(options);
  publish_all(*log, "t", "k", 5);
  int revoked = 0;
  const auto consumer = log->make_consumer({{"t"}, "group", from(ConsumerOptions::kBeginning), [&](const auto& lost) {
                                              revoked += static_cast<int>(lost.size());
                                            }});
  REQUIRE(read_records(*consumer, 5).size() == 5);
  {
    events::SqliteDatabase blocker(options.path);
    blocker.execute("BEGIN EXCLUSIVE");
    bool told = false;
    REQUIRE(eventually([&] {
      const auto batch = consumer->poll(10, 50ms);
      told = batch.has_error() && batch.error().code == ErrorCode::unavailable;
      return revoked == 1 && told;
    }));
  }
  CHECK(read_records(*consumer, 5).size() == 5);
}

TEST_CASE("readers that wait do not let the write-ahead log grow") {
  const TemporaryDirectory directory;
  const auto options = options_in(directory);
  const auto log = events::open_sqlite_event_log(options);
  const auto idle = log->make_consumer({{"other"}, "", from(ConsumerOptions::kBeginning), {}});
  const auto busy = log->make_consumer({{"t"}, "", from(ConsumerOptions::kBeginning), {}});
  const auto producer = log->make_producer();
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 100; ++i) REQUIRE(producer->publish("t", "k", std::string(8'000, 'x')));
    REQUIRE(producer->flush(kPatience));
    CHECK(idle->poll(10, 0ms).value().empty());
    CHECK(read_records(*busy, 100).size() == 100);
  }
  CHECK(std::filesystem::file_size(options.path) > 30'000'000);
  CHECK(std::filesystem::file_size(options.path + "-wal") < 16'000'000);
}

TEST_CASE("the bound counts bytes too") {
  const TemporaryDirectory directory;
  auto options = options_in(directory);
  options.queue_bytes = 1'000;
  options.close_timeout = 0ms;
  const auto log = events::open_sqlite_event_log(options);
  events::SqliteDatabase blocker(options.path);
  blocker.execute("BEGIN EXCLUSIVE");
  const auto producer = log->make_producer();
  CHECK(producer->publish("t", "k", std::string(600, 'x')));
  CHECK_FALSE(producer->publish("t", "k", std::string(600, 'x')));
  CHECK(producer->publish("t", "k", std::string(300, 'x')));
  CHECK(producer->stats().refused == 1);
  CHECK(producer->stats().queued_bytes == 902);
}

TEST_CASE("a log that cannot be opened is one clear line") {
  const TemporaryDirectory directory;
  events::SqliteLogOptions options;
  options.path = directory.file("new/directories/events.db");
  CHECK_NOTHROW(events::open_sqlite_event_log(options));
  CHECK(std::filesystem::exists(options.path));

  std::ofstream(directory.file("plain"))
      << "not a directory, and no database either, whatever its length may be ............";
  options.path = directory.file("plain/events.db");
  CHECK_THROWS_WITH(events::open_sqlite_event_log(options),
                    Contains("event log") && Contains("Not a directory") && !Contains("\n"));
  options.path = directory.file("plain");
  CHECK_THROWS_WITH(events::open_sqlite_event_log(options), Contains("not a database") && !Contains("\n"));
  options.path = directory.file("new");
  CHECK_THROWS_WITH(events::open_sqlite_event_log(options), Contains("unable to open database file"));
}

TEST_CASE("a log of a newer release is refused") {
  const TemporaryDirectory directory;
  const auto options = options_in(directory);
  events::SqliteDatabase(options.path).execute("PRAGMA user_version = 99");
  CHECK_THROWS_WITH(events::open_sqlite_event_log(options),
                    Contains("written by a newer release (schema 99, known: 1)"));
}
