// Time and randomness are injected, so that tests and simulations own them.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace phoenix {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Never steps back; for leases, timeouts and durations.
  [[nodiscard]] virtual std::chrono::nanoseconds monotonic() const = 0;
  /// Wall clock, milliseconds since 1970; for records people read.
  [[nodiscard]] virtual std::int64_t unix_ms() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::nanoseconds monotonic() const override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
  [[nodiscard]] std::int64_t unix_ms() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

/// A clock that moves when told to. Not thread-safe.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::nanoseconds monotonic() const override { return now_; }
  [[nodiscard]] std::int64_t unix_ms() const override {
    return unix_ms_ + std::chrono::duration_cast<std::chrono::milliseconds>(now_).count();
  }
  void advance(std::chrono::nanoseconds by) { now_ += by; }
  void step_wall(std::chrono::milliseconds by) { unix_ms_ += by.count(); }

 private:
  std::chrono::nanoseconds now_{1'000'000'000};
  std::int64_t unix_ms_ = 1'767'225'600'000;  // 2026-01-01
};

/// Seeded 64-bit source (one per thread). Not for secrets.
class RandomSource {
 public:
  explicit RandomSource(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

/// A seed from the operating system.
std::uint64_t random_seed();

}  // namespace phoenix
