// Looks at PRAGMA data_version every 10 ms (4 µs while nothing changed) and reads in short statements: a read that
// stays open would let the write-ahead log grow without bound.
#include "core/events/sqlite_consumer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "core/events/sqlite_database.hpp"
#include "core/events/sqlite_leases.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::events {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPollInterval{10};
constexpr milliseconds kReleaseTimeout{500};
constexpr std::int64_t kProgressEveryMs = 1'000;
constexpr std::size_t kMaxPollBytes = 16u << 20;

std::string new_member() {
  return fmt::format("{:016x}{:016x}", random_seed(), random_seed());
}

struct Subscription {
  std::string topic;
  bool compacted = false;
  bool assigned = false;
  bool held = false;
  std::optional<std::int64_t> next_offset;  ///< none until start_position was asked
  std::int64_t lease_until_ms = 0;          ///< by our own reckoning, never later than the row says
  std::int64_t next_lease_ms = 0;           ///< when to renew or to try again
};

struct TopicState {
  std::int64_t next_offset = 0;
  std::int64_t low_water = 0;
};

class SqliteConsumer final : public Consumer {
 public:
  SqliteConsumer(const SqliteLogOptions& options, ConsumerOptions consumer)
      : options_(options),
        consumer_(std::move(consumer)),
        database_(options.path),
        leases_(database_, consumer_.group, new_member(), options.lease) {
    for (const auto& topic : consumer_.topics) {
      Subscription subscription;
      subscription.topic = topic;
      subscription.compacted = options.compacted_topics.contains(topic);
      subscription.assigned = !grouped();
      subscriptions_.push_back(std::move(subscription));
    }
  }

  ~SqliteConsumer() override {
    if (!grouped()) return;
    try {
      std::vector<TopicPartition> revoked;
      for (auto& subscription : subscriptions_) drop(subscription, revoked);
      tell_revoked(revoked);
      release();
    } catch (const std::exception& exception) {
      log::warn("event log {}: leaving group {}: {}", options_.path, consumer_.group, exception.what());
    }
  }

  Result<std::vector<LogRecord>> poll(std::size_t max, milliseconds timeout) override {
    const auto deadline = steady_clock::now() + timeout;
    for (;;) {
      std::optional<Error> problem;
      try {
        if (grouped()) keep_leases();
        position_new_assignments();
        if (read_is_due()) {
          auto records = read(max);
          if (records.has_error() || !records->empty()) return records;
        }
      } catch (const SqliteError& error) {
        problem = unavailable(fmt::format("event log {}: {}", options_.path, error.what()));
      }
      const auto now = steady_clock::now();
      if (now >= deadline) {
        if (problem) return *problem;
        return std::vector<LogRecord>();
      }
      std::this_thread::sleep_for(std::min<steady_clock::duration>(kPollInterval, deadline - now));
    }
  }

  Result<std::map<TopicPartition, std::int64_t>> end_offsets() override {
    try {
      std::map<TopicPartition, std::int64_t> ends;
      for (const auto& subscription : subscriptions_) {
        if (subscription.assigned) ends[{subscription.topic, 0}] = state_of(subscription.topic).next_offset;
      }
      return ends;
    } catch (const SqliteError& error) {
      return unavailable(fmt::format("event log {}: {}", options_.path, error.what()));
    }
  }

  Result<std::int64_t> query_end(const TopicPartition& partition) override {
    try {
      return state_of(partition.first).next_offset;
    } catch (const SqliteError& error) {
      return unavailable(fmt::format("event log {}: {}", options_.path, error.what()));
    }
  }

  Result<int> partition_count(const std::string& /*topic*/) override { return 1; }

  [[nodiscard]] bool at_end(const TopicPartition& /*partition*/) const override { return !more_; }

  void hold(const TopicPartition& partition, bool held) override {
    for (auto& subscription : subscriptions_) {
      if (subscription.topic != partition.first || subscription.held == held) continue;
      subscription.held = held;
      more_ = true;
    }
  }

  [[nodiscard]] std::vector<TopicPartition> lost_partitions() const override { return lost_; }

