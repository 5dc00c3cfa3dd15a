#include "tests/traffic/latency_histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace phoenix::traffic {

void LatencyHistogram::add(std::chrono::nanoseconds latency) {
  const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(0, latency.count() / 1000));
  ++buckets_[bucket_of(us)];
  ++count_;
  max_us_ = std::max(max_us_, us);
}

// Below 32 µs a bucket is one microsecond; above, the five bits after the leading one choose it.
std::size_t LatencyHistogram::bucket_of(std::uint64_t us) {
  if (us < (1u << kSubBits)) return us;
  const int shift = std::bit_width(us) - 1 - kSubBits;
  const std::size_t bucket =
      (static_cast<std::size_t>(shift + 1) << kSubBits) + ((us >> shift) & ((1u << kSubBits) - 1));
  return std::min(bucket, kBuckets - 1);
}

std::uint64_t LatencyHistogram::upper_edge(std::size_t bucket) {
  if (bucket < (1u << kSubBits)) return bucket;
  const auto shift = (bucket >> kSubBits) - 1;
  const std::uint64_t mantissa = (1u << kSubBits) + (bucket & ((1u << kSubBits) - 1));
  return ((mantissa + 1) << shift) - 1;
}

double LatencyHistogram::quantile_ms(double quantile) const {
  if (count_ == 0) return 0;
  const auto rank =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return static_cast<double>(std::min(upper_edge(i), max_us_)) / 1000.0;
  }
  return max_ms();
}

}  // namespace phoenix::traffic
