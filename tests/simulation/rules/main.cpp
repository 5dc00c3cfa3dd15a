// rules_simulation: what each rule of docs/semantics.md prevents, by seeded schedules with and without it. Prints the
// table, and fails when a promise was broken with its rule, or when nothing went wrong without it.
//   rules_simulation [--seeds N] [--rule NAME]            seeds 1 … N (1000)
//   rules_simulation --seed N --rule NAME [--without]     one schedule again, with a trace
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <exception>
#include <optional>
#include <string_view>

#include "tests/simulation/rules/table.hpp"
#include "tests/simulation/rules/world.hpp"

namespace phoenix::simulation {
namespace {

struct Options {
  std::uint64_t seeds = 1000;
  std::optional<std::uint64_t> seed;
  std::string_view rule;
  bool without = false;
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0) return std::nullopt;
  return value;
}

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
    if (flag == "--without") {
      options.without = true;
    } else if (flag == "--rule" && !value.empty()) {
      options.rule = value;
      ++i;
    } else if ((flag == "--seeds" || flag == "--seed") && number(value)) {
      (flag == "--seed" ? options.seed.emplace() : options.seeds) = *number(value);
      ++i;
    } else {
      return std::nullopt;
    }
  }
  if (options.seed && options.rule.empty()) return std::nullopt;
  if (options.without && !options.seed) return std::nullopt;
  return options;
}

Rules rules_of(const RuleRow& row, bool without) {
  Rules rules = row.with;
  if (without) row.take_away(rules);
  return rules;
}

/// One line for each promise that this schedule broke.
int report_broken(const RuleRow& row, const Figures& figures, std::uint64_t seed) {
  int broken = 0;
  for (const Figure promised : row.promises) {
    if (figures.*promised == 0) continue;
    ++broken;
    fmt::print(stderr, "broken promise: rule {}, {}: {}; again: build/bin/rules_simulation --seed {} --rule {}\n",
               row.name, name_of(promised), figures.*promised, seed, row.name);
  }
  return broken;
}

int run_row(RowResult& result, std::uint64_t seeds) {
  int failures = 0;
  const RuleRow& row = result.row;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Figures with = run_schedule(row.schedule, rules_of(row, false), seed, false);
    if (failures < 10) failures += report_broken(row, with, seed);
    result.with += with;
    result.without += run_schedule(row.schedule, rules_of(row, true), seed, false);
  }
  for (const Figure shown : row.shows) {
    if (result.without.*shown > 0) continue;
    ++failures;
    fmt::print(stderr, "rule {}: no {} without it, so that its row proves nothing\n", row.name, name_of(shown));
  }
  return failures;
}

int replay(const RuleRow& row, const Options& options) {
  const Figures figures = run_schedule(row.schedule, rules_of(row, options.without), *options.seed, true);
  fmt::print("{}", table_line(row.name, figures, row.besides));
  return options.without ? 0 : report_broken(row, figures, *options.seed);
}

int no_such_rule(std::string_view rule) {
  fmt::print(stderr, "rules_simulation: no rule is called {}; there are:", rule);
  for (const RuleRow& row : rule_rows()) fmt::print(stderr, " {}", row.name);
  fmt::print(stderr, "\n");
  return 2;
}

int run(const Options& options) {
  std::vector<RowResult> results;
  int failures = 0;
  for (const RuleRow& row : rule_rows()) {
    if (!options.rule.empty() && options.rule != row.name) continue;
    if (options.seed) return replay(row, options) == 0 ? 0 : 1;
    failures += run_row(results.emplace_back(RowResult{row, {}, {}}), options.seeds);
  }
  if (results.empty()) return no_such_rule(options.rule);
  fmt::print("{}", markdown(results));
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace phoenix::simulation

int main(int argc, char** argv) {
  const auto options = phoenix::simulation::parse(argc, argv);
  if (!options) {
    fmt::print(stderr, "usage: rules_simulation [--seeds N] [--rule NAME] | --seed N --rule NAME [--without]\n");
    return 2;
  }
  try {
    return phoenix::simulation::run(*options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "rules_simulation: {}\n", error.what());
    return 1;
  }
}
