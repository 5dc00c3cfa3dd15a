#include "tests/traffic/latency_histogram.hpp"

#include "tests/support/catch.hpp"

using phoenix::traffic::LatencyHistogram;
using namespace std::chrono_literals;

TEST_CASE("quantiles are within 4 % of the truth") {
  LatencyHistogram histogram;
  for (int us = 1; us <= 100'000; ++us) histogram.add(std::chrono::microseconds{us});
  CHECK(histogram.count() == 100'000);
  CHECK(histogram.quantile_ms(0.5) == Approx(50).epsilon(0.04));
  CHECK(histogram.quantile_ms(0.9) == Approx(90).epsilon(0.04));
  CHECK(histogram.quantile_ms(0.99) == Approx(99).epsilon(0.04));
  CHECK(histogram.quantile_ms(1) == 100);
  CHECK(histogram.max_ms() == 100);
}

TEST_CASE("the edges: nothing, one, negative, very long") {
  LatencyHistogram histogram;
  CHECK(histogram.quantile_ms(0.99) == 0);
  histogram.add(3us);
  CHECK(histogram.quantile_ms(0.5) == 0.003);
  histogram.add(-1s);
  histogram.add(24h);
  CHECK(histogram.quantile_ms(0.01) == 0);
  CHECK(histogram.max_ms() == 24 * 3600 * 1000.0);
  histogram.clear();
  CHECK(histogram.count() == 0);
}
