// The rows of the table: for each rule a schedule that provokes it, how to take the rule away, what the rule promises
// and what must go wrong without it.
#pragma once

#include <string_view>
#include <vector>

#include "tests/simulation/rules/oracle.hpp"
#include "tests/simulation/rules/schedule.hpp"

namespace phoenix::simulation {

using Figure = long Figures::*;

struct RuleRow {
  std::string_view name;     ///< for --rule
  std::string_view rule;     ///< as the table says it
  std::string_view without;  ///< what holds in its place
  std::string_view schedule_text;
  Schedule schedule{};
  Rules with{};
  void (*take_away)(Rules&) = nullptr;
  std::vector<Figure> promises{};  ///< zero with the rule
  std::vector<Figure> shows{};     ///< above zero without it
  std::vector<Figure> besides{};   ///< shown in the last column
  std::string_view note{};
};

[[nodiscard]] std::vector<RuleRow> rule_rows();
[[nodiscard]] std::string_view name_of(Figure figure);

}  // namespace phoenix::simulation
