#include "core/telemetry/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>

namespace phoenix::telemetry {
namespace {

constexpr int kCounter = 0;
constexpr int kGauge = 1;
constexpr int kHistogram = 2;
constexpr double kMicrosecondsPerSecond = 1e6;

prometheus::MetricType to_prometheus(int type) {
  if (type == kCounter) return prometheus::MetricType::Counter;
  if (type == kGauge) return prometheus::MetricType::Gauge;
  return prometheus::MetricType::Histogram;
}

/// Prometheus buckets are cumulative and in seconds.
prometheus::ClientMetric::Histogram to_histogram(
    const std::array<std::uint64_t, DurationHistogram::kBoundsUs.size() + 1>& buckets, double sum_seconds) {
  prometheus::ClientMetric::Histogram histogram;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    cumulative += buckets[i];
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = cumulative;
    bucket.upper_bound = i < DurationHistogram::kBoundsUs.size()
                             ? DurationHistogram::kBoundsUs[i] / kMicrosecondsPerSecond
                             : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back(bucket);
  }
  histogram.sample_count = cumulative;
  histogram.sample_sum = sum_seconds;
  return histogram;
}

}  // namespace

void DurationHistogram::observe_us(std::int64_t us) {
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0));
  const auto bound = std::lower_bound(kBoundsUs.begin(), kBoundsUs.end(), value);
  auto& bucket = buckets_[static_cast<std::size_t>(bound - kBoundsUs.begin())];
  // One writer: a load and a store suffice and cost less than an atomic addition.
  bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  sum_us_.store(sum_us_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

void DurationHistogram::add_to(std::array<std::uint64_t, kBoundsUs.size() + 1>& buckets, std::uint64_t& sum_us) const {
  for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += buckets_[i].load(std::memory_order_relaxed);
  sum_us += sum_us_.load(std::memory_order_relaxed);
}

Page::Family& Page::family(const std::string& name, const std::string& help, int type) {
  const auto known = std::find_if(families_.begin(), families_.end(), [&](const Family& f) { return f.name == name; });
  if (known != families_.end()) return *known;
  families_.push_back({name, help, type, {}});
  return families_.back();
}

void Page::counter(const std::string& name, const std::string& help, const Labels& labels, double value) {
  family(name, help, kCounter).samples.push_back({labels, value, {}});
}

void Page::gauge(const std::string& name, const std::string& help, const Labels& labels, double value) {
  family(name, help, kGauge).samples.push_back({labels, value, {}});
}

void Page::histogram_us(const std::string& name, const std::string& help, const Labels& labels,
                        const std::array<std::uint64_t, DurationHistogram::kBoundsUs.size() + 1>& buckets,
                        std::uint64_t sum_us) {
  family(name, help, kHistogram)
      .samples.push_back({labels, static_cast<double>(sum_us) / kMicrosecondsPerSecond, buckets});
}

std::string Page::render() const {
  std::vector<prometheus::MetricFamily> families;
  families.reserve(families_.size());
  for (const Family& family : families_) {
    prometheus::MetricFamily& rendered = families.emplace_back();
    rendered.name = family.name;
    rendered.help = family.help;
    rendered.type = to_prometheus(family.type);
    for (const Sample& sample : family.samples) {
      prometheus::ClientMetric& metric = rendered.metric.emplace_back();
      for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
      if (family.type == kCounter) metric.counter.value = sample.value;
      if (family.type == kGauge) metric.gauge.value = sample.value;
      if (family.type == kHistogram) metric.histogram = to_histogram(sample.buckets, sample.value);
    }
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace phoenix::telemetry
