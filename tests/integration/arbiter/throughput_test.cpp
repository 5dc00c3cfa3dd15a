// A floor for the arbiter's speed, far below what it does, so that a mistake of an order of magnitude shows; the figure
// is printed.
#include <fmt/format.h>

#include "fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using namespace phoenix::arbiter_test;

TEST_CASE("a backlog is worked off in batches") {
  const ScratchDatabase database("throughput");
  Bench bench(database.url());
  constexpr int kExchanges = 30'000;
  bench.publish(deposits(kExchanges, 2'000, 1'000));
  const auto start = std::chrono::steady_clock::now();
  const ArbiterService service(bench.config);
  REQUIRE(eventually(
      [&] { return database.value("SELECT max(next) FROM arbiter.positions") == std::to_string(kExchanges); },
      std::chrono::seconds(60)));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("arbiter: {:.0f} exchanges/s\n", kExchanges / seconds);
  CHECK(kExchanges / seconds > 500);
}
