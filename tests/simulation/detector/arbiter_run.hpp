// One run of the test bed before the real DecisionCore: feeds it the log as it grows, keeps its verdicts, and holds
// them against the truth.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/model/verdict.hpp"
#include "tests/simulation/detector/arbiter_reader.hpp"
#include "tests/simulation/detector/scenario.hpp"

namespace phoenix::detector {

/// Of one class of faults.
struct ClassFigures {
  std::int64_t injected = 0;            ///< exchanges that differ by it and whose legs were both answered
  std::int64_t found = 0;               ///< inconsistent, or order_dependent where the order is the fault
  std::int64_t undecided = 0;           ///< of `explained`: unknown or order_dependent; the others must be found
  std::int64_t explained = 0;           ///< something else would explain them as well (Truth::Fate)
  std::int64_t labelled = 0;            ///< found, and labelled right
  std::int64_t among_alternatives = 0;  ///< labelled otherwise, the right label among those named as indistinguishable
  std::int64_t uncompared = 0;          ///< beside `injected`: excluded beforehand, or a leg was lost
  std::map<std::string, std::int64_t> labels{};
  std::vector<std::int64_t> delays_us{};  ///< from the exchange's end to its verdict, event time
  ClassFigures& operator+=(const ClassFigures& more);
};

struct RunFigures {
  std::int64_t received = 0, excluded = 0, decided = 0, unknown = 0, open = 0;
  std::int64_t false_mismatches = 0;
  std::int64_t consequences = 0, consequences_named = 0, consequences_flagged = 0;
  std::int64_t reordered = 0, reordered_flagged = 0;  ///< an order of commits changed the outcome; called a mismatch
  std::int64_t account_verdicts = 0;                  ///< inconsistent verdicts on an account alone
  std::map<Fault, ClassFigures> classes{};
  std::map<std::string, std::int64_t> unknown_reasons{};
  std::vector<std::string> offences{};  ///< the first few, one line each
  RunFigures& operator+=(const RunFigures& more);
};

struct RunOptions {
  std::uint64_t seed = 1;
  std::int64_t exchanges = 10'000;
  StateSource source = StateSource::capture;
  std::set<int> traced{};  ///< accounts of which everything is printed
};

RunFigures run_scenario(const Scenario& scenario, const RunOptions& options);

}  // namespace phoenix::detector
