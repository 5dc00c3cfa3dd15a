#include "core/telemetry/metrics.hpp"

#include <thread>

#include "tests/support/catch.hpp"

using namespace phoenix::telemetry;
using Catch::Matchers::Contains;

TEST_CASE("counters and gauges are rendered with help, type and escaped labels") {
  Page page;
  page.counter("phoenix_test_requests_total", "Requests.", {{"route", "a\"b\\c\nd"}}, 3);
  page.gauge("phoenix_test_depth", "Depth.", {}, -1.5);
  page.counter("phoenix_test_requests_total", "Requests.", {{"route", "other"}}, 4e15);
  const auto text = page.render();
  CHECK_THAT(text,
             Contains("# HELP phoenix_test_requests_total Requests.\n# TYPE phoenix_test_requests_total counter\n"));
  CHECK_THAT(text, Contains("phoenix_test_requests_total{route=\"a\\\"b\\\\c\\nd\"} 3\n"));
  CHECK_THAT(text, Contains("phoenix_test_requests_total{route=\"other\"} 4000000000000000\n"));
  CHECK_THAT(text, Contains("# TYPE phoenix_test_depth gauge\nphoenix_test_depth -1.5\n"));
  CHECK(text.find("# HELP phoenix_test_requests_total") == text.rfind("# HELP phoenix_test_requests_total"));
}

TEST_CASE("a histogram sorts observations into cumulative buckets in seconds") {
  DurationHistogram histogram;
  for (const std::int64_t us : {-5, 0, 100, 101, 250, 10'000'000, 10'000'001}) histogram.observe_us(us);
  std::array<std::uint64_t, DurationHistogram::kBoundsUs.size() + 1> buckets{};
  std::uint64_t sum_us = 0;
  histogram.add_to(buckets, sum_us);
  CHECK(buckets[0] == 3);
  CHECK(buckets[1] == 2);
  CHECK(buckets[15] == 1);
  CHECK(buckets[16] == 1);
  CHECK(sum_us == 100 + 101 + 250 + 10'000'000 + 10'000'001);

  Page page;
  page.histogram_us("phoenix_test_seconds", "Duration.", {{"leg", "serving"}}, buckets, sum_us);
  const auto text = page.render();
  CHECK_THAT(text, Contains("# TYPE phoenix_test_seconds histogram\n"));
  CHECK_THAT(text, Contains("phoenix_test_seconds_count{leg=\"serving\"} 7\n"));
  CHECK_THAT(text, Contains("phoenix_test_seconds_bucket{leg=\"serving\",le=\"0.0001\"} 3\n"));
  CHECK_THAT(text, Contains("phoenix_test_seconds_bucket{leg=\"serving\",le=\"0.00025\"} 5\n"));
  CHECK_THAT(text, Contains("phoenix_test_seconds_bucket{leg=\"serving\",le=\"10\"} 6\n"));
  CHECK_THAT(text, Contains("phoenix_test_seconds_bucket{leg=\"serving\",le=\"+Inf\"} 7\n"));
  CHECK_THAT(text, Contains("phoenix_test_seconds_sum{leg=\"serving\"} 20.000452\n"));
}

TEST_CASE("histograms of several threads add up") {
  DurationHistogram first;
  DurationHistogram second;
  const auto fill = [](DurationHistogram& histogram) {
    for (int i = 0; i < 10'000; ++i) histogram.observe_us(i);
  };
  std::thread one(fill, std::ref(first));
  std::thread two(fill, std::ref(second));
  one.join();
  two.join();
  std::array<std::uint64_t, DurationHistogram::kBoundsUs.size() + 1> buckets{};
  std::uint64_t sum_us = 0;
  first.add_to(buckets, sum_us);
  second.add_to(buckets, sum_us);
  CHECK(buckets[0] == 2 * 101);
  CHECK(sum_us == 2ull * 49'995'000);
}
