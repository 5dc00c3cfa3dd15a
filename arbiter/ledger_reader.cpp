#include "arbiter/ledger_reader.hpp"

#include <condition_variable>
#include <mutex>
#include <pqxx/pqxx>
#include <set>
#include <thread>
#include <unordered_map>

#include "arbiter/database_url.hpp"
#include "core/events/control_events.hpp"
#include "core/model/decimal.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::arbiter {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLongestRetry{3'000};
constexpr int kMaxScale = 9;
/// A reading that waits for a lock must not keep its shard from being handed over.
const char* const kBound = "SET statement_timeout = '5s'";

/// One side's database: connects when needed, forgets the connection on any failure.
class Ledger {
 public:
  Ledger(Side side, config::LedgerConfig settings) : side_(side), settings_(std::move(settings)) {}

  Result<BalanceReading> read(const std::string& account) {
    BalanceReading reading;
    reading.account = account;
    reading.side = side_;
    try {
      connect();
      pqxx::nontransaction statement(*connection_);
      const auto rows = statement.exec_prepared("balance", account);
      reading.read_at_us = now_us();
      if (!rows.empty() && !rows[0][0].is_null()) return fill(rows[0], std::move(reading));
      return reading;
    } catch (const pqxx::data_exception&) {  // the key is no id of this ledger ("abc" for a bigint): no such account
      reading.read_at_us = now_us();
      return reading;
    } catch (const std::exception& e) {
      connection_.reset();
      return unavailable(
          fmt::format("{} ledger {}: {}", to_string(side_), describe_database(settings_.url), first_line(e.what())));
    }
  }

 private:
  static std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  void connect() {
    if (connection_ && connection_->is_open()) return;
    connection_ = std::make_unique<pqxx::connection>(connection_string(settings_.url));
    pqxx::nontransaction(*connection_).exec(kBound);
    connection_->prepare("balance", settings_.balance_query);
  }

  /// Columns: balance, currency[, txn_count, txn_hash].
  Result<BalanceReading> fill(const pqxx::row& row, BalanceReading reading) const {
    constexpr pqxx::oid kReal = 700, kDoublePrecision = 701;  // pg_type
    if (const auto type = row.column_type(0); type == kReal || type == kDoublePrecision) {
      return invalid_input(
          fmt::format("{} ledger: the balance is a binary floating-point column, in which money cannot be "
                      "compared exactly; let balance_query return numeric or integer minor units",
                      to_string(side_)));
    }
    const std::string text = row[0].as<std::string>();
    const auto balance = Decimal::parse(text);
    if (!balance)
      return invalid_input(fmt::format("{} ledger: balance '{}' is no exact number", to_string(side_), text));
    reading.exists = true;
    if (row.size() > 1 && !row[1].is_null()) reading.currency = row[1].as<std::string>();
    for (reading.scale = minor_unit_digits(reading.currency); reading.scale <= kMaxScale; ++reading.scale) {
      if (const auto minor = balance->to_minor(reading.scale)) {
        reading.balance_minor = *minor;
        break;
      }
    }
    if (reading.scale > kMaxScale)
      return invalid_input(fmt::format("{} ledger: balance '{}' does not fit", to_string(side_), text));
    if (row.size() > 2 && !row[2].is_null()) reading.txn_count = row[2].as<std::int64_t>();
    if (row.size() > 3 && !row[3].is_null()) reading.txn_hash = row[3].as<std::string>();
    return reading;
  }

  Side side_;
  config::LedgerConfig settings_;
  std::unique_ptr<pqxx::connection> connection_;
};

}  // namespace

struct LedgerReader::Impl {
  struct Wanted {
    bool urgent = false;
    Clock::time_point due;
    milliseconds interval = kLeastInterval;
  };
  using Queue = std::set<std::pair<Clock::time_point, std::string>>;

  Impl(config::LedgerConfig legacy, config::LedgerConfig modern, Producer& out, int to_partition)
      : ledgers{Ledger(Side::legacy, std::move(legacy)), Ledger(Side::modern, std::move(modern))},
        producer(out),
        partition(to_partition) {}

  void run() {
    milliseconds retry = kFirstRetry;
    while (const auto account = next()) {
      if (read_both(*account)) {
        retry = kFirstRetry;
        pause(kPace);
      } else {
        pause(retry);
        retry = std::min(retry * 2, kLongestRetry);
      }
    }
  }

