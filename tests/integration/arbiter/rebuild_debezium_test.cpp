// Rows of Debezium's topics that wait for their messages while the arbiter stops are neither lost nor taken twice: the
// verdicts are those that were planned, and a rebuild from the log comes to every row of every table again, at each
// stop and while the arbiter runs.
#include <fmt/format.h>

#include <array>
#include <deque>
#include <map>
#include <random>
#include <vector>

#include "arbiter/rebuild.hpp"
#include "core/model/decimal.hpp"
#include "core/runtime/clock.hpp"
#include "debezium_records.hpp"
#include "fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/exchange_builder.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using namespace phoenix::arbiter_test;

namespace {

/// One side's database as its connector tells of it: every topic in order, each on its own.
class Ledger {
 public:
  explicit Ledger(std::string side)
      : side_(std::move(side)), rows_(side_ + ".public.accounts"), messages_(side_ + ".message") {}

  /// One transaction with a row for each amount (minor units). `exchange`: empty for somebody else's.
  void post(const std::string& exchange, int account, const std::vector<std::int64_t>& amounts) {
    begin();
    if (!exchange.empty()) emit(messages_, debezium_message(next(), R"({"exchange_id":")" + exchange + R"("})"));
    for (const auto amount : amounts) {
      const std::int64_t before = balances_[account];
      balances_[account] += amount;
      emit(rows_, debezium_row(next(), account, format_minor(before, 2), format_minor(before + amount, 2)));
    }
    commit_ = ++lsn_;
  }

  /// The message of a marker; the record that says how far the topics must be read for it.
  std::string mark(std::size_t covers) {
    const std::string id = fmt::format("{}-{}", side_, ++markers_);
    begin();
    emit(messages_, debezium_message(next(), R"({"marker":")" + id + R"("})"));
    commit_ = ++lsn_;
    return fmt::format(R"({{"v":1,"op":"m","marker":"{}","covers":{},"offsets":{{"{}/0":{},"{}/0":{}}},)"
                       R"("source":{{"name":"{}","kind":"arbiter","ts_us":1}},"ts_ms":1}})",
                       id, covers, rows_, emitted_[rows_], messages_, emitted_[messages_], side_);
  }

  /// What the connector has not sent of a topic yet.
  std::deque<std::string>& rows() { return unsent_[rows_]; }
  std::deque<std::string>& messages() { return unsent_[messages_]; }
  std::size_t send(Bench& bench, bool row, std::size_t most = 1) {
    auto& topic = row ? rows() : messages();
    std::size_t sent = 0;
    for (; sent < most && !topic.empty(); ++sent, topic.pop_front())
      bench.publish_raw(row ? rows_.c_str() : messages_.c_str(), topic.front());
    return sent;
  }

 private:
  void begin() { ++transaction_; }
  Emitted next() { return {commit_, ++lsn_, transaction_}; }
  void emit(const std::string& topic, std::string value) {
    unsent_[topic].push_back(std::move(value));
    ++emitted_[topic];
  }

  const std::string side_, rows_, messages_;
  std::uint64_t lsn_ = 100, commit_ = 50;
  int transaction_ = 0, markers_ = 0;
  std::map<int, std::int64_t> balances_;
  std::map<std::string, std::deque<std::string>> unsent_;
  std::map<std::string, std::size_t> emitted_;
};

struct World {
  explicit World(const std::string& database) : bench(database) {
    read_debezium(bench.config.arbiter, legacy_database, modern_database);
  }

