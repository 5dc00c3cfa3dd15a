// Waiting in tests for what comes by itself.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace phoenix::test {

/// Polls until the condition holds; false after the deadline.
inline bool poll_until(const std::function<bool()>& condition, std::chrono::milliseconds deadline) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace phoenix::test
