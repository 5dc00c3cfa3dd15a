#include "gateway/event_spool.hpp"

#include <pthread.h>

#include <array>
#include <string>
#include <utility>

#include "core/runtime/log.hpp"
#include "core/runtime/thread_cpu.hpp"
#include "gateway/byte_codec.hpp"
#include "gateway/resident_memory.hpp"

namespace phoenix::gateway {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kBatchEvents = 4'000;
constexpr std::uint64_t kBatchBytes = 4ull << 20;
// While events come: a wake-up for each would be a system call for each, and each batch costs the log a transaction.
constexpr milliseconds kPoll{50};
constexpr milliseconds kIdleAfter{200};  // without events; then they wake the thread
constexpr milliseconds kIdleWait{100};   // for what else is to be done
constexpr milliseconds kFlushStep{50};
constexpr milliseconds kAfterFailure{100};
constexpr int kMostFailures = 3;

struct Fixed {
  std::array<std::uint8_t, 16> id;
  std::uint64_t value;
  std::uint32_t generation, loop, route, column;
  std::int32_t partition;
  std::uint32_t key_bytes;
};
static_assert(sizeof(Fixed) == 48);

}  // namespace

EventSpool::EventSpool(MappedLog::Options options) : log_(std::move(options)), most_events_(kBatchEvents) {}

EventSpool::~EventSpool() {
  stop();
}

bool EventSpool::publish(const ExchangeId& id, const EventCount& count, int partition, std::string_view key,
                         const EventFrame& frame) {
  const Fixed fixed{id.bytes,     count.value, generation_.load(std::memory_order_relaxed), count.loop, count.route,
                    count.column, partition,   static_cast<std::uint32_t>(key.size())};
  const std::string_view head(reinterpret_cast<const char*>(&fixed), sizeof fixed);
  if (!log_.append({head, key, frame.header, frame.request_body, frame.serving_body, frame.shadow_body},
                   MappedLog::Priority::follow_up)) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  accepted_.fetch_add(1, std::memory_order_relaxed);
  accepted_bytes_.fetch_add(key.size() + frame.size(), std::memory_order_relaxed);
  if (asleep_.load(std::memory_order_relaxed) && asleep_.exchange(false)) wake_.notify_one();
  return true;
}

void EventSpool::for_each(const std::function<void(const ExchangeId&, std::uint32_t, const EventCount&)>& visit) const {
  log_.for_each([&](LogPosition, std::string_view record) {
    ByteReader in(record);
    const auto fixed = in.get<Fixed>();
    if (!in.ok()) return;
    visit(ExchangeId{fixed.id}, fixed.generation, {fixed.loop, fixed.route, fixed.column, fixed.value});
  });
}

void EventSpool::begin(AccountFile& accounts, std::uint64_t delivered) {
  accounts_ = &accounts;
  generation_ = accounts.generation();
  // Beyond the end: the files are others than those that the mark was made for.
  position_.value = delivered > log_.end().value ? 0 : delivered;
  // What an earlier process left counts as accepted by this one.
  LogPosition at = position_;
  while (const auto record = log_.next(at)) {
    const auto size = record->bytes.size();
    accepted_ += 1;
    accepted_bytes_ += size - std::min(size, sizeof(Fixed));
    at = MappedLog::after(at, size);
  }
}

void EventSpool::start(Producer& producer, std::function<void()> also) {
  producer_ = &producer;
  also_ = std::move(also);
  thread_ = std::thread([this] { run(); });
}

// Hands what there is to the producer, up to a batch; nullopt when there is nothing, or no room. The producer reads the
// events where they stand: what it holds of a segment keeps it mapped.
std::optional<EventSpool::Batch> EventSpool::hand_over(LogPosition from) {
  records_.clear();
  ends_.clear();
  std::uint64_t bytes = 0;
  for (LogPosition at = from; records_.size() < most_events_ && bytes < kBatchBytes;) {
    auto record = log_.next(at);
    if (!record) break;
    ByteReader in(record->bytes);
    const auto fixed = in.get<Fixed>();
    const std::string_view rest = in.rest();
    if (!in.ok() || fixed.key_bytes > rest.size()) break;  // no event; nothing behind it can be told from another one
    at = MappedLog::after(at, record->bytes.size());
    bytes += rest.size();
    records_.push_back(
        {fixed.partition, rest.substr(0, fixed.key_bytes), rest.substr(fixed.key_bytes), std::move(record->held)});
    ends_.push_back(at);
  }
  if (records_.empty()) return std::nullopt;
  std::size_t taken = producer_->publish_all(topics::kShadowRequests, records_);
  if (taken == 0 && producer_->stats().queued == 0) {
    // This event alone is more than the queue ever takes: nothing behind it would ever leave.
    ++failed_;
    taken = 1;
  }
  Batch batch;
  batch.events = taken;
  for (std::size_t i = 0; i < taken; ++i) batch.bytes += records_[i].key.size() + records_[i].value.size();
  if (taken > 0) batch.end = ends_[taken - 1];
  records_.clear();
  return taken > 0 ? std::optional(batch) : std::nullopt;
}

