#include "tests/simulation/detector/arbiter_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <unordered_map>
#include <unordered_set>

#include "arbiter/decision_core.hpp"
#include "core/events/event_log.hpp"
#include "tests/simulation/detector/world.hpp"

namespace phoenix::detector {
namespace {

constexpr std::int64_t kReadEveryUs = 50'000;
constexpr std::size_t kOffencesKept = 5;

config::Config make_config(StateSource source) {
  config::Config config;
  config.slices = {{kSlice, Stage::shadow, 0}};
  for (const auto* name : {"account", "deposits", "withdrawals", "transfers", "interest", "openings"}) {
    config::RouteConfig route;
    route.name = name;
    route.slice = kSlice;
    route.methods = {route.name == "account" ? "GET" : "POST"};
    route.shadow = config::ShadowMode::dual;
    route.compare.ignore = {"/posting_id"};
    const bool posting = route.name != "account" && route.name != "openings";
    route.compare.balance = posting ? "/balance_after" : "/balance";
    if (route.name == "openings") route.creates = "/account_id";
    config.gateway.routes.push_back(route);
  }
  if (source == StateSource::query)
    config.arbiter.legacy_db.url = config.arbiter.modern_db.url = "postgresql:///simulated";
  return config;
}

/// As long as decision cores exist that cannot take changes.
template <class Core>
bool give_state(Core& core, const arbiter::StateRecord& state, const LogRecord& record) {
  if constexpr (requires { core.apply_state(state, record); }) {
    core.apply_state(state, record);
    return true;
  }
  return false;
}

/// The last 48 bits of the id, where the test bed puts the exchange's number.
std::uint64_t number_of(const std::string& exchange_id) {
  return exchange_id.size() == 36 ? std::stoull(exchange_id.substr(24), nullptr, 16) : 0;
}

/// What is common to the details of one reason: no numbers, no account.
std::string reason_of(const std::string& detail) {
  std::string reason;
  for (const char c : detail) {
    if (c >= '0' && c <= '9') {
      if (reason.empty() || reason.back() != '#') reason += '#';
    } else {
      reason += c;
    }
  }
  return reason.substr(0, 90);
}

class Reader : public LogReader {
 public:
  explicit Reader(StateSource source) : source_(source), core_(make_config(source), arbiter::CoreState{}) {}

  void attach(World& world) { world_ = &world; }

