// The tables of detector_bench, and which of its goals were missed. Pure.
#pragma once

#include <string>
#include <vector>

#include "tests/simulation/detector/arbiter_run.hpp"

namespace phoenix::detector {

struct ScenarioResult {
  Scenario scenario;
  RunFigures figures;
};

std::string control_table(const std::vector<ScenarioResult>& controls);
std::string fault_table(const std::vector<ScenarioResult>& runs);
/// One line a goal, with the seed and the first offence.
std::vector<std::string> missed_goals(const std::vector<ScenarioResult>& controls,
                                      const std::vector<ScenarioResult>& runs);

}  // namespace phoenix::detector
