// Killed processes and a database that goes away: nothing is lost, nothing counted twice.
#include <fmt/format.h>

#include "child.hpp"
#include "fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using namespace phoenix::arbiter_test;

namespace {

const char* const kPosition = "SELECT next FROM arbiter.positions WHERE topic = 'shadow-requests'";
const char* const kCounts =
    "SELECT verdict, sum(n) FROM arbiter.counters WHERE verdict NOT LIKE 'cause%' GROUP BY 1 ORDER BY 1";
const char* const kVerdictRows = "SELECT id, verdict, detail FROM arbiter.verdicts ORDER BY id";

}  // namespace

TEST_CASE("killed with SIGKILL again and again: every exchange is counted once") {
  const ScratchDatabase database("killed"), reference("reference");
  Bench bench(database.url());
  const auto events = deposits(12'000, 200, 50);
  bench.publish(events);
  const std::string yaml = bench.write_yaml();
  std::string before = "";
  int kills = 0;
  while (kills < 4) {
    Child child(yaml);
    // As soon as it has committed something new, it dies in the middle of what comes next.
    REQUIRE(eventually([&] {
      const auto now = database.value(
          "SELECT CASE WHEN to_regclass('arbiter.positions') IS NULL THEN '' ELSE "
          "(xpath('//next/text()', query_to_xml('SELECT next FROM arbiter.positions WHERE "
          "topic = ''shadow-requests''', true, false, '')))[1]::text END");
      const bool moved = now != before && !now.empty();
      before = now;
      return moved;
    }));
    child.stop(SIGKILL);
    ++kills;
    if (before == "12000") break;
  }
  Child last(yaml);
  REQUIRE(eventually([&] { return database.value(kPosition) == "12000"; }, std::chrono::seconds(60)));
  CHECK(WEXITSTATUS(last.stop(SIGTERM)) == 0);
  CHECK(database.rows(kCounts) == std::vector<std::string>{"match|11760", "mismatch|240", "received|12000"});

  bench.config.arbiter.database = reference.url();
  const ArbiterService undisturbed(bench.config);
  REQUIRE(eventually([&] { return reference.value(kPosition) == "12000"; }, std::chrono::seconds(60)));
  CHECK(database.rows(kVerdictRows) == reference.rows(kVerdictRows));
  CHECK(database.rows("SELECT * FROM arbiter.windows") == reference.rows("SELECT * FROM arbiter.windows"));
}

TEST_CASE("the database goes away: nothing is consumed meanwhile, then it goes on by itself") {
  const ScratchDatabase database("outage");
  Bench bench(database.url());
  const ArbiterService service(bench.config);
  const auto events = deposits(3'000, 100, 50);
  const auto slice = [&](std::size_t from, std::size_t to) {
    bench.publish({events.begin() + static_cast<long>(from), events.begin() + static_cast<long>(to)});
  };
  slice(0, 1'000);
  REQUIRE(eventually([&] { return database.value(kPosition) == "1000"; }));
  ScratchDatabase::admin("ALTER DATABASE " + database.name() + " ALLOW_CONNECTIONS false");
  const std::string terminate =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + database.name() + "'";
  ScratchDatabase::admin(terminate);
  slice(1'000, 2'000);
  REQUIRE(eventually([&] { return get(service.endpoint(), "/readyz").empty(); }));
  CHECK_FALSE(get(service.endpoint(), "/healthz").empty());
  ScratchDatabase::admin("ALTER DATABASE " + database.name() + " ALLOW_CONNECTIONS true");
  REQUIRE(eventually([&] { return database.value(kPosition) == "2000"; }));
  for (int i = 0; i < 10; ++i) {  // connections that break in the middle of batches
    slice(2'000 + static_cast<std::size_t>(i) * 100, 2'100 + static_cast<std::size_t>(i) * 100);
    ScratchDatabase::admin(terminate);
  }
  REQUIRE(eventually([&] { return database.value(kPosition) == "3000"; }, std::chrono::seconds(40)));
  CHECK(database.rows(kCounts) == std::vector<std::string>{"match|2940", "mismatch|60", "received|3000"});
  CHECK(eventually([&] { return !get(service.endpoint(), "/readyz").empty(); }));
}

TEST_CASE("retention passed the arbiter: said loudly, no account is trusted blindly, and it goes on") {
  const ScratchDatabase database("retention");
  Bench bench(database.url(), 64 << 10);
  const auto events = deposits(3'000, 5, 0);
  bench.publish({events.begin(), events.begin() + 20});
  {
    const ArbiterService service(bench.config);
    REQUIRE(eventually([&] { return database.value(kPosition) == "20"; }));
  }
  bench.publish({events.begin() + 20, events.begin() + 2'990});
  REQUIRE(eventually([&] {
    try {
      return bench.read_all(topics::kShadowRequests).front().offset > 20;
    } catch (const std::exception&) {
      return false;  // retention overtook this reader as well
    }
  }));
  const ArbiterService service(bench.config);
  bench.publish({events.begin() + 2'990, events.end()});
  REQUIRE(eventually([&] { return database.value(kPosition) == "3000"; }));
  CHECK(database.rows("SELECT topic, \"offset\", left(reason, 17) FROM arbiter.rejected") ==
        std::vector<std::string>{"shadow-requests|20|lost to retention"});
  CHECK(database.value("SELECT count(*) FROM arbiter.verdicts WHERE verdict = 'mismatch'") == "0");
}
