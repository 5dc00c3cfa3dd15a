#include "core/model/consistency_score.hpp"

#include <cmath>

#include "core/runtime/clock.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;

TEST_CASE("the e-process needs what exact computation says") {
  // Figures computed independently for p0 = 0.1 %, alpha = 1 %.
  CHECK(clean_units_needed({}, 0.001, 0.01) == 5040);
  const std::uint64_t needed[] = {8547, 10'838, 13'020};
  for (std::uint64_t mismatches = 1; mismatches <= 3; ++mismatches) {
    const std::uint64_t units = needed[mismatches - 1];
    CHECK(log_e_value({units, mismatches}, 0.001) >= std::log(100.0));
    CHECK(log_e_value({units - 1, mismatches}, 0.001) < std::log(100.0));
  }
  CHECK(clean_units_needed({}, 0.001, 0.01 / 6) == 6924);
}

TEST_CASE("the upper bound and the test agree") {
  for (const EvidenceCounts counts :
       {EvidenceCounts{5040, 0}, EvidenceCounts{9000, 1}, EvidenceCounts{3000, 0}, EvidenceCounts{100'000, 50}}) {
    const bool promotes = log_e_value(counts, 0.001) >= std::log(100.0);
    CHECK((mismatch_rate_upper(counts, 0.01) <= 0.001 + 1e-9) == promotes);
  }
  CHECK(mismatch_rate_upper({}, 0.01) == 1.0);
  CHECK(mismatch_rate_upper({10, 10}, 0.01) == 1.0);
  CHECK(mismatch_rate_upper({1000, 10}, 0.01) > 0.01);
}

TEST_CASE("looking at every unit, a system at p0 is hardly ever promoted") {
  int promoted = 0;
  constexpr int kRuns = 300;
  RandomSource random(7);
  for (int run = 0; run < kRuns; ++run) {
    EvidenceCounts counts;
    for (int unit = 0; unit < 4000; ++unit) {
      ++counts.units;
      if (random.next() % 100 == 0) ++counts.mismatches;  // p = p0 = 1 %
      if (log_e_value(counts, 0.01) < std::log(20.0)) continue;
      ++promoted;
      break;
    }
  }
  CHECK(promoted <= kRuns * 0.05 + 8);  // alpha = 5 %, and two standard deviations
}

TEST_CASE("the CUSUM trips at once on a broken system and not on a good one") {
  MismatchCusum broken(0.001, 1e6);
  int units = 0;
  while (!broken.add(true)) ++units;
  CHECK(units + 1 == 3);  // h = ln(4e6) = 15.2 at 50 % against 0.1 %: three in a row
  MismatchCusum good(0.001, 1e6);
  RandomSource random(3);
  for (int unit = 0; unit < 100'000; ++unit) good.add(random.next() % 10'000 == 0);
  CHECK_FALSE(good.tripped());
  MismatchCusum restored(0.001, 1e6);
  restored.restore(broken.state());
  CHECK(restored.tripped());
  broken.reset();
  CHECK_FALSE(broken.tripped());
}
