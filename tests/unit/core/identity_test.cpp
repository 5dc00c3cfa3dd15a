#include <set>

#include "core/model/business_key.hpp"
#include "core/model/exchange_id.hpp"
#include "core/model/traffic_policy.hpp"
#include "core/runtime/clock.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;

TEST_CASE("exchange ids are UUIDv7: version, variant, time order, round trip") {
  RandomSource random(1);
  const ExchangeId early = make_exchange_id(1'000, random.next(), random.next());
  const ExchangeId late = make_exchange_id(1'001, random.next(), random.next());
  CHECK(early < late);
  const std::string text = early.to_string();
  CHECK(text.size() == 36);
  CHECK(text[14] == '7');
  CHECK(std::string("89ab").find(text[19]) != std::string::npos);
  CHECK(ExchangeId::parse(text).value() == early);
  for (const char* bad : {"", "x", "00000000-0000-7000-8000-00000000000g", "000000000000-7000-8000-0000000000000000"})
    CHECK(ExchangeId::parse(bad).has_error());
}

TEST_CASE("raising a weight only adds keys, and the shares are what they say") {
  std::set<std::string> before;
  for (const std::uint32_t weight : {0u, 100u, 500u, 2500u, 10'000u}) {
    std::set<std::string> cohort;
    for (int key = 0; key < 20'000; ++key) {
      if (in_cohort(cohort_bucket(std::to_string(key), "2026"), weight)) cohort.insert(std::to_string(key));
    }
    CHECK(std::includes(cohort.begin(), cohort.end(), before.begin(), before.end()));
    CHECK(cohort.size() == Approx(20'000.0 * weight / 10'000).epsilon(0.15).margin(1));
    before = cohort;
  }
  // The bucket is part of the contract: an upgrade must not move a single key.
  CHECK(cohort_bucket("1", "2026") == cohort_bucket(std::vector<BusinessKey>{"1"}, "2026"));
  CHECK(cohort_bucket(std::vector<BusinessKey>{"1", "2"}, "s") ==
        std::max(cohort_bucket("1", "s"), cohort_bucket("2", "s")));
  CHECK(cohort_bucket("1", "a") != cohort_bucket("1", "b"));
}

TEST_CASE("percentages are exact") {
  CHECK(parse_percent_to_basis_points("12.5%").value() == 1250);
  CHECK(parse_percent_to_basis_points("100").value() == 10'000);
  CHECK(format_percent(1250) == "12.5");
  for (const char* bad : {"-1", "100.01", "0.001", "abc", ""}) CHECK(parse_percent_to_basis_points(bad).has_error());
}
