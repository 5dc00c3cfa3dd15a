// Counts latencies in buckets of about 3 % width, from 1 µs to over an hour. One thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace phoenix::traffic {

class LatencyHistogram {
 public:
  void add(std::chrono::nanoseconds latency);
  void clear() { *this = LatencyHistogram(); }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// Upper edge of the bucket that holds the quantile, in milliseconds; 0 when empty. Never more than max_ms().
  [[nodiscard]] double quantile_ms(double quantile) const;
  [[nodiscard]] double max_ms() const { return static_cast<double>(max_us_) / 1000.0; }

 private:
  static constexpr int kSubBits = 5;  // 32 buckets for each power of two
  static constexpr std::size_t kBuckets = (33 - kSubBits) << kSubBits;
  static std::size_t bucket_of(std::uint64_t us);
  static std::uint64_t upper_edge(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_us_ = 0;
};

}  // namespace phoenix::traffic
