// The table in Markdown: one pair of lines for each rule, with it and without it, and the notes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/rules/rule_rows.hpp"

namespace phoenix::simulation {

struct RowResult {
  RuleRow row;
  Figures with, without;
};

[[nodiscard]] std::string table_line(std::string_view what, const Figures& figures, const std::vector<Figure>& besides);
[[nodiscard]] std::string markdown(const std::vector<RowResult>& results);

}  // namespace phoenix::simulation
