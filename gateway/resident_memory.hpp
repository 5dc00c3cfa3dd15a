// What the process holds resident without need. Nothing is lost by it: what is used again comes back from the page
// cache.
#pragma once

#include <cstdint>

namespace phoenix::gateway {

/// Gives back code that was used once: start-up, configuration, TLS of a gateway that has none; most of the libraries.
/// What is used again costs a page fault each. Any thread.
void release_code();

/// Gives back free memory of the heap. Up to milliseconds, in which others may wait for the heap: for a gateway at
/// rest. Any thread.
void release_free_memory();

/// Whether the process does next to nothing: a fiftieth of a processor, over a second or more. One thread.
class IdleWatch {
 public:
  /// Both in microseconds, from clocks that never go back. False at first, and until a second is over.
  bool is_idle(std::int64_t now_us, std::int64_t process_cpu_us);

 private:
  std::int64_t since_us_ = 0, cpu_us_ = 0;
};
std::int64_t steady_us();
std::int64_t process_cpu_us();

}  // namespace phoenix::gateway