// True when the log has everything; false when some of it failed and must go again, or at the end.
bool EventSpool::await_log(std::uint64_t failed_before) {
  while (!producer_->flush(kFlushStep)) {
    also_();
    log_.maintain();
    const std::lock_guard lock(mutex_);
    if (stop_) return false;
  }
  return producer_->stats().failed == failed_before;
}

// The log refused some of it for good: the rest must not wait for that one for ever. One by one the guilty is found; it
// is given up only where the log takes the next one.
void EventSpool::failed_again(const Batch& batch) {
  std::unique_lock lock(mutex_);
  if (wake_.wait_for(lock, most_events_ == 1 ? kIdleWait : kAfterFailure, [this] { return stop_; })) return;
  lock.unlock();
  if (++failures_ < kMostFailures) return;
  failures_ = 0;
  const bool alone = std::exchange(most_events_, 1) == 1;
  if (!alone) return;
  const std::uint64_t failed = producer_->stats().failed;
  const auto next = hand_over(batch.end);
  if (!next || !await_log(failed)) return;
  log::error("the event log refuses an event for good and takes others: it is lost");
  ++failed_;
  delivered(batch);
  delivered(*next);
}

void EventSpool::delivered(const Batch& batch) {
  position_ = batch.end;
  accounts_->set_events_delivered(position_.value);
  cpu_us_ = thread_cpu_us() + producer_->stats().cpu_us;
  acknowledged_ += batch.events;
  acknowledged_bytes_ += batch.bytes;
  // Some stay: the next process looks there for what this one had just ended.
  constexpr std::uint32_t kKept = 2;
  if (position_.segment() > kKept) log_.drop_segments_before(position_.segment() - kKept);
  { const std::lock_guard lock(mutex_); }
  done_.notify_all();
}

void EventSpool::wait_for_events() {
  std::unique_lock lock(mutex_);
  if (stop_) return;
  asleep_ = true;
  // An event that came before the store above is seen at the latest after this.
  wake_.wait_for(lock, kIdleWait, [this] { return stop_ || !asleep_; });
  asleep_ = false;
}

void EventSpool::run() {
  ::pthread_setname_np(::pthread_self(), "event-spool");
  auto latest = std::chrono::steady_clock::now();
  bool started_up = false;
  bool rest_due = false;  // there are no events; traffic that makes none may still be there
  IdleWatch idle;
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
    }
    also_();
    rest_due = log_.maintain() || rest_due;
    if (rest_due && idle.is_idle(steady_us(), process_cpu_us())) {
      rest_due = false;
      if (!std::exchange(started_up, true)) release_code();  // once: the first request after a rest would wait for it
      decltype(records_)().swap(records_);                   // assigning {} would keep the memory
      decltype(ends_)().swap(ends_);
      release_free_memory();
    }
    const std::uint64_t failed = producer_->stats().failed;
    const auto batch = hand_over(position_);
    if (batch) {
      latest = std::chrono::steady_clock::now();
      rest_due = false;
      if (await_log(failed)) {
        delivered(*batch);
        failures_ = 0;
        most_events_ = kBatchEvents;
      } else {
        failed_again(*batch);
      }
      if (batch->events >= most_events_ || batch->bytes >= kBatchBytes) continue;  // more may be there
    }
    if (std::chrono::steady_clock::now() - latest < kIdleAfter) {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, kPoll, [this] { return stop_; });
    } else {
      wait_for_events();
    }
  }
}

bool EventSpool::flush(milliseconds timeout) {
  const std::uint64_t target = accepted_;
  std::unique_lock lock(mutex_);
  return done_.wait_for(lock, timeout, [&] { return acknowledged_ >= target; });
}

void EventSpool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

ProducerStats EventSpool::stats() const {
  ProducerStats stats;
  stats.acknowledged = acknowledged_;
  stats.accepted = std::max<std::uint64_t>(accepted_, stats.acknowledged);
  stats.refused = refused_;
  stats.failed = failed_;
  stats.cpu_us = cpu_us_;
  stats.queued = stats.accepted - stats.acknowledged;
  const std::uint64_t bytes = acknowledged_bytes_;
  stats.queued_bytes = std::max<std::uint64_t>(accepted_bytes_, bytes) - bytes;
  return stats;
}

}  // namespace phoenix::gateway
