// Events on their way to the log: first into a MappedLog, where they survive this process, from there into the log by a
// thread of its own. The event loops never wait for the log; while it is away events stay here, in order, up to
// `limits.event_spool_bytes`. What was delivered may be delivered again after a crash: readers know an exchange by its
// id.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "core/events/event_log.hpp"
#include "core/events/exchange_event.hpp"
#include "core/model/exchange_id.hpp"
#include "gateway/account_file.hpp"
#include "gateway/mapped_log.hpp"

namespace phoenix::gateway {

/// The count that goes with an event: column `column` of an account becomes `value`. A process that dies between the
/// two has its account put right by the next.
struct EventCount {
  std::uint32_t loop = 0;
  std::uint32_t route = 0;
  std::uint32_t column = kNone;
  std::uint64_t value = 0;
  static constexpr std::uint32_t kNone = UINT32_MAX;
};

/// Takes events of exchanges. Any thread; never waits.
class EventSink {
 public:
  virtual ~EventSink() = default;
  /// False when there is no room.
  virtual bool publish(const ExchangeId& id, const EventCount& count, int partition, std::string_view key,
                       const EventFrame& frame) = 0;
};

class EventSpool final : public EventSink {
 public:
  explicit EventSpool(MappedLog::Options options);
  ~EventSpool() override;

  bool publish(const ExchangeId& id, const EventCount& count, int partition, std::string_view key,
               const EventFrame& frame) override;

  /// What is still there, delivered or not: the exchange, the generation of the account file and the count.
  void for_each(const std::function<void(const ExchangeId&, std::uint32_t generation, const EventCount&)>& visit) const;

  /// Before the first publish(): counts refer to `accounts`; the log has everything up to `delivered`.
  void begin(AccountFile& accounts, std::uint64_t delivered);
  /// Begins to deliver. `also` is called now and then on the same thread. Everything named must outlive stop().
  void start(Producer& producer, std::function<void()> also);
  /// True when the log has everything that was published before the call. Not on an I/O thread.
  bool flush(std::chrono::milliseconds timeout);
  /// Ends delivery; what the log does not have stays on disk.
  void stop();

  /// As a Producer's; `queued` and `queued_bytes` are what the log does not have.
  [[nodiscard]] ProducerStats stats() const;
  /// How many events were published so far, and how many of them the log has: all up to then once it reaches the
  /// former.
  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] std::uint64_t disk_bytes() const { return log_.bytes(); }
  [[nodiscard]] std::string problem() const { return log_.problem(); }

 private:
  struct Batch {
    LogPosition end;
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;
  };
  void run();
  [[nodiscard]] std::optional<Batch> hand_over(LogPosition from);
  bool await_log(std::uint64_t failed_before);
  void wait_for_events();
  void delivered(const Batch& batch);
  void failed_again(const Batch& batch);

  MappedLog log_;
  std::atomic<std::uint32_t> generation_{0};
  Producer* producer_ = nullptr;
  AccountFile* accounts_ = nullptr;
  std::function<void()> also_;
  LogPosition position_;  // the delivering thread's, as are the next four
  std::vector<HeldRecord> records_;
  std::vector<LogPosition> ends_;  // of each of them
  std::uint64_t most_events_;
  int failures_ = 0;
  std::atomic<std::uint64_t> accepted_{0}, accepted_bytes_{0}, refused_{0}, failed_{0}, acknowledged_{0},
      acknowledged_bytes_{0}, cpu_us_{0};
  std::atomic<bool> asleep_{false};
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace phoenix::gateway
