#include "tests/simulation/rules/table.hpp"

#include <fmt/format.h>

namespace phoenix::simulation {
std::string table_line(std::string_view what, const Figures& figures, const std::vector<Figure>& besides) {
  std::string more;
  for (const Figure figure : besides)
    more += fmt::format("{}{} {}", more.empty() ? "" : ", ", name_of(figure), figures.*figure);
  return fmt::format("| {} | {} | {} | {} ({}) | {} | {} | {} | {} | {} | {} | {:.1f} | {} |\n", what,
                     figures.exchanges, figures.stale_reads, figures.splits, figures.unexplained_splits,
                     figures.unequal, figures.incomplete, figures.doubled, figures.lost, figures.waits, figures.refused,
                     static_cast<double>(figures.waited_us) / 1e6, more);
}

std::string markdown(const std::vector<RowResult>& results) {
  std::string out =
      "| rule | exchanges | stale reads | splits (unannounced) | unequal | incomplete | doubled | lost | waits | 503 "
      "| waited s | besides |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n";
  for (const RowResult& result : results) {
    out += table_line(fmt::format("**{}**", result.row.rule), result.with, result.row.besides);
    out += table_line(fmt::format("without: {}", result.row.without), result.without, result.row.besides);
  }
  out += "\nSchedules, beside latency, jitter and clients that spend what they were told:\n\n";
  for (const RowResult& result : results) {
    out += fmt::format("- {} (`{}`): {}.", result.row.rule, result.row.name, result.row.schedule_text);
    if (!result.row.note.empty()) out += fmt::format(" Note: {}.", result.row.note);
    out += '\n';
  }
  return out;
}

}  // namespace phoenix::simulation