  /// Every 13th exchange posts another amount on modern, every 17th nothing; both sides write two rows each time.
  void exchange() {
    const int number = ++exchanges, account = number % 5;
    const std::string answer = R"({"fee":0.10})";
    // Nothing counts as missing of what was received within `settle` of the streams' beginning.
    const std::uint64_t received_ms = now_ms + static_cast<std::uint64_t>(number == 1 ? 0 : 60'000 + number);
    auto event = test::exchange(received_ms, answer, answer, {{std::to_string(account), ++sequences[account]}});
    event.sequence = static_cast<std::uint64_t>(number);
    legacy.post(event.exchange_id, account, {1'000, -10});
    if (number % 17 != 0) modern.post(event.exchange_id, account, {1'000, number % 13 == 0 ? -5 : -10});
    if (number % 11 == 0) {  // a batch job, on both sides
      legacy.post("", account, {7});
      modern.post("", account, {7});
    }
    bench.publish({event});
  }
  void mark() {
    for (auto* ledger : {&legacy, &modern})
      bench.publish_raw(topics::kDbStateUpdates, ledger->mark(static_cast<std::size_t>(exchanges)));
  }
  void send_everything() {
    for (auto* ledger : {&legacy, &modern}) {
      ledger->send(bench, true, SIZE_MAX);
      ledger->send(bench, false, SIZE_MAX);
    }
  }

  Connector legacy_database{"legacy"}, modern_database{"modern"};  // their slots are never confirmed
  Bench bench;
  Ledger legacy{"legacy"}, modern{"modern"};
  int exchanges = 0;
  std::map<int, std::uint64_t> sequences;
  const std::uint64_t now_ms =
      static_cast<std::uint64_t>(SystemClock().unix_ms()) - 1'700'000'000'000;  // of test::exchange
};

bool all_read(const ArbiterService& service) {
  const std::string metrics = get(service.endpoint(), "/metrics");
  for (const char* topic : {"shadow-requests", "db-state-updates", "legacy.public.accounts", "legacy.message",
                            "modern.public.accounts", "modern.message"}) {
    if (metrics.find(fmt::format("consumer_lag{{topic=\"{}\"}} 0", topic)) == std::string::npos) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("Debezium: rows that wait across a stop are judged once, and a rebuild proves it") {
  ScratchDatabase results("rebuild_debezium");
  World world(results.url());
  const auto count = [&](const std::string& verdicts) {
    return results.value("SELECT coalesce(sum(n), 0) FROM arbiter.counters WHERE verdict IN (" + verdicts + ")");
  };
  const auto markers_taken = [&] {
    return std::atoi(results.value("SELECT next FROM arbiter.positions WHERE topic = 'db-state-updates'").c_str());
  };
  std::mt19937_64 random(1);
  world.mark();
  world.send_everything();
  world.exchange();
  for (int stop = 0; stop < 3; ++stop) {
    INFO("stop " << stop);
    {
      const ArbiterService service(world.bench.config);
      REQUIRE(eventually([&] { return markers_taken() >= 2; }));  // both streams have begun
      for (int i = 0; i < 14; ++i) {
        world.exchange();
        if (i % 6 == 5) world.mark();
        for (auto sends = random() % 12; sends > 0; --sends)
          (random() % 2 == 0 ? world.legacy : world.modern).send(world.bench, random() % 2 == 0);
      }
      // The first of a transaction's two rows is sent, its message is not; a marker is there before what it asks for.
      world.send_everything();
      world.exchange();
      world.mark();
      world.legacy.send(world.bench, true);
      if (stop % 2 == 0) world.modern.send(world.bench, false);
      REQUIRE(eventually([&] { return all_read(service); }));
      const RebuildReport running = rebuild(world.bench.config, false);
      INFO(describe(running));
      CHECK(running.identical());
    }
    const RebuildReport stopped = rebuild(world.bench.config, stop == 1);
    INFO(describe(stopped));
    CHECK(stopped.identical());
    CHECK(stopped.incomplete.empty());
  }
  const ArbiterService service(world.bench.config);
  world.mark();
  world.send_everything();
  const int n = world.exchanges, missing = n / 17, different = n / 13 - n / (13 * 17);
  CHECK(eventually([&] { return count("'match', 'match_late'") == std::to_string(n - missing - different); }));
  CHECK(eventually([&] { return count("'missing_modern'") == std::to_string(missing); }));
  CHECK(count("'mismatch'") == std::to_string(different));
  CHECK(count("'unknown', 'duplicate', 'missing_legacy', 'order_dependent'") == "0");
  const RebuildReport report = rebuild(world.bench.config, false);
  INFO(describe(report));
  CHECK(report.identical());
}
