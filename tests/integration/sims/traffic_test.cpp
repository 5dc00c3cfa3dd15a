// The traffic generator against the legacy bank: clean where the bank is right, and not where it is wrong.
#include <fmt/format.h>

#include <fstream>
#include <thread>

#include "fixture.hpp"
#include "legacy_sims/account_service.hpp"
#include "modern_sims/account_service.hpp"
#include "tests/support/catch.hpp"
#include "tests/traffic/runner.hpp"

using namespace phoenix;
using namespace phoenix::sim_test;

namespace {

traffic::TrafficOptions options_for(const RunningSimulator& bank) {
  traffic::TrafficOptions options = traffic::read_options(parse_options({}, traffic::option_specs()).value());
  options.target = bank.endpoint();
  options.accounts = 20;
  options.concurrency = 16;
  options.duration = std::chrono::milliseconds{0};
  options.requests = 1'500;
  options.final_check = true;
  return options;
}

}  // namespace

TEST_CASE("a right bank shows no error and no wrong answer, at either pace") {
  RunningSimulator bank(legacy_bank::simulator_kind(), 20, false, 16);
  const traffic::Report closed = traffic::run_traffic(options_for(bank));
  INFO(closed.table());
  CHECK(closed.clean());
  CHECK(closed.requests() == 1'500);
  CHECK(closed.final_check.checked == 20);
  CHECK(closed.final_check.unknown == 0);

  traffic::TrafficOptions open = options_for(bank);
  open.rate = 300;
  open.requests = 0;
  open.duration = std::chrono::seconds{2};
  open.seed = 2;
  const traffic::Report report = traffic::run_traffic(open);
  INFO(report.table());
  CHECK(report.clean());
  CHECK(report.requests() == 600);
}

TEST_CASE("wrong fees are found, each once") {
  RunningSimulator bank(legacy_bank::simulator_kind(), 20, false, 16);
  REQUIRE(bank.send("PUT", "/_sim/faults", R"({"wrong_fee_every":50})").status == 200);
  const traffic::Report report = traffic::run_traffic(options_for(bank));
  INFO(report.table());
  const std::string listed = bank.send("GET", "/_sim/wrong-fees").body;
  const auto postings = static_cast<std::uint64_t>(std::count(listed.begin(), listed.end(), ',') + 1);
  CHECK(report.errors() == 0);
  CHECK(postings >= 10);
  CHECK(report.wrong_answers() >= postings);
  for (const auto& wrong : report.kept_wrong_answers())
    CHECK((wrong.difference.what == "fee" || wrong.difference.what == "balance"));
}

TEST_CASE("the correct tariff is wrong for a client who expects legacy's, and right for one who does not") {
  RunningSimulator bank(modern_bank::simulator_kind(), 20, false, 16);
  traffic::TrafficOptions options = options_for(bank);
  CHECK(traffic::run_traffic(options).wrong_answers() > 0);
  options.model = traffic::FeeModel::tariff;
  const traffic::Report right = traffic::run_traffic(options);
  INFO(right.table());
  CHECK(right.clean());
  options.model = traffic::FeeModel::any;
  CHECK(traffic::run_traffic(options).clean());
}

TEST_CASE("every answer of the float-rounding pair is judged by its own model, interest and overlaps included") {
  const BankPair pair = float_rounding_pair();
  const auto mix = traffic::parse_mix("read=20,deposit=15,withdrawal=15,transfer=30,interest=20").value();
  auto run = [&](const RunningSimulator& bank, traffic::FeeModel model) {
    traffic::TrafficOptions options = options_for(bank);
    options.accounts = 8;
    options.mix = mix;
    options.model = model;
    return traffic::run_traffic(options);
  };
  SECTION("legacy") {
    RunningSimulator bank(pair.legacy, 8, false, 16);
    const traffic::Report report = run(bank, traffic::FeeModel::legacy_float);
    INFO(report.table());
    CHECK(report.clean());
  }
  SECTION("bug-compatible modern") {
    RunningSimulator bank(pair.modern, 8, true, 16);
    const traffic::Report report = run(bank, traffic::FeeModel::legacy_float);
    INFO(report.table());
    CHECK(report.clean());
  }
  SECTION("exact modern") {
    RunningSimulator bank(pair.modern, 8, false, 16);
    const traffic::Report report = run(bank, traffic::FeeModel::exact);
    INFO(report.table());
    CHECK(report.clean());
    CHECK(run(bank, traffic::FeeModel::legacy_float).wrong_answers() > 0);
  }
  SECTION("truncated legacy") {
    RunningSimulator bank(pair.legacy, 8, false, 16);
    REQUIRE(bank.send("PUT", "/_sim/faults", R"({"truncate":true})").status == 200);
    const traffic::Report report = run(bank, traffic::FeeModel::legacy_float);
    INFO(report.table());
    CHECK(report.wrong_answers() > 200);
    for (const auto& wrong : report.kept_wrong_answers())
      CHECK((wrong.difference.what == "fee" || wrong.difference.what == "interest"));
  }
}

TEST_CASE("money that moves behind the bank's back is found by the next answer") {
  RunningSimulator bank(legacy_bank::simulator_kind(), 2, false, 4);
  traffic::TrafficOptions options = options_for(bank);
  options.accounts = 2;
  options.rate = 100;
  options.requests = 200;
  options.final_check = false;
  std::thread thief([&] {
    while (bank.database().query("SELECT count(*) > 10 FROM postings") != "t") std::this_thread::yield();
    bank.database().query("UPDATE accounts SET balance = balance - 0.01");
  });
  const traffic::Report report = traffic::run_traffic(options);
  thief.join();
  INFO(report.table());
  CHECK(report.errors() == 0);
  REQUIRE(report.wrong_answers() >= 1);
  // A statement shows it by itself, too: its newest posting led to another balance.
  for (const auto& wrong : report.kept_wrong_answers())
    CHECK((wrong.difference.what == "balance" || wrong.difference.what == "newest posting's balance_after"));
}

TEST_CASE("money that moves after the last answer is found by the final check") {
  RunningSimulator bank(legacy_bank::simulator_kind(), 2, false, 4);
  // The latency lies before each request: the thief has that long between the transfer and the final reading.
  REQUIRE(bank.send("PUT", "/_sim/faults", R"({"latency":"500ms"})").status == 200);
  traffic::TrafficOptions options = options_for(bank);
  options.accounts = 2;
  options.requests = 1;
  options.mix = traffic::parse_mix("transfer=1").value();
  std::thread thief([&] {
    while (bank.database().query("SELECT count(*) FROM postings") != "2") std::this_thread::yield();
    bank.database().query("UPDATE accounts SET balance = balance + 0.01");
  });
  const traffic::Report report = traffic::run_traffic(options);
  thief.join();
  INFO(report.table());
  CHECK(report.wrong_answers() == 2);
  for (const auto& wrong : report.kept_wrong_answers()) CHECK(wrong.difference.what == "final balance");
}

TEST_CASE("errors are counted and make the run unclean; the accounts concerned are unknown, not wrong") {
  RunningSimulator bank(legacy_bank::simulator_kind(), 20, false, 16);
  REQUIRE(bank.send("PUT", "/_sim/faults", R"({"error_rate":0.0})").status == 200);
  traffic::TrafficOptions options = options_for(bank);
  options.rate = 300;
  options.requests = 600;
  std::thread switcher([&] {
    http::Client client = bank.client();
    while (bank.database().query("SELECT count(*) FROM postings") == "0") std::this_thread::yield();
    send(client, "PUT", "/_sim/faults", R"({"error_rate":0.2})");
  });
  const traffic::Report report = traffic::run_traffic(options);
  switcher.join();
  INFO(report.table());
  CHECK(report.errors() > 20);
  CHECK(report.wrong_answers() == 0);
  CHECK_FALSE(report.clean());
}

TEST_CASE("a target that is not there is said at once") {
  traffic::TrafficOptions options =
      traffic::read_options(parse_options({"--target", "127.0.0.1:1"}, traffic::option_specs()).value());
  CHECK_THROWS_WITH(traffic::run_traffic(options),
                    "cannot read the opening balances at 127.0.0.1:1: account 1: cannot connect");
}

TEST_CASE("the live file holds one whole line") {
  RunningSimulator bank(legacy_bank::simulator_kind(), 20, false, 16);
  traffic::TrafficOptions options = options_for(bank);
  options.rate = 100;
  options.requests = 150;
  options.live_file = fmt::format("/tmp/phoenix-live-{}.json", getpid());
  CHECK(traffic::run_traffic(options).clean());
  std::ifstream file(options.live_file);
  std::string line;
  REQUIRE(std::getline(file, line));
  const ExactJson live = ExactJson::parse(line).value();
  CHECK(live.whole("/total/requests").value() > 50);
  CHECK(live.whole("/total/errors").value() == 0);
  std::remove(options.live_file.c_str());
}
