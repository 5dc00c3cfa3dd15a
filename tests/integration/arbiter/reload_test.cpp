// A restart after every batch changes nothing: overlaps, waiting exchanges and readings included.
#include <fmt/format.h>

#include "arbiter/verdict_store.hpp"
#include "fixture.hpp"
#include "tests/simulation/arbiter/bank_world.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using namespace phoenix::arbiter_test;

namespace {

config::Config make_config(config::Config config) {
  config.gateway.routes[0].name = "postings";
  config.gateway.routes[0].compare = {{"/id"}, "/balance_after"};
  config.gateway.routes.push_back(config.gateway.routes[0]);
  config.gateway.routes[1].name = "account";
  config.gateway.routes[1].methods = {"GET"};
  config.arbiter.legacy_db.url = config.arbiter.modern_db.url = "postgresql:///simulated";
  return config;
}

/// The log of a world as an arbiter with ledgers would have met it.
std::vector<LogRecord> met(test::BankWorld& world, const config::Config& config) {
  const auto exchanges = world.run().exchanges;
  DecisionCore core(config, CoreState{});
  std::vector<LogRecord> log;
  std::map<std::string, std::int64_t> due;
  const auto feed = [&](const char* topic, std::int64_t now, const std::string& value) {
    const auto offset = std::count_if(log.begin(), log.end(), [&](const auto& r) { return r.topic == topic; });
    log.push_back({topic, 0, offset, now / 1'000, "", value});
    core.apply(log.back());
  };
  std::size_t next = 0;
  for (std::int64_t now = exchanges.front().first; now < world.end_us() + 300'000; now += 1'000) {
    for (; next < exchanges.size() && exchanges[next].first <= now; ++next)
      feed(topics::kShadowRequests, now, exchanges[next].second);
    const auto wanted = core.wanted_readings();
    for (const auto& [account, urgent] : wanted) {
      if (due[account] > now) continue;
      due[account] = now + 50'000;
      for (const Side side : {Side::legacy, Side::modern}) {
        auto reading = world.read(account, side, now);
        reading.read_id = static_cast<std::uint64_t>(core.exchange_time_us());
        feed(topics::kDbStateUpdates, now, encode(reading));
      }
    }
  }
  return log;
}

void run(VerdictStore& store, const config::Config& config, const std::vector<LogRecord>& log, std::size_t batch,
         bool reload) {
  store.connect();
  auto state = store.load(0);
  Positions positions = std::move(state.positions);
  auto core = std::make_unique<DecisionCore>(config, std::move(state));
  for (std::size_t i = 0; i < log.size(); i += batch) {
    Positions from = positions;
    for (std::size_t k = i; k < std::min(i + batch, log.size()); ++k) {
      core->apply(log[k]);
      from.try_emplace({log[k].topic, 0}, ConsumerOptions::kBeginning);
      positions[{log[k].topic, 0}] = log[k].offset + 1;
    }
    REQUIRE(store.commit(0, *core, core->take_changes(), from, positions));
    if (!reload) continue;
    auto again = store.load(0);
    REQUIRE(again.positions == positions);
    core = std::make_unique<DecisionCore>(config, std::move(again));
  }
}

}  // namespace

TEST_CASE("state taken from the database after every batch gives the same verdicts, counters and score") {
  const ScratchDatabase whole("whole"), pieces("pieces");
  Bench bench(whole.url());
  const auto config = make_config(bench.config);
  test::BankSettings settings;
  settings.seed = 11;
  settings.exchanges = 1'200;
  settings.wrong_every = 60;
  settings.gateways = 2;
  settings.restarts = 2;
  test::BankWorld world(settings);
  const auto log = met(world, config);
  const auto all_in_one = [](const std::string&) { return 0; };
  VerdictStore one(whole.url(), 1, all_in_one), other(pieces.url(), 1, all_in_one);
  run(one, config, log, 500, false);
  run(other, config, log, 23, true);
  CHECK(whole.value("SELECT count(*) > 100 FROM arbiter.verdicts WHERE verdict = 'order_dependent'") == "t");
  CHECK(whole.value("SELECT count(*) > 10 FROM arbiter.verdicts WHERE verdict = 'mismatch'") == "t");
  CHECK(whole.value("SELECT count(*) FROM arbiter.split_keys WHERE first_gateway <> second_gateway") == "20");
  CHECK(whole.value("SELECT score->>'split_keys' FROM arbiter.scores") == "20");
  for (const auto* sql :
       {"SELECT id, account, slice, route, verdict, detail, event_time, rung FROM arbiter.verdicts ORDER BY id",
        "SELECT * FROM arbiter.counters ORDER BY 1, 2, 3, 4", "SELECT * FROM arbiter.drift ORDER BY 1",
        "SELECT * FROM arbiter.accounts ORDER BY 1, 2", "SELECT * FROM arbiter.windows",
        "SELECT * FROM arbiter.units ORDER BY 1, 2, 3", "SELECT slice, score FROM arbiter.scores",
        "SELECT exchange_id FROM arbiter.exchanges ORDER BY 1", "SELECT * FROM arbiter.split_keys ORDER BY key"}) {
    INFO(sql);
    CHECK(whole.rows(sql) == pieces.rows(sql));
  }
}
