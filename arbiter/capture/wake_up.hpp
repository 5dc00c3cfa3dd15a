// Ends the waiting of a thread that also waits for a socket.
#pragma once

#include <atomic>
#include <chrono>

namespace phoenix::capture {

class WakeUp {
 public:
  WakeUp();
  ~WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  /// Any thread. For good.
  void request_stop();
  [[nodiscard]] bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  /// Waits for the request; true when it came.
  bool wait(std::chrono::milliseconds timeout) const;
  /// Readable once a stop is requested.
  [[nodiscard]] int fd() const { return fd_; }

 private:
  std::atomic<bool> stopping_{false};
  int fd_;
};

}  // namespace phoenix::capture
