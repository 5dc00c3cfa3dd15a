// The command line of phoenixctl. Pure: arguments in, options or one clear line out.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/model/result.hpp"

namespace phoenix::orchestrator::cli {

struct Options {
  std::string command;                        ///< "status", "weight set", "config check", …
  std::vector<std::string> arguments;         ///< SLICE, PERCENT, FILE, EXCHANGE_ID
  std::map<std::string, std::string> values;  ///< --name VALUE
  std::set<std::string> flags;                ///< --name

  [[nodiscard]] bool has(const std::string& flag) const { return flags.count(flag) != 0; }
  /// The value of an option; empty when not given.
  [[nodiscard]] std::string value(const std::string& name) const;
};

/// Errors name the argument and the nearest valid one. `--help` and `--version` are flags without a command.
Result<Options> parse_options(const std::vector<std::string>& arguments);

std::string usage();

}  // namespace phoenix::orchestrator::cli
