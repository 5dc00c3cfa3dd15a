// Metrics in the Prometheus text format. Programs keep their own counters (per event loop where that matters) and hand
// them over at scrape time; prometheus-cpp writes the format.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phoenix::telemetry {

using Labels = std::vector<std::pair<std::string, std::string>>;

/// A histogram of durations that one thread writes and any thread reads: no lock, one relaxed store per observation.
class DurationHistogram {
 public:
  /// Upper bounds in microseconds; the last bucket is +Inf. Rendered in seconds: name the metric `…_seconds`.
  static constexpr std::array<std::uint32_t, 16> kBoundsUs{100,       250,       500,       1'000,     2'500,   5'000,
                                                           10'000,    25'000,    50'000,    100'000,   250'000, 500'000,
                                                           1'000'000, 2'500'000, 5'000'000, 10'000'000};
  void observe_us(std::int64_t us);
  void add_to(std::array<std::uint64_t, kBoundsUs.size() + 1>& buckets, std::uint64_t& sum_us) const;

 private:
  std::array<std::atomic<std::uint64_t>, kBoundsUs.size() + 1> buckets_{};
  std::atomic<std::uint64_t> sum_us_{0};
};

/// Collects families in the order added and renders them.
class Page {
 public:
  void counter(const std::string& name, const std::string& help, const Labels& labels, double value);
  void gauge(const std::string& name, const std::string& help, const Labels& labels, double value);
  void histogram_us(const std::string& name, const std::string& help, const Labels& labels,
                    const std::array<std::uint64_t, DurationHistogram::kBoundsUs.size() + 1>& buckets,
                    std::uint64_t sum_us);
  [[nodiscard]] std::string render() const;

 private:
  struct Sample {
    Labels labels;
    double value = 0;
    std::array<std::uint64_t, DurationHistogram::kBoundsUs.size() + 1> buckets{};
  };
  struct Family {
    std::string name, help;
    int type = 0;  // 0 counter, 1 gauge, 2 histogram
    std::vector<Sample> samples;
  };
  Family& family(const std::string& name, const std::string& help, int type);
  std::vector<Family> families_;
};

}  // namespace phoenix::telemetry
