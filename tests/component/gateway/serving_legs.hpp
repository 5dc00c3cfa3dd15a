// For tests of who was asked to serve, and when.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "fake_backend.hpp"

namespace phoenix::test {

/// Unix time in microseconds, as events have it.
inline std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// How many requests `backend` has seen that asked it to serve.
inline std::size_t serving_legs(const FakeBackend& backend) {
  const auto seen = backend.seen();
  return static_cast<std::size_t>(
      std::count_if(seen.begin(), seen.end(), [](const SeenRequest& request) { return request.leg() == "serving"; }));
}

}  // namespace phoenix::test
