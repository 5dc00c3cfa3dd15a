// Rules of accepted changes in a running arbiter: they become active through the log, excuse exactly what they compute,
// and a rebuild from the log judges alike.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "arbiter/rebuild.hpp"
#include "fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using namespace phoenix::arbiter_test;
using Catch::Matchers::Contains;

namespace {

const char* const kPosition = "SELECT next FROM arbiter.positions WHERE topic = 'shadow-requests'";

void write_rules(const std::string& path, const std::string& fee) {
  std::ofstream(path + ".new") << R"(rule { id = "half-fee", reason = "fees were halved", approver = "CR-1",
    expires = "2100-01-01", routes = { "deposits" },
    expect = function(x) return { response = { ["/fee"] = ")"
                               << fee << R"(" }, shift = { [x.accounts[1].name] = 5 } } end })";
  std::filesystem::rename(path + ".new", path);  // never half of it
}

std::string count(const ScratchDatabase& database, const char* verdict) {
  return database.value(fmt::format("SELECT count(*) FROM arbiter.verdicts WHERE verdict = '{}'", verdict));
}

}  // namespace

TEST_CASE("a rules file becomes active through the log, and accepts what it predicts to the last minor unit") {
  const ScratchDatabase database("accepted");
  Bench bench(database.url());
  bench.config.arbiter.accepted_changes = bench.directory() + "/rules.lua";
  write_rules(bench.config.arbiter.accepted_changes, "0.05");
  {
    ArbiterService service(bench.config);
    service.read_rules_again();
    REQUIRE(eventually([&] { return get(service.endpoint(), "/status").find("half-fee") != std::string::npos; }));
    bench.publish(deposits(1'000, 50, 100));
    REQUIRE(eventually([&] { return database.value(kPosition) == "1000"; }));
    CHECK(count(database, "accepted_change") == "10");
    CHECK(count(database, "mismatch") == "0");
    CHECK_THAT(database.value("SELECT detail FROM arbiter.verdicts ORDER BY id LIMIT 1"), Contains("half-fee"));
    // What was accepted is carried: it is no drift, and later balances still compare.
    CHECK(database.value("SELECT count(*) FROM arbiter.drift") == "0");
    CHECK_THAT(get(service.endpoint(), "/metrics"),
               Contains(R"(phoenix_arbiter_accepted_rule_evaluations_total{rule="half-fee",outcome="matched"} 10)"));

    // Another prediction, one cent beside what modern does: a mismatch again.
    write_rules(bench.config.arbiter.accepted_changes, "0.06");
    service.read_rules_again();
    REQUIRE(eventually([&] {
      const auto records = bench.read_all(topics::kDbStateUpdates);
      return records.size() >= 2 && database.value("SELECT state LIKE '%0.06%' FROM arbiter.accepted_rules") == "t";
    }));
    auto wrong = deposit(1'001, "acc-new", 1, "0.05", 5);
    bench.publish({wrong});
    REQUIRE(eventually([&] { return count(database, "mismatch") == "1"; }));
  }
  const RebuildReport report = rebuild(bench.config, false);
  INFO(describe(report));
  CHECK(report.identical());
  CHECK(report.tables.at(0).rows == 11);
}