  /// Waits for an account that is due, urgent ones first; nothing when stopping.
  std::optional<std::string> next() {
    std::unique_lock lock(mutex);
    for (;;) {
      if (stopping) return std::nullopt;
      const auto now = Clock::now();
      for (auto* queue : {&urgent, &normal}) {
        if (queue->empty() || queue->begin()->first > now) continue;
        const std::string account = queue->begin()->second;
        reschedule(account, now);
        return account;
      }
      auto until = now + milliseconds(1'000);
      for (const auto* queue : {&urgent, &normal}) {
        if (!queue->empty()) until = std::min(until, queue->begin()->first);
      }
      changed.wait_until(lock, until);
    }
  }

  void reschedule(const std::string& account, Clock::time_point now) {
    Wanted& entry = wanted.at(account);
    queue_of(entry).erase({entry.due, account});
    entry.due = now + entry.interval;
    entry.interval = entry.urgent ? kLeastInterval : std::min(entry.interval * 2, kLongestInterval);
    queue_of(entry).insert({entry.due, account});
    last_read[account] = now;
  }

  bool read_both(const std::string& account) {
    const std::int64_t covers_us = exchange_time_us.load();  // before the first query: what is read includes all of it
    std::array<std::string, 2> values;
    for (const Side side : {Side::legacy, Side::modern}) {
      auto reading = ledgers[index(side)].read(account);
      note_problem(side, reading ? "" : reading.error().message);
      if (!reading) return false;
      reading->read_id = static_cast<std::uint64_t>(covers_us);
      values[index(side)] = encode(*reading);
    }
    for (auto& value : values) {
      if (!producer.publish_to(partition, topics::kDbStateUpdates, account, std::move(value)))
        return false;  // full: read again later
    }
    const std::lock_guard lock(mutex);
    ++counts.readings;
    return true;
  }

  void note_problem(Side side, const std::string& problem) {
    const std::lock_guard lock(mutex);
    auto& known = counts.problem[index(side)];
    if (!problem.empty()) ++counts.failures;
    if (known.empty() != problem.empty()) {
      problem.empty() ? log::info("{} ledger can be read again", to_string(side)) : log::warn("{}", problem);
    }
    known = problem;
  }

  void pause(std::chrono::microseconds time) {
    std::unique_lock lock(mutex);
    changed_stop.wait_for(lock, time, [this] { return stopping; });
  }

  Queue& queue_of(const Wanted& entry) { return entry.urgent ? urgent : normal; }

  void want(const std::map<std::string, bool>& accounts) {
    const std::lock_guard lock(mutex);
    for (auto at = wanted.begin(); at != wanted.end();) {
      if (accounts.contains(at->first)) {
        ++at;
      } else {
        queue_of(at->second).erase({at->second.due, at->first});
        at = wanted.erase(at);
      }
    }
    const auto now = Clock::now();
    for (const auto& [account, is_urgent] : accounts) {
      const auto [at, added] = wanted.try_emplace(account);
      Wanted& entry = at->second;
      if (!added && entry.urgent == is_urgent) continue;
      if (!added) queue_of(entry).erase({entry.due, account});
      const auto last = last_read.find(account);
      entry = {is_urgent, last == last_read.end() ? now : std::max(now, last->second + kLeastInterval), kLeastInterval};
      queue_of(entry).insert({entry.due, account});
    }
    std::erase_if(last_read,
                  [&](const auto& read) { return read.second + kLeastInterval < now && !wanted.contains(read.first); });
  }

  std::array<Ledger, 2> ledgers;
  Producer& producer;
  const int partition;
  std::atomic<std::int64_t> exchange_time_us{0};

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::condition_variable changed_stop;
  bool stopping = false;
  std::unordered_map<std::string, Wanted> wanted;
  std::unordered_map<std::string, Clock::time_point> last_read;
  Queue urgent, normal;
  LedgerReaderStats counts;
  std::thread thread;
};

void LedgerReaderStats::add(const LedgerReaderStats& other) {
  readings += other.readings;
  failures += other.failures;
  for (std::size_t side = 0; side < problem.size(); ++side) {
    if (problem[side].empty()) problem[side] = other.problem[side];
  }
}

LedgerReader::LedgerReader(config::LedgerConfig legacy, config::LedgerConfig modern, Producer& producer, int partition)
    : impl_(std::make_unique<Impl>(std::move(legacy), std::move(modern), producer, partition)) {
  impl_->thread = std::thread([this] { impl_->run(); });
}

LedgerReader::~LedgerReader() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  impl_->changed_stop.notify_all();
  impl_->thread.join();
}

void LedgerReader::want(const std::map<std::string, bool>& accounts, std::int64_t exchange_time_us) {
  impl_->exchange_time_us.store(exchange_time_us);
  impl_->want(accounts);
  impl_->changed.notify_one();
}

LedgerReaderStats LedgerReader::stats() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->counts;
}

}  // namespace phoenix::arbiter
