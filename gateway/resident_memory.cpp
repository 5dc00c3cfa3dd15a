#include "gateway/resident_memory.hpp"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <vector>

namespace phoenix::gateway {
namespace {

struct Range {
  void* from;
  std::size_t bytes;
};

// Segments that may never be written to hold what stands in the file, and nothing else.
int find_ranges(dl_phdr_info* object, std::size_t, void* found) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t from = (object->dlpi_addr + segment.p_vaddr) / page * page;
    const std::uintptr_t to = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    static_cast<std::vector<Range>*>(found)->push_back({reinterpret_cast<void*>(from), to - from});
  }
  return 0;
}

}  // namespace

void release_code() {
  std::vector<Range> ranges;  // all of them first: each object's description stands in its own pages
  ::dl_iterate_phdr(find_ranges, &ranges);
  for (const Range& range : ranges) ::madvise(range.from, range.bytes, MADV_DONTNEED);
}

void release_free_memory() {
  ::malloc_trim(0);
}

namespace {

std::int64_t microseconds_of(clockid_t clock) {
  timespec at{};
  ::clock_gettime(clock, &at);
  return std::int64_t{at.tv_sec} * 1'000'000 + at.tv_nsec / 1'000;
}

}  // namespace

bool IdleWatch::is_idle(std::int64_t now_us, std::int64_t process_cpu_us) {
  constexpr std::int64_t kSecondUs = 1'000'000, kShare = 50;
  const std::int64_t passed_us = now_us - since_us_, used_us = process_cpu_us - cpu_us_;
  if (passed_us < kSecondUs) return false;
  since_us_ = now_us;
  cpu_us_ = process_cpu_us;
  return used_us * kShare < passed_us && passed_us < 60 * kSecondUs;  // else it was not asked for long
}

std::int64_t steady_us() {
  return microseconds_of(CLOCK_MONOTONIC);
}
std::int64_t process_cpu_us() {
  return microseconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

}  // namespace phoenix::gateway
