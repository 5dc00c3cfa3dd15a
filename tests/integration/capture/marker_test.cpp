// Markers come back in their place, and what is not the stream of before is told also after a restart.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::capture;
using namespace phoenix::capture_test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

/// Offset in the topic of the first record that is so; -1: none yet.
template <class Condition>
std::ptrdiff_t place_of(Desk& desk, const Condition& condition) {
  const auto all = desk.all();
  const auto at = std::find_if(all.begin(), all.end(), condition);
  return at == all.end() ? -1 : at - all.begin();
}

auto marker_covering(std::int64_t end) {
  return [end](const json& value) { return value["op"] == "m" && value["covers"].get<std::int64_t>() >= end; };
}

}  // namespace

TEST_CASE("a marker stands behind every change committed before it, covers what was there, and is no transaction") {
  Ledger ledger;
  Desk desk({&ledger}, {}, "", "db-state-updates");
  const CaptureService service(desk.config());
  REQUIRE(eventually([&] { return unready(service).empty(); }));
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 20; ++i) ledger.post(i + 1, "1.00", fmt::format("e{}-{}", round, i));
    const std::int64_t end = desk.add_exchange();
    REQUIRE(eventually([&] { return place_of(desk, marker_covering(end)) >= 0; }));
    const auto marker = place_of(desk, marker_covering(end));
    const auto all = desk.all();
    const auto changes = std::count_if(all.begin(), all.begin() + marker,
                                       [](const json& value) { return value["op"] == "u" || value["op"] == "c"; });
    CHECK(changes == 40 * round);
    CHECK(all[static_cast<std::size_t>(marker)]["covers"] == end);
  }
  // Also when nothing happens, and never counted as a transaction or as malformed.
  const auto markers = [&] { return std::stoi(metric(service, "markers_total{side=\"legacy\"}")); };
  const int before = markers();
  REQUIRE(eventually([&] { return markers() >= before + 2; }));
  CHECK(metric(service, "transactions_total{side=\"legacy\"}") == "60");
  CHECK(metric(service, "foreign_transactions_total{side=\"legacy\"}") == "0");
  CHECK(metric(service, "malformed_messages_total{side=\"legacy\"}") == "0");
  CHECK(ledger.all_confirmed());
}

TEST_CASE("a restart carries on without a gap; another slot, other columns and a lost record are gaps") {
  Ledger ledger;
  Desk desk({&ledger});
  const auto run = [&](const std::string& exchange) {
    const std::size_t before = desk.changes().size();
    const CaptureService service(desk.config());
    REQUIRE(eventually([&] { return unready(service).empty(); }));
    ledger.post(1, "1.00", exchange);
    REQUIRE(eventually([&] { return desk.changes().size() == before + 2; }));
    REQUIRE(ledger.all_confirmed());
  };
  run("first");
  run("second");
  CHECK(desk.gaps().size() == 1);  // the slot's creation
  // While the program is down: nothing is told by Postgres afterwards.
  ledger.drop_slot();
  ledger.post(1, "1.00", "never-seen");
  ledger.run("SELECT pg_create_logical_replication_slot('" + ledger.name() + "', 'pgoutput')");
  run("third");
  REQUIRE(desk.gaps().size() == 2);
  CHECK_THAT(desk.gaps()[1]["reason"].get<std::string>(), Contains("advanced or recreated"));
  ledger.run("ALTER TABLE accounts ADD COLUMN note text");
  run("fourth");
  REQUIRE(desk.gaps().size() == 3);
  CHECK_THAT(desk.gaps()[2]["reason"].get<std::string>(), Contains("columns of table public.accounts changed"));
  run("fifth");
  CHECK(desk.gaps().size() == 3);
  // What was captured before is not known any more.
  const std::string file = desk.config().capture.state_dir + "/legacy.json";
  std::string text;
  std::getline(std::ifstream(file), text);
  std::ofstream(file) << "{}";
  run("sixth");
  REQUIRE(desk.gaps().size() == 4);
  CHECK_THAT(desk.gaps()[3]["reason"].get<std::string>(), Contains("does not tell what was captured before"));
  // Another cluster of the same name: what the file says of it is not what answers.
  auto record = json::parse(text);
  record["cluster"] = "7000000000000000000/1";
  std::ofstream(file) << record.dump();
  run("seventh");
  REQUIRE(desk.gaps().size() == 5);
  CHECK_THAT(desk.gaps()[4]["reason"].get<std::string>(), Contains("another Postgres cluster answers"));
}
