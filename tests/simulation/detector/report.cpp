#include "tests/simulation/detector/report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace phoenix::detector {
namespace {

std::string share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? "-" : fmt::format("{:.2f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::int64_t quantile_us(std::vector<std::int64_t> delays, double at) {
  if (delays.empty()) return 0;
  std::sort(delays.begin(), delays.end());
  return delays[static_cast<std::size_t>(at * static_cast<double>(delays.size() - 1))];
}

std::string control_line(const std::string& name, const RunFigures& run) {
  return fmt::format("| {} | {} | {} | {} | {} | {} ({}) | {} ({}) | {} |\n", name, run.received, run.excluded,
                     run.false_mismatches + run.consequences_flagged + run.account_verdicts,
                     fmt::format("{} ({})", run.reordered, run.reordered_flagged), run.unknown,
                     share(run.unknown, run.received - run.excluded), run.consequences, run.consequences_named,
                     run.open);
}

std::string labels_of(const ClassFigures& of) {
  if (of.labels.size() == 1 && of.labels.begin()->first.empty()) return "-";
  std::string text = share(of.labelled, of.found);
  if (of.among_alternatives > 0) text += fmt::format(" (+ {})", share(of.among_alternatives, of.found));
  return text;
}

std::string fault_line(const std::string& name, const ClassFigures& of, std::int64_t wrong) {
  return fmt::format("| {} | {} | {} | {} of {} | {} | {} | {} | {} | {} ms / {} ms |\n", name, of.injected, of.found,
                     of.undecided, of.explained, wrong, share(of.found, of.found + wrong), share(of.found, of.injected),
                     labels_of(of), quantile_us(of.delays_us, 0.5) / 1'000, quantile_us(of.delays_us, 0.99) / 1'000);
}

}  // namespace

std::string control_table(const std::vector<ScenarioResult>& controls) {
  if (controls.empty()) return "";
  std::string out =
      "| identical banks | exchanges | excluded | false mismatches | outcomes changed by order (called mismatch) | "
      "unknown | consequences (named) | open |\n|---|---:|---:|---:|---:|---:|---:|---:|\n";
  RunFigures all;
  for (const auto& [scenario, figures] : controls) {
    out += control_line(fmt::format("{}: {}", scenario.name, scenario.what), figures);
    all += figures;
  }
  out += control_line("**all**", all) + "\nReasons of `unknown`:\n\n";
  for (const auto& [scenario, figures] : controls) {
    for (const auto& [reason, count] : figures.unknown_reasons)
      out += fmt::format("- {}: {} × {}\n", scenario.name, count, reason);
  }
  return out + "\n";
}

std::string fault_table(const std::vector<ScenarioResult>& runs) {
  if (runs.empty()) return "";
  std::string out =
      "| class | injected | found | undecided | false | precision | recall | labelled right | time to verdict p50 / "
      "p99 |\n"
      "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
  for (const auto& [scenario, figures] : runs) {
    const std::int64_t wrong = figures.false_mismatches;
    if (scenario.faults.size() == 1) {
      const auto of = figures.classes.find(*scenario.faults.begin());
      out += fault_line(fmt::format("{}: {}", scenario.name, scenario.what),
                        of == figures.classes.end() ? ClassFigures{} : of->second, wrong);
      continue;
    }
    ClassFigures sum;
    for (const auto& [fault, of] : figures.classes) {
      out += fault_line(fmt::format("{}: {}", scenario.name, name_of(fault)), of, 0);
      sum += of;
    }
    out += fault_line(fmt::format("{}: {}", scenario.name, scenario.what), sum, wrong);
  }
  out += "\nOther labels than expected:\n\n";
  for (const auto& [scenario, figures] : runs) {
    if (scenario.faults.size() > 1) continue;
    for (const auto& [fault, of] : figures.classes) {
      for (const auto& [label, count] : of.labels)
        if (label != expected_cause(fault)) out += fmt::format("- {}: {} × {}\n", name_of(fault), count, label);
    }
  }
  return out;
}

std::vector<std::string> missed_goals(const std::vector<ScenarioResult>& controls,
                                      const std::vector<ScenarioResult>& runs) {
  std::vector<std::string> missed;
  const auto miss = [&](const ScenarioResult& of, const std::string& what) {
    missed.push_back(fmt::format("{}: {}", of.scenario.name, what));
    for (const auto& offence : of.figures.offences) missed.push_back("  " + offence);
  };
  for (const auto& control : controls) {
    const RunFigures& run = control.figures;
    if (run.false_mismatches + run.consequences_flagged + run.account_verdicts + run.reordered_flagged > 0)
      miss(control, "false mismatches");
    const auto compared = static_cast<double>(run.received - run.excluded);
    if (static_cast<double>(run.unknown) * 100 > control.scenario.unknown_percent * compared)
      miss(control, fmt::format("more than {} % are unknown", control.scenario.unknown_percent));
    if (run.open > 0) miss(control, "exchanges were left open");
  }
  for (const auto& result : runs) {
    bool all_found = true, any = false;
    for (const auto& [fault, of] : result.figures.classes) {
      all_found = all_found && of.found + of.undecided == of.injected;
      any = any || of.injected > 0;
    }
    if (!any) miss(result, "nothing was injected, so that the run proves nothing");
    if (!all_found) miss(result, "not every fault was found that nothing else explains");
    if (result.figures.false_mismatches > 0) miss(result, "false mismatches");
  }
  return missed;
}

}  // namespace phoenix::detector
