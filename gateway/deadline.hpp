// Deadlines that cost one store to arm: each event loop looks over its armed streams every 50 ms and cancels what is
// late. A timer per request would cost a heap operation and a system call; time-outs of seconds do not need that
// precision.
#pragma once

#include <boost/system/error_code.hpp>
#include <functional>
#include <vector>

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
    at_ = std::chrono::steady_clock::now() + after;
  }
  void disarm() { at_ = SteadyTime::max(); }
  /// The stream's operations were cancelled because the deadline passed.
  [[nodiscard]] bool expired() const { return expired_; }

 private:
  friend class DeadlineSweep;
  DeadlineSweep& sweep_;
  Stream& stream_;
  SteadyTime at_ = SteadyTime::max();
  std::size_t position_ = 0;
  bool expired_ = false;
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
      deadline->at_ = SteadyTime::max();
      deadline->expired_ = true;
      deadline->stream_.cancel();
    }
  }

  Timer timer_;
  bool stopped_ = false;
  std::vector<Deadline*> armed_;
};

inline Deadline::Deadline(DeadlineSweep& sweep, Stream& stream)
    : sweep_(sweep), stream_(stream), position_(sweep.armed_.size()) {
  sweep_.armed_.push_back(this);
}
inline Deadline::~Deadline() {
  sweep_.armed_[position_] = sweep_.armed_.back();
  sweep_.armed_[position_]->position_ = position_;
  sweep_.armed_.pop_back();
}

}  // namespace phoenix::gateway
