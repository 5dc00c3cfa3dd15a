// The processor time of a thread, for the costs that programs report of themselves.
#pragma once

#include <time.h>

#include <cstdint>

namespace phoenix {

/// Of the calling thread, user and system, in microseconds. A system call: not on the path of an exchange.
inline std::uint64_t thread_cpu_us() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_nsec) / 1'000;
}

}  // namespace phoenix
