// Everything recomputed from the log is what stands in the database, and a changed row is found.
#include "arbiter/rebuild.hpp"

#include <fmt/format.h>

#include "fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using namespace phoenix::arbiter_test;
using Catch::Matchers::Contains;

namespace {
const char* const kPosition = "SELECT next FROM arbiter.positions WHERE topic = 'shadow-requests'";
const char* const kMismatches = "SELECT count(*) FROM arbiter.verdicts WHERE verdict = 'mismatch'";
}  // namespace

TEST_CASE("a rebuild from the log gives every row again, while the arbiter goes on") {
  const ScratchDatabase database("rebuild");
  Bench bench(database.url());
  const auto events = deposits(1'200, 50, 100);
  const std::vector<ExchangeEvent> first(events.begin(), events.begin() + 1'000),
      rest(events.begin() + 1'000, events.end());
  const ArbiterService service(bench.config);
  bench.publish(first);
  REQUIRE(eventually([&] { return database.value(kPosition) == "1000"; }));

  const RebuildReport same = rebuild(bench.config, false);
  INFO(describe(same));
  CHECK(same.identical());
  CHECK(same.incomplete.empty());
  CHECK(same.tables.at(0).name == "verdicts");
  CHECK(same.tables.at(0).rows == 10);
  CHECK(same.records >= 1'000);

  SECTION("a row that was changed by hand is named") {
    REQUIRE_FALSE(database
                      .rows("UPDATE arbiter.verdicts SET detail = 'nothing to see here' WHERE id = (SELECT min(id) "
                            "FROM arbiter.verdicts) "
                            "RETURNING 1")
                      .empty());
    REQUIRE_FALSE(
        database.rows("DELETE FROM arbiter.drift WHERE account = (SELECT min(account) FROM arbiter.drift) RETURNING 1")
            .empty());
    const RebuildReport changed = rebuild(bench.config, false);
    CHECK_FALSE(changed.identical());
    CHECK(changed.tables.at(0).only_before == 1);
    CHECK(changed.tables.at(0).only_rebuilt == 1);
    CHECK_THAT(describe(changed), Contains("nothing to see here") && Contains("drift"));

    // The rebuilt state takes its place, and the arbiter that runs goes on from there.
    const RebuildReport swapped = rebuild(bench.config, true);
    CHECK(database.value("SELECT count(*) FROM " + swapped.kept + ".verdicts WHERE detail = 'nothing to see here'") ==
          "1");
    CHECK(database.value("SELECT count(*) FROM arbiter.verdicts WHERE detail = 'nothing to see here'") == "0");
    bench.publish(rest);
    REQUIRE(eventually([&] { return database.value(kPosition) == "1200"; }));
    CHECK(database.value(kMismatches) == "12");
    CHECK(rebuild(bench.config, false).identical());
  }
}

TEST_CASE("a log that lost its beginning proves nothing and is not swapped in") {
  const ScratchDatabase database("rebuild_short");
  Bench bench(database.url(), 300'000);
  const ArbiterService service(bench.config);
  for (int round = 0; round < 4; ++round) {
    const auto events = deposits(1'000, 50, 100);
    bench.publish({events.begin() + round * 250, events.begin() + (round + 1) * 250});
    REQUIRE(eventually([&] { return database.value(kPosition) == std::to_string((round + 1) * 250); }));
  }
  REQUIRE(eventually([&] { return bench.read_all(topics::kShadowRequests).front().offset > 0; }));
  const RebuildReport report = rebuild(bench.config, true);
  CHECK_THAT(report.incomplete, Contains("shadow-requests/0 begins at offset"));
  CHECK(report.kept.empty());
  CHECK(database.value("SELECT count(*) FROM arbiter.verdicts") == "10");
}
