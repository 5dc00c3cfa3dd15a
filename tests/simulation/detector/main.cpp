// The detector, measured: how many of the faults of a rewrite the arbiter finds, and how often it accuses an innocent
// one. README.md has the table.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "tests/simulation/detector/arbiter_run.hpp"
#include "tests/simulation/detector/report.hpp"

namespace phoenix::detector {
namespace {

constexpr const char* kUsage =
    "usage: detector_bench [--clean N] [--exchanges N] [--seeds N | --seed N] [--class NAME] [--source capture|query]\n"
    "  --clean N      exchanges of identical banks, over all stresses and seeds (default 40000)\n"
    "  --exchanges N  of each class and seed (default 4000)\n"
    "  --seeds N      seeds 1 to N (default 1); --seed N: that one alone, to replay\n"
    "  --class NAME   one stress or one class of faults alone\n"
    "  --account N    prints all that happens to this account\n";

struct Options {
  std::int64_t clean = 40'000, exchanges = 4'000;
  std::uint64_t first_seed = 1, seeds = 1;
  std::string only;
  StateSource source = StateSource::capture;
  std::set<int> traced;
};

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i], value = argv[i + 1];
    const auto number = [&] { return std::strtoll(argv[i + 1], nullptr, 10); };
    if (name == "--clean" && number() > 0) {
      options.clean = number();
    } else if (name == "--exchanges" && number() > 0) {
      options.exchanges = number();
    } else if (name == "--seeds" && number() > 0) {
      options.seeds = static_cast<std::uint64_t>(number());
    } else if (name == "--seed" && number() > 0) {
      options.first_seed = static_cast<std::uint64_t>(number());
    } else if (name == "--class") {
      options.only = value;
    } else if (name == "--account" && number() > 0) {
      options.traced.insert(static_cast<int>(number()));
    } else if (name == "--source" && (value == "capture" || value == "query")) {
      options.source = value == "query" ? StateSource::query : StateSource::capture;
    } else {
      return std::nullopt;
    }
  }
  return argc % 2 == 1 ? std::optional(options) : std::nullopt;
}

std::vector<ScenarioResult> run_all(const std::vector<Scenario>& scenarios, const Options& options,
                                    std::int64_t exchanges) {
  std::vector<ScenarioResult> results;
  for (const Scenario& scenario : scenarios) {
    if (!options.only.empty() && options.only != scenario.name) continue;
    ScenarioResult& result = results.emplace_back(ScenarioResult{scenario, {}});
    for (std::uint64_t i = 0; i < options.seeds; ++i) {
      result.figures += run_scenario(scenario, {options.first_seed + i, exchanges, options.source, options.traced});
    }
  }
  return results;
}

int run(const Options& options) {
  const auto clean = clean_scenarios();
  const auto runs = static_cast<std::int64_t>(options.only.empty() ? clean.size() * options.seeds : options.seeds);
  const auto controls = run_all(clean, options, (options.clean + runs - 1) / runs);
  const auto faults = run_all(fault_scenarios(), options, options.exchanges);
  if (controls.empty() && faults.empty()) {
    fmt::print(stderr, "detector_bench: no stress and no class of faults is called {}\n", options.only);
    return 2;
  }
  fmt::print("{}", control_table(controls));
  fmt::print("{}", fault_table(faults));
  std::fflush(stdout);
  const auto missed = missed_goals(controls, faults);
  for (const auto& goal : missed) fmt::print(stderr, "{}\n", goal);
  return missed.empty() ? 0 : 1;
}

}  // namespace
}  // namespace phoenix::detector

int main(int argc, char** argv) {
  const auto options = phoenix::detector::parse(argc, argv);
  if (!options) {
    fmt::print(stderr, "{}", phoenix::detector::kUsage);
    return 2;
  }
  try {
    return phoenix::detector::run(*options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "detector_bench: {}\n", error.what());
    return 1;
  }
}
