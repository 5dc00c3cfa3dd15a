// The arbiter's decisions over seeded schedules. PHOENIX_SEED=n runs one seed alone and is printed with every failure.
#include <cstdlib>

#include "arbiter/decision_core.hpp"
#include "tests/simulation/arbiter/bank_world.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/exchange_builder.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using namespace phoenix::test;

namespace {

config::Config make_config(bool ledgers) {
  config::Config config;
  config.slices = {{"payments", Stage::shadow, 0}};
  for (const auto* name : {"postings", "account"}) {
    config::RouteConfig route;
    route.name = name;
    route.slice = "payments";
    route.methods = {route.name == "postings" ? "POST" : "GET"};
    route.shadow = config::ShadowMode::dual;
    route.compare = {{"/id"}, "/balance_after"};
    config.gateway.routes.push_back(route);
  }
  if (ledgers) config.arbiter.legacy_db.url = config.arbiter.modern_db.url = "postgresql:///simulated";
  return config;
}

struct Outcome {
  std::vector<LogRecord> log;  // as the arbiter met it
  std::vector<std::pair<std::string, VerdictEvent>> verdicts;
  std::set<std::string> mismatches;
  std::map<Verdict, int> kinds;
  std::map<CounterKey, std::int64_t> counters;
  std::string score;
  std::size_t open = 0;
  std::set<std::string> split;
  std::vector<std::string> notices;
};

/// Runs the core over a world, with a reader that reads what the core asks for every few milliseconds.
class Run {
 public:
  Run(BankWorld& world, const BankLog& log, bool ledgers) : world_(world), core_(make_config(ledgers), CoreState{}) {
    std::int64_t now = log.exchanges.front().first;
    std::size_t next = 0;
    const std::int64_t end = world.end_us() + 8'000'000;
    while (now < end && (next < log.exchanges.size() || core_.open_count() > 0 || !core_.wanted_readings().empty())) {
      now += 1'000;
      for (; next < log.exchanges.size() && log.exchanges[next].first <= now; ++next) {
        feed({topics::kShadowRequests, 0, offset_++, now / 1'000, "", log.exchanges[next].second});
      }
      if (ledgers) read_wanted(now);
    }
  }

  Outcome finish() {
    outcome_.counters = core_.counters();
    outcome_.score = encode(core_.scores().front());
    outcome_.open = core_.open_count();
    for (const auto& [id, event] : rows_) {
      outcome_.verdicts.emplace_back(id, event);
      ++outcome_.kinds[event.verdict];
      if (is_inconsistent(event.verdict)) outcome_.mismatches.insert(id);
    }
    return std::move(outcome_);
  }

  void feed(LogRecord record) {
    core_.apply(record);
    outcome_.log.push_back(std::move(record));
    const auto changes = core_.take_changes();
    for (const auto& verdict : changes.verdicts) rows_.insert_or_assign(verdict.id, verdict.event);
    for (const auto& id : changes.retracted) rows_.erase(id);
    for (const auto& notice : changes.split_keys) {
      CHECK(outcome_.split.insert(notice.key).second);
      outcome_.notices.push_back(encode(notice));
    }
  }

 private:
  void read_wanted(std::int64_t now) {
    const auto wanted = core_.wanted_readings();
    for (const auto& [account, urgent] : wanted) {
      auto& due = due_[account];
      if (due > now) continue;
      due = now + 50'000;
      // The two sides are not read at the same moment.
      for (const Side side : {Side::legacy, Side::modern}) {
        auto reading = world_.read(account, side, now + (side == Side::modern ? 300 : 0));
        reading.read_id = static_cast<std::uint64_t>(core_.exchange_time_us());
        feed({topics::kDbStateUpdates, 0, offset_++, now / 1'000, account, encode(reading)});
      }
    }
  }

  BankWorld& world_;
  DecisionCore core_;
  std::map<std::string, VerdictEvent> rows_;
  std::map<std::string, std::int64_t> due_;
  Outcome outcome_;
  std::int64_t offset_ = 0;
};

std::int64_t total(const Outcome& outcome, const std::string& what) {
  std::int64_t sum = 0;
  for (const auto& [key, n] : outcome.counters) {
    if (std::get<3>(key) == what && !std::get<1>(key).empty()) sum += n;
  }
  return sum;
}

/// received - excluded = decided + unknown + pending, for every exchange.
void check_nothing_vanishes(const Outcome& outcome, const BankLog& log) {
  std::int64_t verdicts = 0;
  for (const auto* what : {"match", "match_late", "order_dependent", "mismatch", "unknown"})
    verdicts += total(outcome, what);
  CHECK(total(outcome, "received") == static_cast<std::int64_t>(log.distinct));
  CHECK(total(outcome, "received") - total(outcome, "excluded") == verdicts + static_cast<std::int64_t>(outcome.open));
}

std::vector<std::uint64_t> seeds() {
  if (const char* one = std::getenv("PHOENIX_SEED")) return {std::strtoull(one, nullptr, 10)};
  return {1, 2, 3, 4, 5, 6, 7, 8};
}

Outcome simulate(const BankSettings& settings, BankLog& log, bool ledgers = true) {
  BankWorld world(settings);
  log = world.run();
  return Run(world, log, ledgers).finish();
}

}  // namespace

TEST_CASE("identical backends, 32 clients on 20 hot accounts: no mismatch, everything decided") {
  for (const auto seed : seeds()) {
    for (const bool positions : {true, false}) {
      INFO("PHOENIX_SEED=" << seed << (positions ? "" : ", without positions"));
      BankSettings settings;
      settings.seed = seed;
      settings.positions = positions;
      BankLog log;
      Outcome outcome = simulate(settings, log);
      CHECK(log.overlapping > 300);
      CHECK(outcome.kinds.contains(Verdict::order_dependent));
      CHECK(outcome.mismatches.empty());
      CHECK(outcome.kinds[Verdict::unknown] == 0);
      CHECK(outcome.open == 0);
      check_nothing_vanishes(outcome, log);
    }
  }
}

TEST_CASE("a wrong fee on every 500th posting: exactly those exchanges are found") {
  for (const auto seed : seeds()) {
    for (const bool strict : {false, true}) {
      for (const bool wrong_target : {false, true}) {
        INFO("PHOENIX_SEED=" << seed << (strict ? ", strict" : "") << (wrong_target ? ", wrong credit too" : ""));
        BankSettings settings;
        settings.seed = seed;
        settings.strict = strict;
        settings.wrong_target = wrong_target;
        settings.exchanges = 3'000;
        settings.wrong_every = 500;
        BankLog log;
        Outcome outcome = simulate(settings, log);
        CHECK(log.wrong.size() >= 3);
        CHECK(outcome.mismatches == log.wrong);
        CHECK(outcome.kinds[Verdict::unknown] == 0);
        CHECK(outcome.open == 0);
        check_nothing_vanishes(outcome, log);
      }
    }
  }
}

TEST_CASE("many wrong fees on few accounts: exactly those exchanges are found") {
  for (const auto seed : seeds()) {
    INFO("PHOENIX_SEED=" << seed);
    BankSettings settings;
    settings.seed = seed;
    settings.wrong_every = 9;
    BankLog log;
    const Outcome outcome = simulate(settings, log);
    CHECK(outcome.mismatches == log.wrong);
    CHECK(outcome.open == 0);
    check_nothing_vanishes(outcome, log);
  }
}

TEST_CASE("without ledgers nothing is wrong either; what cannot be proven is unknown") {
  for (const auto seed : seeds()) {
    INFO("PHOENIX_SEED=" << seed);
    BankSettings settings;
    settings.seed = seed;
    settings.wrong_every = 500;
    BankLog log;
    const Outcome outcome = simulate(settings, log, false);
    CHECK(outcome.mismatches == log.wrong);
    check_nothing_vanishes(outcome, log);
  }
}

TEST_CASE("replaying the log gives the same verdicts and the same score") {
  for (const auto seed : seeds()) {
    INFO("PHOENIX_SEED=" << seed);
    BankSettings settings;
    settings.seed = seed;
    settings.wrong_every = 100;
    BankWorld world(settings);
    const BankLog log = world.run();
    const Outcome first = Run(world, log, true).finish();
    DecisionCore core(make_config(true), CoreState{});
    std::map<std::string, VerdictEvent> rows;
    for (const auto& record : first.log) {
      core.apply(record);
      const auto changes = core.take_changes();
      for (const auto& verdict : changes.verdicts) rows.insert_or_assign(verdict.id, verdict.event);
      for (const auto& id : changes.retracted) rows.erase(id);
    }
    REQUIRE(rows.size() == first.verdicts.size());
    for (const auto& [id, event] : first.verdicts) CHECK(encode(rows.at(id)) == encode(event));
    CHECK(encode(core.scores().front()) == first.score);
  }
}

TEST_CASE(
    "a gateway that is restarted: its events are in order, come again under another incarnation, and count once") {
  for (const auto seed : seeds()) {
    INFO("PHOENIX_SEED=" << seed);
    BankSettings settings;
    settings.seed = seed;
    settings.wrong_every = 100;
    settings.restarts = 5;
    settings.repeated_events = 0.2;
    BankLog log;
    Outcome outcome = simulate(settings, log);
    CHECK(outcome.mismatches == log.wrong);
    CHECK(outcome.kinds[Verdict::unknown] == 0);
    CHECK(outcome.open == 0);
    CHECK(outcome.split.empty());
    check_nothing_vanishes(outcome, log);
  }
}

TEST_CASE("two gateways behind one balancer: exactly the keys that both wrote within a minute are split") {
  for (const auto seed : seeds()) {
    INFO("PHOENIX_SEED=" << seed);
    BankSettings settings;
    settings.seed = seed;
    settings.accounts = 300;
    settings.exchanges = 1'500;
    settings.gateways = 2;
    settings.pause_us = 60'000'000;
    settings.late_events = 0.5;
    BankLog log;
    const Outcome outcome = simulate(settings, log, false);
    CHECK(log.split.size() > 20);
    CHECK(log.split.size() < 280);
    CHECK(outcome.split == log.split);
    CHECK(decode_score_event(outcome.score)->split_keys == log.split.size());
    check_nothing_vanishes(outcome, log);

    DecisionCore core(make_config(false), CoreState{});
    std::vector<std::string> notices;
    for (const auto& record : outcome.log) {
      core.apply(record);
      for (const auto& notice : core.take_changes().split_keys) notices.push_back(encode(notice));
    }
    CHECK(notices == outcome.notices);
    CHECK(encode(core.scores().front()) == outcome.score);
  }
}

TEST_CASE("one gateway that takes over from another splits what both wrote around that moment, no more") {
  for (const auto seed : seeds()) {
    INFO("PHOENIX_SEED=" << seed);
    BankSettings settings;
    settings.seed = seed;
    settings.accounts = 300;
    settings.exchanges = 1'500;
    settings.gateways = 2;
    settings.handover = true;
    settings.pause_us = 60'000'000;
    BankLog log;
    const Outcome outcome = simulate(settings, log, false);
    CHECK(log.split.size() >= 1);
    CHECK(log.split.size() < 120);
    CHECK(outcome.split == log.split);
  }
}
