// Whole sessions, each with a fault at one operation (read, write or connect) or two, for every operation in turn. What
// must hold after any of them is checked in fault_run.cpp and played_ends.cpp: the session ends, no connection and no
// exchange is left, the accounts balance, no backend sees a write twice, and the client gets the answer, a beginning of
// it that cannot be taken for the whole, or a problem.
#include <fmt/format.h>

#include <array>
#include <cstdio>

#include "fault_run.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix::test;

namespace {

using Kind = MemoryNetwork::Operation::Kind;

struct Totals {
  std::uint64_t runs = 0;
  std::uint64_t operations = 0;
  std::uint64_t strikes = 0;
  void add(const RunResult& result) {
    ++runs;
    operations += result.operations.size();
    strikes += result.strikes;
  }
  void print(const char* what) const {
    std::printf("%-40s %7llu runs %9llu operations %7llu faults\n", what, static_cast<unsigned long long>(runs),
                static_cast<unsigned long long>(operations), static_cast<unsigned long long>(strikes));
    std::fflush(stdout);
  }
};

SweepGround& ground() {
  static SweepGround shared;
  return shared;
}

// What differs from run to run is cut out: the exchange's id and the time.
std::string without_chance(std::string bytes) {
  for (const std::string_view name : {"X-Phoenix-Exchange: ", "X-Request-Id: ", "Date: ", "\"exchange_id\":\""}) {
    const char end = name.front() == '"' ? '"' : '\r';
    for (std::size_t at = bytes.find(name); at != std::string::npos; at = bytes.find(name, at)) {
      at += name.size();
      bytes.erase(at, bytes.find(end, at) - at);
    }
  }
  return bytes;
}

std::string describe(const Scenario& scenario, const FaultPlan& plan) {
  std::string text = fmt::format("{}: {} at operation {}", scenario.name, to_string(plan.fault), plan.at);
  if (plan.second_at > 0) text += fmt::format(", {} at operation {}", to_string(plan.second_fault), plan.second_at);
  if (plan.most_bytes != SIZE_MAX) text += fmt::format(", in pieces of {} bytes", plan.most_bytes);
  return text;
}

// The first are told; one mistake shows in hundreds of runs.
void tell(const std::string& failure) {
  constexpr int kMostTold = 20;
  static int failures = 0;
  if (++failures <= kMostTold) FAIL_CHECK(failure);
  if (failures == kMostTold) std::printf("more failures are not shown\n");
}

void check(const RunResult& result, const Scenario& scenario, const FaultPlan& plan) {
  if (result.problems.empty()) return;
  std::string all = describe(scenario, plan);
  for (const auto& problem : result.problems) all += "\n  " + problem;
  tell(all);
}

bool as_expected(const RunResult& result, const Scenario& scenario) {
  return result.all_as_scripted || scenario.exchanges.front().malformed;
}

// Only what can happen to such an operation.
bool applies(Fault fault, Kind kind) {
  if (kind == Kind::connect) return fault == Fault::reset;
  return fault != Fault::delivered || kind == Kind::write;
}

constexpr std::array kFaults{Fault::reset, Fault::end_of_file, Fault::aborted, Fault::one_byte,
                             Fault::cut,   Fault::delivered,   Fault::hang};

// Every fault at every operation of the scenario.
Totals sweep(const Scenario& scenario, std::size_t most_bytes, const std::vector<Fault>& faults) {
  Totals totals;
  FaultPlan plan;
  plan.most_bytes = most_bytes;
  const RunResult clean = play(ground(), scenario, plan);
  totals.add(clean);
  check(clean, scenario, plan);
  INFO(scenario.name);
  CHECK(as_expected(clean, scenario));
  CHECK(clean.exchanges == scenario.exchanges.size());
  const std::string clean_bytes = without_chance(clean.client_bytes);
  for (const Fault fault : faults) {
    for (std::uint64_t at = 1; at <= clean.operations.size(); ++at) {
      const auto& operation = clean.operations[at - 1];
      if (!applies(fault, operation.kind)) continue;
      plan.fault = fault;
      plan.at = at;
      const RunResult result = play(ground(), scenario, plan);
      totals.add(result);
      check(result, scenario, plan);
      if (result.strikes != 1) tell(describe(scenario, plan) + ": the run took another course before the fault");
      if (operation.end == End::shadow && without_chance(result.client_bytes) != clean_bytes)
        tell(describe(scenario, plan) + ": a fault of the shadow changed the client's bytes");
      if (fault == Fault::one_byte && !as_expected(result, scenario))
        tell(describe(scenario, plan) + ": a short operation changed the answer");
    }
  }
  return totals;
}

Totals operator+(Totals a, const Totals& b) {
  a.runs += b.runs;
  a.operations += b.operations;
  a.strikes += b.strikes;
  return a;
}

}  // namespace

TEST_CASE("sessions survive any fault at any operation") {
  Totals totals;
  const std::vector<Fault> all(kFaults.begin(), kFaults.end());
  for (const Scenario& scenario : fault_scenarios()) totals = totals + sweep(scenario, SIZE_MAX, all);
  totals.print("one fault, every operation");
  CHECK(totals.runs > 1000);
}

TEST_CASE("sessions survive a fault at any piece of a message") {
  constexpr std::size_t kPieceBytes = 23;
  Totals totals;
  for (const Scenario& scenario : fault_scenarios()) {
    if (scenario.small)
      totals = totals + sweep(scenario, kPieceBytes, {Fault::reset, Fault::end_of_file, Fault::delivered, Fault::hang});
  }
  totals.print("one fault, messages in pieces");
  CHECK(totals.runs > 1000);
}

TEST_CASE("sessions survive two faults") {
  Totals totals;
  for (const Scenario& scenario : fault_scenarios()) {
    if (!scenario.small) continue;
    FaultPlan plan;
    plan.spare_shadow_connects = true;
    const auto operations = play(ground(), scenario, plan).operations;
    for (const auto& [first, second] : {std::pair{Fault::reset, Fault::hang}, std::pair{Fault::hang, Fault::reset},
                                        std::pair{Fault::end_of_file, Fault::reset}, std::pair{Fault::cut, Fault::cut},
                                        std::pair{Fault::delivered, Fault::delivered}}) {
      plan.fault = first;
      plan.second_fault = second;
      for (plan.at = 1; plan.at <= operations.size(); ++plan.at) {
        // As many more as the run has after the first fault.
        for (plan.second_at = plan.at + 1;; ++plan.second_at) {
          const RunResult result = play(ground(), scenario, plan);
          totals.add(result);
          check(result, scenario, plan);
          if (plan.second_at >= result.operations.size()) break;
        }
      }
    }
  }
  totals.print("two faults");
  CHECK(totals.runs > 1000);
}
