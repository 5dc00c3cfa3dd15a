// Command-line options of programs that need no configuration file: `--name value`, `--name=value`, `--flag`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/result.hpp"

namespace phoenix {

struct OptionSpec {
  std::string name;        ///< without the dashes
  std::string value_name;  ///< shown in the help; empty: a flag that takes no value
  std::string help;
  std::string default_value;
};

/// What was given, by name; flags that are set have the value "true"; defaults are filled in. `--help` and `--version`
/// are always known. An unknown option, a missing value or a stray argument is an `invalid_input` error.
Result<std::map<std::string, std::string>> parse_options(const std::vector<std::string>& arguments,
                                                         const std::vector<OptionSpec>& specs);

std::string help_text(const std::string& program, const std::string& description, const std::vector<OptionSpec>& specs);

/// A whole number within [least, most]; the error names the option.
Result<std::int64_t> parse_whole_number(std::string_view option, std::string_view text, std::int64_t least,
                                        std::int64_t most);

/// Handles --help and --version and calls `body` with the options. Every failure ends in one line on stderr,
/// `NAME: message`: exit status 2 for wrong options, 1 for what goes wrong later.
int run_with_options(int argc, char** argv, const std::string& program, const std::string& description,
                     const std::vector<OptionSpec>& specs,
                     const std::function<int(const std::map<std::string, std::string>&)>& body);

}  // namespace phoenix
