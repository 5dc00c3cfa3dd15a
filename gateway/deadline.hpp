// Deadlines that cost one store to arm: each event loop looks over its armed streams every 50 ms and cancels what is
// late. A timer per request would cost a heap operation and a system call; time-outs of seconds do not need that
// precision: they end up to 10 ms early and 50 ms late.
#pragma once

#include <algorithm>
#include <boost/system/error_code.hpp>
#include <functional>
#include <vector>

#include "gateway/coarse_clock.hpp"
#include "gateway/stream.hpp"

namespace phoenix::gateway {

class DeadlineSweep;

/// Watches one stream. Lives on the stream's event loop; must not outlive the sweep.
class Deadline {
 public:
  Deadline(DeadlineSweep& sweep, Stream& stream);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void arm(std::chrono::milliseconds after) {
    expired_ = false;
    at_ = std::min(coarse_now() + after, limit_);
  }
  /// Whatever is armed from here on passes no later than this; SteadyTime::max(): no limit.
  void limit(SteadyTime latest) { limit_ = latest; }
  /// The limit has passed, whatever was armed.
  [[nodiscard]] bool limit_passed() const {
    return limit_ != SteadyTime::max() && std::chrono::steady_clock::now() >= limit_;
  }
  void disarm() {
    at_ = SteadyTime::max();
    mark(Idle::no);
  }
  /// Until disarm(): the stream waits for a peer from whom nothing is owed. `reused` when something came before.
  void mark_idle(bool reused) { mark(reused ? Idle::reused : Idle::fresh); }
  /// The stream's operations were cancelled because the deadline passed.
  [[nodiscard]] bool expired() const { return expired_; }

 private:
  friend class DeadlineSweep;
  enum class Idle { no, fresh, reused };
  void mark(Idle idle);
  DeadlineSweep& sweep_;
  Stream& stream_;
  SteadyTime at_ = SteadyTime::max();
  SteadyTime limit_ = SteadyTime::max();
  std::size_t position_ = 0;
  bool expired_ = false;
  Idle idle_ = Idle::no;
};

class DeadlineSweep {
 public:
  static constexpr std::chrono::milliseconds kPeriod{50};
  explicit DeadlineSweep(asio::io_context& io) : timer_(io.get_executor()) {}
  void start() { wait(); }
  void stop() {
    timer_.cancel();
    stopped_ = true;
  }
  /// Called at every sweep, on the loop; set before start().
  std::function<void(SteadyTime)> also;
  /// As if every deadline that is armed had passed: whoever waits for a peer goes on with a time-out.
  void expire_all() { expire(SteadyTime::max()); }
  /// The same for streams that are marked idle, unless their peer has just said something; without `fresh_too` only
  /// those that something came from before.
  void expire_idle(bool fresh_too);
  [[nodiscard]] std::size_t idle_count() const { return idle_; }

 private:
  friend class Deadline;
  void wait() {
    timer_.expires_after(kPeriod);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error || stopped_) return;
      const SteadyTime now = std::chrono::steady_clock::now();
      expire(now);
      if (also) also(now);
      wait();
    });
  }
  void expire(SteadyTime now) {
    for (Deadline* deadline : armed_) {
      if (deadline->at_ == SteadyTime::max() || deadline->at_ > now) continue;
      cut(*deadline);
    }
  }
  static void cut(Deadline& deadline) {
    // It stays armed until its owner disarms it: an operation made of several (a handshake, a write of many pieces) may
    // be between two of them, with nothing to cancel.
    deadline.at_ = SteadyTime::min();
    deadline.expired_ = true;
    deadline.stream_.cancel();
  }

  Timer timer_;
  bool stopped_ = false;
  std::vector<Deadline*> armed_;
  std::size_t idle_ = 0;
};

inline Deadline::Deadline(DeadlineSweep& sweep, Stream& stream)
    : sweep_(sweep), stream_(stream), position_(sweep.armed_.size()) {
  sweep_.armed_.push_back(this);
}
inline void Deadline::mark(Idle idle) {
  if (idle_ == idle) return;
  if (idle_ == Idle::no) ++sweep_.idle_;
  if (idle == Idle::no) --sweep_.idle_;
  idle_ = idle;
}
inline void DeadlineSweep::expire_idle(bool fresh_too) {
  for (Deadline* deadline : armed_) {
    const bool meant =
        deadline->idle_ == Deadline::Idle::reused || (fresh_too && deadline->idle_ == Deadline::Idle::fresh);
    if (meant && deadline->at_ != SteadyTime::max() && !deadline->stream_.has_unread()) cut(*deadline);
  }
}
inline Deadline::~Deadline() {
  mark(Idle::no);
  sweep_.armed_[position_] = sweep_.armed_.back();
  sweep_.armed_[position_]->position_ = position_;
  sweep_.armed_.pop_back();
}

}  // namespace phoenix::gateway
