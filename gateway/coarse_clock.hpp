// The clocks as they stood at the kernel's latest tick: behind by up to 10 ms, for a fraction of what reading the
// processor's counter costs. For time-outs and ages, not for durations that anybody is told.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>

namespace phoenix::gateway {

/// On the scale of std::chrono::steady_clock.
inline std::chrono::steady_clock::time_point coarse_now() {
  timespec at{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &at);
  return std::chrono::steady_clock::time_point(std::chrono::seconds(at.tv_sec) + std::chrono::nanoseconds(at.tv_nsec));
}

/// Microseconds since 1970.
inline std::int64_t coarse_unix_us() {
  timespec at{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &at);
  return std::int64_t{at.tv_sec} * 1'000'000 + at.tv_nsec / 1'000;
}

}  // namespace phoenix::gateway