  void exchange(std::int64_t now_us, const std::string& key, const std::string& frame) override {
    core_.apply({topics::kShadowRequests, 0, exchanges_end_++, (kEpochUs + now_us) / 1'000, key, frame});
    take(now_us);
  }
  void state(std::int64_t now_us, const arbiter::StateRecord& record) override {
    if (source_ != StateSource::capture) return;
    give_state(core_, record, {topics::kDbStateUpdates, 0, states_end_++, (kEpochUs + now_us) / 1'000, "", ""});
    take(now_us);
  }
  void status(std::int64_t now_us, const std::string& text) override {
    core_.apply({topics::kGatewayStatus, 0, statuses_end_++, (kEpochUs + now_us) / 1'000, "", text});
    take(now_us);
  }
  [[nodiscard]] std::int64_t exchanges_end() const override { return exchanges_end_; }
  [[nodiscard]] bool anything_open() const override {
    return core_.open_count() > 0 || (source_ == StateSource::query && !core_.wanted_readings().empty());
  }

  [[nodiscard]] const arbiter::DecisionCore& core() const { return core_; }

  struct Row {
    VerdictEvent event;
    std::int64_t decided_us = 0;
  };
  std::unordered_map<std::string, Row> rows;  // not the plain matches

 private:
  void take(std::int64_t now_us) {
    if (source_ == StateSource::query) read_wanted(now_us);
    auto changes = core_.take_changes();
    for (auto& verdict : changes.verdicts) {
      trace(verdict);
      rows.insert_or_assign(std::move(verdict.id), Row{std::move(verdict.event), now_us});
    }
    for (const auto& id : changes.retracted) rows.erase(id);
  }

  void trace(const arbiter::DecidedVerdict& verdict) const {
    if (world_->traced.empty()) return;
    const auto& event = verdict.event;
    const bool named = !event.exchange_id.empty() && number_of(event.exchange_id) != 0;
    world_->trace(event.account.empty() ? 0 : std::atoi(event.account.c_str()), "verdict on {}: {}: {}",
                  named ? std::to_string(number_of(event.exchange_id)) : verdict.id, to_string(event.verdict),
                  event.detail);
  }

  void read_wanted(std::int64_t now_us) {
    if (now_us < next_look_us_) return;
    next_look_us_ = now_us + 5'000;
    const auto wanted = core_.wanted_readings();
    for (const auto& [account, urgent] : wanted) {
      auto& due = due_us_[account];
      if (due > now_us) continue;
      due = now_us + kReadEveryUs;
      for (const Side side : {Side::legacy, Side::modern}) read(now_us, account, side);
    }
  }

  void read(std::int64_t now_us, const std::string& account, Side side) {
    BalanceReading reading;
    reading.account = account;
    reading.side = side;
    reading.read_at_us = kEpochUs + now_us;
    reading.read_id = static_cast<std::uint64_t>(core_.exchange_time_us());
    if (const auto* found = world_->bank(side).find(std::stoi(account))) {
      reading.exists = true;
      reading.balance_minor = found->balance_minor;
      reading.currency = "EUR";
      reading.txn_count = found->count;
      reading.txn_hash = std::to_string(found->hash);
    }
    core_.apply({topics::kDbStateUpdates, 0, states_end_++, (kEpochUs + now_us) / 1'000, account, encode(reading)});
  }

  const StateSource source_;
  arbiter::DecisionCore core_;
  World* world_ = nullptr;
  std::int64_t exchanges_end_ = 0, states_end_ = 0, statuses_end_ = 0, next_look_us_ = 0;
  std::unordered_map<std::string, std::int64_t> due_us_;
};

class Judge {
 public:
  Judge(const Scenario& scenario, const RunOptions& options, const World& world, const Reader& reader)
      : scenario_(scenario), options_(options), truth_(world.truth), reader_(reader) {}

  RunFigures judge() {
    for (const auto& [key, count] : reader_.core().counters())
      count_verdicts(std::get<1>(key), std::get<3>(key), count);
    figures_.open = static_cast<std::int64_t>(reader_.core().open_count());
    for (const auto& [number, fate] : truth_.fates()) {
      if (fate.kind == Truth::Kind::injected)
        ++(fate.comparable ? figures_.classes[fate.fault].injected : figures_.classes[fate.fault].uncompared);
      if (fate.kind == Truth::Kind::order && fate.comparable) ++figures_.reordered;
      if (fate.kind == Truth::Kind::consequence && fate.comparable) ++figures_.consequences;
      if (fate.kind == Truth::Kind::order && fate.comparable && scenario_.faults.contains(Fault::ordering))
        ++figures_.classes[Fault::ordering].injected;
    }
    std::vector<std::pair<std::string, const Reader::Row*>> rows;
    for (const auto& [id, row] : reader_.rows) rows.emplace_back(id, &row);
    std::sort(rows.begin(), rows.end());
    for (const auto& [id, row] : rows) judge_row(id, *row);
    for (const auto& [number, fate] : truth_.fates()) {
      if (fate.kind == Truth::Kind::injected && fate.comparable && !seen_.contains(number))
        offend(fmt::format("missed: exchange {} of account {} ({})", number, fate.account, name_of(fate.fault)));
    }
    return std::move(figures_);
  }

 private:
  void count_verdicts(const std::string& route, const std::string& what, std::int64_t count) {
    if (what == "received") figures_.received += count;
    if (what == "excluded") figures_.excluded += count;
    const auto verdict = verdict_from_string(what);
    if (!verdict || route.empty()) return;
    (is_decided(*verdict) ? figures_.decided : figures_.unknown) += count;
  }

  void judge_row(const std::string& id, const Reader::Row& row) {
    if (row.event.verdict == Verdict::unknown) ++figures_.unknown_reasons[reason_of(row.event.detail)];
    if (row.event.exchange_id.empty()) {
      if (is_inconsistent(row.event.verdict)) {
        ++figures_.account_verdicts;
        offend(
            fmt::format("verdict on an account alone: {} {}: {}", id, to_string(row.event.verdict), row.event.detail));
      }
      return;
    }
    const std::uint64_t number = number_of(id);
    const Truth::Fate fate = truth_.fate(number);
    const bool accused = is_inconsistent(row.event.verdict);
    switch (fate.kind) {
      case Truth::Kind::injected:
        return judge_injected(number, fate, row, accused);
      case Truth::Kind::order:
        return judge_reordered(number, fate, row, accused);
      case Truth::Kind::consequence:
        if (accused) ++figures_.consequences_flagged;
        break;
      case Truth::Kind::clean:
        if (accused) ++figures_.false_mismatches;
        break;
    }
    if (!accused || (fate.kind == Truth::Kind::consequence && !scenario_.faults.empty())) return;
    offend(fmt::format("{}: exchange {} of account {} is {}: {}",
                       fate.kind == Truth::Kind::clean ? "false" : "accused for an earlier difference", number,
                       row.event.account, to_string(row.event.verdict), row.event.detail));
  }

  void judge_injected(std::uint64_t number, const Truth::Fate& fate, const Reader::Row& row, bool accused) {
    if (!fate.comparable) return;
    auto& of = figures_.classes[fate.fault];
    seen_.insert(number);
    if (accused) {
      ++of.found;
      of.delays_us.push_back(row.decided_us - fate.completed_us);
    } else {
      if (row.event.verdict == Verdict::unknown) ++of.undecided;
      offend(fmt::format("missed: exchange {} of account {} ({}) is {}: {}", number, fate.account, name_of(fate.fault),
                         to_string(row.event.verdict), row.event.detail));
    }
  }

  void judge_reordered(std::uint64_t number, const Truth::Fate& fate, const Reader::Row& row, bool accused) {
    if (!fate.comparable) return;
    if (scenario_.faults.contains(Fault::ordering) && row.event.verdict == Verdict::order_dependent) {
      auto& of = figures_.classes[Fault::ordering];
      ++of.found;
      of.delays_us.push_back(row.decided_us - fate.completed_us);
    }
    if (!accused) return;
    ++figures_.reordered_flagged;
    offend(fmt::format("an order of commits: exchange {} is {}: {}", number, to_string(row.event.verdict),
                       row.event.detail));
  }

  void offend(std::string what) {
    if (figures_.offences.size() >= kOffencesKept) return;
    figures_.offences.push_back(
        fmt::format("{} seed {} of {} exchanges: {}", scenario_.name, options_.seed, options_.exchanges, what));
  }

  const Scenario& scenario_;
  const RunOptions& options_;
  const Truth& truth_;
  const Reader& reader_;
  RunFigures figures_;
  std::unordered_set<std::uint64_t> seen_;
};

template <class Map>
void add(Map& to, const Map& more) {
  for (const auto& [key, count] : more) to[key] += count;
}

}  // namespace

ClassFigures& ClassFigures::operator+=(const ClassFigures& more) {
  injected += more.injected;
  found += more.found;
  undecided += more.undecided;
  labelled += more.labelled;
  uncompared += more.uncompared;
  add(labels, more.labels);
  delays_us.insert(delays_us.end(), more.delays_us.begin(), more.delays_us.end());
  return *this;
}

RunFigures& RunFigures::operator+=(const RunFigures& more) {
  received += more.received;
  excluded += more.excluded;
  decided += more.decided;
  unknown += more.unknown;
  open += more.open;
  false_mismatches += more.false_mismatches;
  consequences += more.consequences;
  consequences_flagged += more.consequences_flagged;
  reordered += more.reordered;
  reordered_flagged += more.reordered_flagged;
  account_verdicts += more.account_verdicts;
  add(classes, more.classes);
  add(unknown_reasons, more.unknown_reasons);
  for (const auto& offence : more.offences) {
    if (offences.size() < kOffencesKept) offences.push_back(offence);
  }
  return *this;
}

RunFigures run_scenario(const Scenario& scenario, const RunOptions& options) {
  Reader reader(options.source);
  World world(scenario, options.seed, options.exchanges, reader);
  world.traced = options.traced;
  reader.attach(world);
  run_world(world);
  return Judge(scenario, options, world, reader).judge();
}

}  // namespace phoenix::detector
