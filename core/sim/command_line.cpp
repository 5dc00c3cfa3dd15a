#include "core/sim/command_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>

namespace phoenix {

namespace {

const OptionSpec* find_spec(const std::vector<OptionSpec>& specs, std::string_view name) {
  const auto at = std::find_if(specs.begin(), specs.end(), [&](const OptionSpec& spec) { return spec.name == name; });
  return at == specs.end() ? nullptr : &*at;
}

}  // namespace

Result<std::map<std::string, std::string>> parse_options(const std::vector<std::string>& arguments,
                                                         const std::vector<OptionSpec>& specs) {
  std::map<std::string, std::string> options;
  for (const auto& spec : specs)
    if (!spec.default_value.empty()) options[spec.name] = spec.default_value;

  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument.size() < 3 || argument.compare(0, 2, "--") != 0)
      return invalid_input(fmt::format("unexpected argument '{}'; see --help", argument));
    const auto equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    const bool common = name == "help" || name == "version";
    const OptionSpec* spec = find_spec(specs, name);
    if (!spec && !common) return invalid_input(fmt::format("unknown option '--{}'; see --help", name));

    if (common || spec->value_name.empty()) {
      if (equals != std::string::npos) return invalid_input(fmt::format("option --{} takes no value", name));
      options[name] = "true";
    } else if (equals != std::string::npos) {
      options[name] = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      options[name] = arguments[++i];
    } else {
      return invalid_input(fmt::format("option --{} needs a value ({})", name, spec->value_name));
    }
  }
  return options;
}

std::string help_text(const std::string& program, const std::string& description,
                      const std::vector<OptionSpec>& specs) {
  std::string text = fmt::format("{} {}: {}\n\n", program, PHOENIX_VERSION, description);
  auto line = [&text](const std::string& left, const std::string& right) {
    text += fmt::format("  {:<32} {}\n", left, right);
  };
  for (const auto& spec : specs) {
    const std::string left = "--" + spec.name + (spec.value_name.empty() ? std::string() : " " + spec.value_name);
    line(left, spec.default_value.empty() ? spec.help : fmt::format("{} (default {})", spec.help, spec.default_value));
  }
  line("--version", "print the version");
  line("--help", "print this text");
  return text;
}

Result<std::int64_t> parse_whole_number(std::string_view option, std::string_view text, std::int64_t least,
                                        std::int64_t most) {
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || value < least || value > most)
    return invalid_input(
        fmt::format("option --{}: '{}' is not a whole number from {} to {}", option, text, least, most));
  return value;
}

int run_with_options(int argc, char** argv, const std::string& program, const std::string& description,
                     const std::vector<OptionSpec>& specs,
                     const std::function<int(const std::map<std::string, std::string>&)>& body) {
  auto fail = [&program](const std::string& message, int status) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), message.c_str());
    return status;
  };
  const auto options = parse_options(std::vector<std::string>(argv + 1, argv + argc), specs);
  if (!options) return fail(options.error().message, 2);
  if (options->count("help")) {
    std::fputs(help_text(program, description, specs).c_str(), stdout);
    return 0;
  }
  if (options->count("version")) {
    std::printf("%s %s\n", program.c_str(), PHOENIX_VERSION);
    return 0;
  }
  try {
    return body(*options);
  } catch (const Failure& failure) {
    return fail(failure.what(), failure.code() == ErrorCode::invalid_input ? 2 : 1);
  } catch (const std::exception& error) {
    return fail(error.what(), 1);
  }
}

}  // namespace phoenix
