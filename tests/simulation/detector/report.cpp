#include "tests/simulation/detector/report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace phoenix::detector {
namespace {

// Of a class that has at least so many. The lowest measured is 89 %, of status_split.
constexpr std::int64_t kLeastFoundPercent = 85, kFewestForAFloor = 20;

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

std::vector<std::string> missed_by_control(const ScenarioResult& control) {
  const RunFigures& run = control.figures;
  std::vector<std::string> missed;
  if (run.false_mismatches + run.consequences_flagged + run.account_verdicts + run.reordered_flagged > 0)
    missed.emplace_back("false mismatches");
  const auto compared = static_cast<double>(run.received - run.excluded);
  if (static_cast<double>(run.unknown) * 100 > control.scenario.unknown_percent * compared)
    missed.push_back(fmt::format("more than {} % are unknown", control.scenario.unknown_percent));
  if (run.open > 0) missed.emplace_back("exchanges were left open");
  return missed;
}

bool too_few(const ClassFigures& of) {
  return of.injected >= kFewestForAFloor && of.found * 100 < of.injected * kLeastFoundPercent;
}

/// What follows from a fault may rightly be accused, and so may an account alone.
std::vector<std::string> missed_by_faults(const ScenarioResult& result) {
  const RunFigures& run = result.figures;
  std::vector<std::string> missed;
  ClassFigures sum;
  bool all_found = true;
  for (const auto& [fault, of] : run.classes) {
    all_found = all_found && of.found + of.undecided == of.injected;
    if (too_few(of)) missed.push_back(fmt::format("less than {} % of {} found", kLeastFoundPercent, name_of(fault)));
    sum += of;
  }
  if (sum.injected == 0) missed.emplace_back("nothing was injected, so that the run proves nothing");
  if (!all_found) missed.emplace_back("not every fault was found that nothing else explains");
  if (run.classes.size() > 1 && too_few(sum))
    missed.push_back(fmt::format("less than {} % of all faults found", kLeastFoundPercent));
  if (run.false_mismatches > 0) missed.emplace_back("false mismatches");
  if (run.reordered_flagged > 0) missed.emplace_back("an order of commits was called a mismatch");
  if (run.open > 0) missed.emplace_back("exchanges were left open");
  return missed;
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
  const auto report = [&](const ScenarioResult& of, const std::vector<std::string>& goals) {
    for (const auto& goal : goals) missed.push_back(fmt::format("{}: {}", of.scenario.name, goal));
    if (goals.empty()) return;
    for (const auto& offence : of.figures.offences) missed.push_back("  " + offence);
  };
  for (const auto& control : controls) report(control, missed_by_control(control));
  for (const auto& run : runs) report(run, missed_by_faults(run));
  return missed;
}

}  // namespace phoenix::detector
