// What the process gives back: code and free memory at rest, and what a burst left.
#include "gateway/resident_memory.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gateway/recycled_memory.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix::gateway;

TEST_CASE("code and free memory can be given back while they are used") {
  const auto resident_code_kb = [] {
    std::ifstream status("/proc/self/status");
    std::string line;
    while (std::getline(status, line) && !line.starts_with("RssFile:")) {
    }
    return std::stol(line.substr(8));
  };
  static_cast<void>(fmt::format("{}", std::filesystem::current_path().string()));
  const long before = resident_code_kb();
  release_code();
  release_free_memory();
  CHECK(resident_code_kb() < before * 3 / 4);
}

TEST_CASE("a process that does nothing is told from one whose work makes no events") {
  constexpr std::int64_t kSecond = 1'000'000;
  IdleWatch watch;
  CHECK_FALSE(watch.is_idle(100 * kSecond, 5'000));  // never asked before
  CHECK_FALSE(watch.is_idle(100 * kSecond + 999'999, 5'000));
  CHECK(watch.is_idle(101 * kSecond, 5'000 + 19'000));
  CHECK_FALSE(watch.is_idle(102 * kSecond, 24'000 + 20'000));
  CHECK(watch.is_idle(104 * kSecond, 44'000 + 39'000));
}

#if !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)  // with them nothing is kept, or the heap is another
TEST_CASE("memory that a burst needed is freed once it was not needed for a while; the rest is kept") {
  constexpr std::size_t kBytes = 4000, kBurst = 200, kUsual = 10;
  const auto use = [](std::size_t pieces) {
    std::vector<void*> taken(pieces);
    for (void*& piece : taken) piece = RecycledMemory::take(kBytes);
    for (void* piece : taken) RecycledMemory::give_back(piece, kBytes);
  };
  const auto held = [] { return ::mallinfo2().uordblks; };
  RecycledMemory::free_unused();
  RecycledMemory::free_unused();
  const std::size_t before = held();
  use(kBurst);
  RecycledMemory::free_unused();  // all of it was needed since the time before
  CHECK(held() >= before + kBurst * kBytes);
  use(kUsual);
  RecycledMemory::free_unused();
  CHECK(held() < before + 2 * kUsual * kBytes);
  CHECK(held() >= before + kUsual * kBytes);
  RecycledMemory::free_unused();
  CHECK(held() < before + kBytes);
}
#endif
