#include "tests/simulation/detector/arbiter_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "tests/simulation/detector/arbiter_reader.hpp"
#include "tests/simulation/detector/world.hpp"

namespace phoenix::detector {
namespace {

constexpr std::size_t kOffencesKept = 5;

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

class Judge {
 public:
  Judge(const Scenario& scenario, const RunOptions& options, const World& world, const ArbiterReader& reader)
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
    std::vector<std::pair<std::string, const ArbiterReader::Row*>> rows;
    for (const auto& [id, row] : reader_.rows()) rows.emplace_back(id, &row);
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

  void judge_row(const std::string& id, const ArbiterReader::Row& row) {
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
        if (fate.comparable && row.event.cause == "carried") ++figures_.consequences_named;
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

  void judge_injected(std::uint64_t number, const Truth::Fate& fate, const ArbiterReader::Row& row, bool accused) {
    if (!fate.comparable) return;
    auto& of = figures_.classes[fate.fault];
    seen_.insert(number);
    if (fate.explained_otherwise) ++of.explained;
    const bool undecided = !is_decided(row.event.verdict) || row.event.verdict == Verdict::order_dependent;
    if (accused) {
      note_found(of, fate, row);
    } else if (undecided && fate.explained_otherwise) {
      ++of.undecided;
    } else {
      offend(fmt::format("missed: exchange {} of account {} ({}) is {}: {}", number, fate.account, name_of(fate.fault),
                         to_string(row.event.verdict), row.event.detail));
    }
  }

  static void note_found(ClassFigures& of, const Truth::Fate& fate, const ArbiterReader::Row& row) {
    ++of.found;
    of.delays_us.push_back(row.decided_us - fate.completed_us);
    ++of.labels[row.event.cause];
    const auto expected = expected_cause(fate.kind == Truth::Kind::order ? Fault::ordering : fate.fault);
    if (row.event.cause == expected) ++of.labelled;
    if (row.event.cause != expected && row.event.cause_detail.find(expected) != std::string::npos)
      ++of.among_alternatives;
  }

  void judge_reordered(std::uint64_t number, const Truth::Fate& fate, const ArbiterReader::Row& row, bool accused) {
    if (!fate.comparable) return;
    if (scenario_.faults.contains(Fault::ordering) && row.event.verdict == Verdict::order_dependent) {
      auto& of = figures_.classes[Fault::ordering];
      note_found(of, fate, row);
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
  const ArbiterReader& reader_;
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
  explained += more.explained;
  labelled += more.labelled;
  among_alternatives += more.among_alternatives;
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
  consequences_named += more.consequences_named;
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
  ArbiterReader reader(options.source);
  World world(scenario, options.seed, options.exchanges, reader);
  world.traced = options.traced;
  reader.attach(world);
  run_world(world);
  return Judge(scenario, options, world, reader).judge();
}

}  // namespace phoenix::detector