  void report_progress(const std::map<TopicPartition, std::int64_t>& next_offsets) override {
    const auto now_ms = monotonic_ms();
    if (consumer_.group.empty() || now_ms < next_progress_ms_) return;
    try {
      SqliteTransaction transaction(database_);
      for (const auto& [partition, offset] : next_offsets) {
        put_progress_.bind_text(1, consumer_.group).bind_text(2, partition.first).bind(3, offset);
        put_progress_.bind(4, SystemClock().unix_ms()).run();
      }
      transaction.commit();
      next_progress_ms_ = now_ms + kProgressEveryMs;
    } catch (const SqliteError& error) {
      // Only a display depends on it: the next report says more.
      log::debug("event log {}: progress not noted: {}", options_.path, error.what());
    }
  }

 private:
  [[nodiscard]] bool grouped() const { return !consumer_.group.empty() && !consumer_.partitions; }

  void keep_leases() {
    std::vector<TopicPartition> revoked;
    try {
      for (auto& subscription : subscriptions_) keep_lease(subscription, revoked);
    } catch (const SqliteError&) {  // locked: what could not be renewed in time is no longer ours
      bool still_reading = false;
      for (auto& subscription : subscriptions_) {
        if (subscription.assigned && monotonic_ms() >= subscription.lease_until_ms) drop(subscription, revoked);
        still_reading = still_reading || subscription.assigned;
      }
      tell_revoked(revoked);
      if (!still_reading) throw;
      return;
    }
    tell_revoked(revoked);
  }

  void keep_lease(Subscription& subscription, std::vector<TopicPartition>& revoked) {
    const auto now_ms = monotonic_ms();
    if (now_ms < subscription.next_lease_ms) return;
    if (leases_.acquire(subscription.topic, now_ms)) {
      subscription.assigned = true;
      // A margin, so that we stop before another member may start.
      subscription.lease_until_ms = now_ms + options_.lease.count() * 9 / 10;
      subscription.next_lease_ms = now_ms + options_.lease.count() / 3;
    } else {
      drop(subscription, revoked);
      subscription.next_lease_ms = now_ms + options_.lease.count() / 12;
    }
  }

  static void drop(Subscription& subscription, std::vector<TopicPartition>& revoked) {
    if (!subscription.assigned) return;
    subscription.assigned = false;
    if (subscription.next_offset) revoked.emplace_back(subscription.topic, 0);
    subscription.next_offset.reset();
    subscription.next_lease_ms = 0;
  }

  void tell_revoked(const std::vector<TopicPartition>& revoked) const {
    if (!revoked.empty() && consumer_.on_revoked) consumer_.on_revoked(revoked);
  }

  void release() {
    for (const auto deadline = steady_clock::now() + kReleaseTimeout;;) {
      try {
        return leases_.release_all();
      } catch (const SqliteError& error) {
        if (!error.busy() || steady_clock::now() >= deadline) throw;
      }
    }
  }

  void position_new_assignments() {
    for (auto& subscription : subscriptions_) {
      if (!subscription.assigned || subscription.next_offset) continue;
      std::int64_t position =
          consumer_.start_position ? consumer_.start_position({subscription.topic, 0}) : ConsumerOptions::kBeginning;
      if (position == ConsumerOptions::kBeginning) position = state_of(subscription.topic).low_water;
      if (position == ConsumerOptions::kEnd) position = state_of(subscription.topic).next_offset;
      subscription.next_offset = position;
      more_ = true;
    }
  }

  bool read_is_due() {
    const bool stepped = data_version_.step();
    const std::int64_t version = stepped ? data_version_.integer(0) : 0;
    data_version_.reset();
    const bool changed = version != seen_version_;
    seen_version_ = version;
    more_ = more_ || changed;
    return more_;
  }

