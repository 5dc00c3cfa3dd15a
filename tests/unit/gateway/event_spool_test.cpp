#include "gateway/event_spool.hpp"

#include <atomic>
#include <mutex>
#include <set>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/poll_until.hpp"
#include "tests/support/temp_dir.hpp"

using namespace phoenix;
using namespace phoenix::gateway;

namespace {

/// A log that may be away, full or failing.
class FakeLog final : public Producer {
 public:
  bool publish_to(int partition, const char* /*topic*/, std::string key, std::string value) override {
    const std::lock_guard lock(mutex_);
    if (pending_.size() >= queue) return false;
    pending_.push_back(std::to_string(partition) + key + value);
    return true;
  }
  bool flush(std::chrono::milliseconds timeout) override {
    return test::poll_until(
        [this] {
          const std::lock_guard lock(mutex_);
          if (away) return false;
          if (fail_next.exchange(false)) {
            failed_ += pending_.size();
          } else {
            for (auto& record : pending_) taken_.push_back(std::move(record));
          }
          pending_.clear();
          return true;
        },
        timeout);
  }
  [[nodiscard]] ProducerStats stats() const override {
    const std::lock_guard lock(mutex_);
    ProducerStats stats;
    stats.failed = failed_;
    stats.queued = pending_.size();
    return stats;
  }
  std::vector<std::string> taken() const {
    const std::lock_guard lock(mutex_);
    return taken_;
  }
  std::atomic<bool> away{false}, fail_next{false};
  std::size_t queue = 100;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> pending_, taken_;
  std::uint64_t failed_ = 0;
};

struct Fixture {
  explicit Fixture(std::uint64_t most = 8 << 20) { open(most); }
  void open(std::uint64_t most = 8 << 20) {
    spool.reset();
    accounts.reset();
    const auto earlier = AccountFile::read(dir.path() + "/accounts");
    spool = std::make_unique<EventSpool>(MappedLog::Options{dir.path() + "/events", 64 << 10, most});
    accounts =
        std::make_unique<AccountFile>(dir.path() + "/accounts", 1, std::vector<RouteLabel>{{"unmatched", ""}}, earlier);
    spool->begin(*accounts, earlier.events_delivered);
  }
  bool put(int i) { return put(3, std::to_string(i)); }
  bool put(int partition, std::string_view text) {
    const EventFrame frame{text, {}, {}, {}};
    return spool->publish(ExchangeId{}, EventCount{}, partition, "k", frame);
  }

  test::TempDir dir;
  FakeLog log;
  std::unique_ptr<AccountFile> accounts;
  std::unique_ptr<EventSpool> spool;
};

std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> out;
  for (int i = from; i < to; ++i) out.push_back("3k" + std::to_string(i));
  return out;
}

}  // namespace

TEST_CASE("events reach the log in order, in spite of its queue's bound") {
  Fixture fixture;
  fixture.spool->start(fixture.log, [] {});
  for (int i = 0; i < 1000; ++i) REQUIRE(fixture.put(i));
  REQUIRE(fixture.spool->flush(std::chrono::seconds(10)));
  CHECK(fixture.log.taken() == numbers(0, 1000));
  CHECK(fixture.spool->stats().queued == 0);
  CHECK(fixture.spool->stats().queued_bytes == 0);
}

TEST_CASE("while the log is away events wait, also for the next process; once it has them they do not come again") {
  Fixture fixture;
  fixture.log.away = true;
  fixture.spool->start(fixture.log, [] {});
  for (int i = 0; i < 50; ++i) fixture.put(i);
  CHECK_FALSE(fixture.spool->flush(std::chrono::milliseconds(20)));
  CHECK(fixture.spool->stats().queued == 50);
  fixture.open();
  CHECK(fixture.spool->stats().queued == 50);
  FakeLog second;
  fixture.spool->start(second, [] {});
  fixture.put(50);
  REQUIRE(fixture.spool->flush(std::chrono::seconds(10)));
  CHECK(second.taken() == numbers(0, 51));
  CHECK(fixture.spool->stats().cpu_us > 0);
  fixture.open();
  FakeLog third;
  fixture.spool->start(third, [] {});
  fixture.put(51);
  REQUIRE(fixture.spool->flush(std::chrono::seconds(10)));
  CHECK(third.taken() == numbers(51, 52));
}

TEST_CASE("what the log failed goes again") {
  Fixture fixture;
  for (int i = 0; i < 20; ++i) fixture.put(i);
  fixture.log.fail_next = true;
  fixture.spool->start(fixture.log, [] {});
  REQUIRE(fixture.spool->flush(std::chrono::seconds(10)));
  CHECK(fixture.log.taken() == numbers(0, 20));
}

TEST_CASE("a full spool refuses, and counts what it refused") {
  Fixture fixture(256 << 10);
  fixture.log.away = true;
  fixture.spool->start(fixture.log, [] {});
  const std::string frame(2000, 'x');
  int taken = 0;
  while (fixture.put(0, frame)) ++taken;
  CHECK(taken > 80);
  CHECK(fixture.spool->stats().refused == 1);
  fixture.log.away = false;
  REQUIRE(fixture.spool->flush(std::chrono::seconds(10)));
  CHECK(test::poll_until([&] { return fixture.put(0, frame); }, std::chrono::seconds(5)));
}

TEST_CASE("an event that the log refuses for good is given up, and those behind it are not") {
  class Picky final : public Producer {
   public:
    bool publish_to(int, const char*, std::string, std::string value) override {
      if (value == "bad") {
        ++failed_;
      } else {
        const std::lock_guard lock(mutex_);
        taken_.insert(value);
      }
      return true;
    }
    bool flush(std::chrono::milliseconds) override { return true; }
    [[nodiscard]] ProducerStats stats() const override {
      ProducerStats stats;
      stats.failed = failed_;
      return stats;
    }
    std::set<std::string> taken() const {
      const std::lock_guard lock(mutex_);
      return taken_;
    }

   private:
    std::atomic<std::uint64_t> failed_{0};
    mutable std::mutex mutex_;
    std::set<std::string> taken_;
  };
  Fixture fixture;
  for (const char* frame : {"a", "bad", "b"}) fixture.put(0, frame);
  Picky log;
  fixture.spool->start(log, [] {});
  REQUIRE(fixture.spool->flush(std::chrono::seconds(20)));
  CHECK(log.taken() == std::set<std::string>{"a", "b"});
  CHECK(fixture.spool->stats().failed == 1);
  fixture.spool->stop();
}