  Result<std::vector<LogRecord>> read(std::size_t max) {
    std::vector<LogRecord> records;
    std::size_t bytes = 0;
    bool all_read = true;
    first_topic_ = (first_topic_ + 1) % std::max<std::size_t>(subscriptions_.size(), 1);
    for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
      auto& subscription = subscriptions_[(first_topic_ + i) % subscriptions_.size()];
      if (!subscription.assigned || subscription.held) continue;
      if (records.size() >= max || bytes >= kMaxPollBytes) {
        all_read = false;
        break;
      }
      try {
        const auto before = records.size();
        const bool finished = read_topic(subscription, max, records, bytes);
        all_read = all_read && finished;
        if (records.size() > before) continue;
        if (auto lost = find_loss(subscription)) {
          lost_ = {{subscription.topic, 0}};
          if (records.empty()) return *lost;  // repeated by every later poll
          all_read = false;                   // first what was read from other topics
        }
      } catch (const SqliteError&) {
        if (records.empty()) throw;
        all_read = false;  // what was read is handed out: its positions have moved
        break;
      }
    }
    more_ = !all_read;
    return records;
  }

  /// False when the topic may have more.
  bool read_topic(Subscription& subscription, std::size_t max, std::vector<LogRecord>& records, std::size_t& bytes) {
    const auto room = max - records.size();
    select_.bind_text(1, subscription.topic)
        .bind(2, *subscription.next_offset)
        .bind(3, static_cast<std::int64_t>(room));
    std::size_t taken = 0;
    while (bytes < kMaxPollBytes && select_.step()) {
      LogRecord record;
      record.offset = select_.integer(0);
      if (record.offset != *subscription.next_offset && !subscription.compacted) {
        select_.reset();  // a hole: find_loss explains it, unless there is something to hand out before
        return false;
      }
      record.topic = subscription.topic;
      record.timestamp_ms = select_.integer(1);
      record.key = select_.bytes(2);
      record.value = select_.bytes(3);
      bytes += record.key.size() + record.value.size();
      subscription.next_offset = record.offset + 1;
      records.push_back(std::move(record));
      ++taken;
    }
    select_.reset();
    return taken < room && bytes < kMaxPollBytes;
  }

  /// Why there is nothing at the position of this reader, if the reason is that it cannot go on.
  std::optional<Error> find_loss(const Subscription& subscription) {
    const auto state = state_of(subscription.topic);
    const auto position = *subscription.next_offset;
    if (position < state.low_water && !subscription.compacted) {
      return Error{ErrorCode::conflict,
                   fmt::format("records {}..{} of topic {} were removed by retention before this reader saw them",
                               position, state.low_water - 1, subscription.topic)};
    }
    if (position > state.next_offset) {
      return Error{
          ErrorCode::conflict,
          fmt::format("topic {} ends at {}, before the position {} of this reader: the event log {} was replaced",
                      subscription.topic, state.next_offset, position, options_.path)};
    }
    return std::nullopt;
  }

  TopicState state_of(const std::string& topic) {
    state_.bind_text(1, topic);
    TopicState state;
    if (state_.step()) state = {state_.integer(0), state_.integer(1)};
    state_.reset();
    return state;
  }

  const SqliteLogOptions options_;
  const ConsumerOptions consumer_;
  SqliteDatabase database_;
  SqliteLeases leases_;
  SqliteStatement data_version_ = database_.prepare("PRAGMA data_version");
  SqliteStatement select_ = database_.prepare(
      "SELECT offset, ts_ms, key, value FROM records WHERE topic = ?1 AND offset >= ?2 ORDER BY offset LIMIT ?3");
  SqliteStatement state_ = database_.prepare("SELECT next_offset, low_water FROM topics WHERE topic = ?1");
  SqliteStatement put_progress_ = database_.prepare(
      "INSERT INTO progress(group_name, topic, next_offset, at_ms) VALUES(?1, ?2, ?3, ?4) "
      "ON CONFLICT(group_name, topic) DO UPDATE SET next_offset = ?3, at_ms = ?4");
  std::vector<Subscription> subscriptions_;
  std::vector<TopicPartition> lost_;
  std::size_t first_topic_ = 0;  ///< rotates, so that a busy topic does not starve the others
  std::int64_t seen_version_ = -1;
  bool more_ = true;  ///< something may be readable even if the file did not change
  std::int64_t next_progress_ms_ = 0;
};

}  // namespace

std::unique_ptr<Consumer> make_sqlite_consumer(const SqliteLogOptions& options, ConsumerOptions consumer) {
  try {
    return std::make_unique<SqliteConsumer>(options, std::move(consumer));
  } catch (const SqliteError& error) {
    throw Failure(ErrorCode::unavailable, fmt::format("event log {}: {}", options.path, error.what()));
  }
}

}  // namespace phoenix::events
