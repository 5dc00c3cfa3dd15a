#include "orchestrator/cli/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace phoenix::orchestrator::cli {
namespace {

struct Command {
  std::string name;
  std::vector<std::string> arguments;  // "[X]" may be left out
  std::set<std::string> values;
  std::set<std::string> flags;
  std::set<std::string> required;
  std::string help;
};

const std::set<std::string> kCommonValues{"config", "api"};
const std::set<std::string> kCommonFlags{"json", "help", "version"};

const std::vector<Command>& commands() {
  static const std::vector<Command> kCommands{
      {"status", {}, {}, {"watch"}, {}, "slices, scores, gateways and why nothing rises; --watch redraws each second"},
      {"weight set", {"SLICE", "PERCENT"}, {"reason", "by"}, {}, {}, "set the weight by hand, 0 to 100"},
      {"pause", {"SLICE"}, {"reason", "by"}, {}, {}, "stop raising; the kill switch stays armed"},
      {"resume", {"SLICE"}, {"reason", "by"}, {}, {}, "raise again"},
      {"approve", {"SLICE"}, {"reason", "by"}, {}, {}, "let one raise of a paused slice pass"},
      {"kill",
       {"[SLICE]"},
       {"reason", "by"},
       {"direct"},
       {"reason"},
       "all to legacy, at once (SLICE left out: everything); --direct asks the gateways themselves"},
      {"reset", {"SLICE"}, {"reason", "by"}, {}, {"reason"}, "clear the latch of a kill; the ramp starts again"},
      {"promote", {"SLICE"}, {"reason", "by"}, {}, {}, "modern serves, legacy becomes the shadow"},
      {"retire",
       {"SLICE"},
       {"reason", "by"},
       {"yes-retire-*"},
       {},
       "modern only, no way back; needs --yes-retire-SLICE"},
      {"verdicts",
       {},
       {"slice", "route", "kind", "account", "since", "limit"},
       {},
       {},
       "what was compared; --since 15m or a time stamp"},
      {"causes",
       {},
       {"slice", "limit"},
       {},
       {},
       "why the two sides differ: mismatches taken together, and what they share"},
      {"noise",
       {},
       {"slice"},
       {},
       {},
       "fields that differ when legacy is asked twice, and rules that would excuse them"},
      {"explain",
       {"EXCHANGE_ID"},
       {},
       {},
       {},
       "one exchange: the request, both answers, postings and balances, and the likely cause"},
      {"drift", {}, {}, {}, {}, "accounts whose balances do not agree"},
      {"history",
       {},
       {"limit"},
       {"verify"},
       {},
       "who moved traffic, when, on which evidence; --verify checks the chain"},
      {"gateway reload",
       {},
       {"gateway"},
       {},
       {},
       "let the gateways read their configuration file again; --gateway HOST:PORT (admin address) asks one alone"},
      {"gateway keys",
       {},
       {"gateway", "slice", "limit"},
       {},
       {},
       "keys that a backend lacks writes of: behind (on their way) or incomplete (lost, uncertain, answered "
       "differently)"},
      {"gateway complete",
       {"SLICE", "BACKEND", "KEY"},
       {"gateway", "reason", "by"},
       {},
       {"reason"},
       "the key's data were brought over (KEY '*': all of the slice): BACKEND may serve it again"},
      {"sweep",
       {"[ID]"},
       {"slice", "by"},
       {"watch", "status", "cancel"},
       {},
       "compare both ledgers in full; --watch stays until it is over, --status lists, an ID shows one"},
      {"resync",
       {"KEY"},
       {"slice", "from", "reason", "by"},
       {"apply"},
       {"slice", "reason"},
       "bring one account over from the side that served its last write; shows what it would do unless --apply"},
      {"config check", {"FILE"}, {}, {}, {}, "validate a configuration"},
  };
  return kCommands;
}

std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

/// "; did you mean 'x'?" when something is near.
std::string suggestion(const std::string& given, const std::vector<std::string>& known, const std::string& prefix) {
  const auto best = std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) {
    return distance(given, a) < distance(given, b);
  });
  if (best == known.end() || distance(given, *best) > std::max<std::size_t>(2, given.size() / 3))
    return "; see phoenixctl --help";
  return fmt::format("; did you mean '{}{}'?", prefix, *best);
}

const Command* find_command(const std::string& name) {
  const auto it = std::find_if(commands().begin(), commands().end(), [&](const auto& c) { return c.name == name; });
  return it == commands().end() ? nullptr : &*it;
}

bool known_flag(const std::set<std::string>& flags, const std::string& name) {
  return std::any_of(flags.begin(), flags.end(), [&](const std::string& flag) {
    return flag.ends_with('*') ? name.starts_with(flag.substr(0, flag.size() - 1)) : flag == name;
  });
}

/// Takes the command's one or two words off `words`.
Result<const Command*> take_command(std::vector<std::string>& words) {
  if (words.empty()) return invalid_input("no command given; see phoenixctl --help");
  if (words.size() >= 2) {
    if (const auto* command = find_command(words[0] + " " + words[1])) {
      words.erase(words.begin(), words.begin() + 2);
      return command;
    }
  }
  if (const auto* command = find_command(words[0])) {
    words.erase(words.begin());
    return command;
  }
  for (const auto& command : commands()) {
    if (command.name.starts_with(words[0] + " ")) {
      return invalid_input(fmt::format("'{}' needs its second word: phoenixctl {} {}", words[0], command.name,
                                       fmt::join(command.arguments, " ")));
    }
  }
  std::vector<std::string> names;
  for (const auto& command : commands()) names.push_back(command.name);
  return invalid_input(fmt::format("unknown command '{}'{}", words[0], suggestion(words[0], names, "phoenixctl ")));
}

Result<bool> check_arguments(const Command& command, const Options& options) {
  const auto optional = static_cast<std::size_t>(std::count_if(command.arguments.begin(), command.arguments.end(),
                                                               [](const auto& a) { return a.starts_with('['); }));
  const std::size_t given = options.arguments.size();
  if (given > command.arguments.size() || given + optional < command.arguments.size()) {
    return invalid_input(fmt::format("usage: phoenixctl {}{}{}", command.name, command.arguments.empty() ? "" : " ",
                                     fmt::join(command.arguments, " ")));
  }
  for (const auto& name : command.required) {
    if (options.value(name).empty())
      return invalid_input(fmt::format("{} needs --{} TEXT: it goes into the audit record", command.name, name));
  }
  return true;
}

struct RawOption {
  std::string name;
  std::string value;
  bool has_value = false;
};

}  // namespace

std::string Options::value(const std::string& name) const {
  const auto it = values.find(name);
  return it == values.end() ? "" : it->second;
}

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  // Which options take a value does not depend on the command, so that options may stand anywhere.
  std::set<std::string> all_values = kCommonValues;
  for (const auto& command : commands()) all_values.insert(command.values.begin(), command.values.end());

  std::vector<std::string> words;
  std::vector<RawOption> raw;
  bool options_ended = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--" && !options_ended) {
      options_ended = true;
    } else if (options_ended || !argument.starts_with("--")) {
      if (argument == "-h")
        raw.push_back({"help", "", false});
      else
        words.push_back(argument);
    } else {
      const std::size_t equals = argument.find('=');
      RawOption option{argument.substr(2, equals == std::string::npos ? equals : equals - 2), "",
                       equals != std::string::npos};
      if (option.has_value)
        option.value = argument.substr(equals + 1);
      else if (all_values.count(option.name) != 0) {
        if (i + 1 == arguments.size()) return invalid_input(fmt::format("--{} needs a value", option.name));
        option.value = arguments[++i];
        option.has_value = true;
      }
      raw.push_back(std::move(option));
    }
  }

  Options options;
  for (const auto& option : raw) {
    if (option.name == "help" || option.name == "version") {
      options.flags.insert(option.name);
      return options;
    }
  }
  const auto command = take_command(words);
  if (!command) return command.error();
  options.command = (*command)->name;
  options.arguments = std::move(words);

  std::set<std::string> values = kCommonValues, flags = kCommonFlags;
  values.insert((*command)->values.begin(), (*command)->values.end());
  flags.insert((*command)->flags.begin(), (*command)->flags.end());
  for (const auto& option : raw) {
    if (values.count(option.name) != 0 && option.has_value) {
      options.values[option.name] = option.value;
    } else if (known_flag(flags, option.name) && !option.has_value) {
      options.flags.insert(option.name);
    } else if (values.count(option.name) != 0 || known_flag(flags, option.name)) {
      return invalid_input(fmt::format("--{} {}", option.name, option.has_value ? "takes no value" : "needs a value"));
    } else {
      std::vector<std::string> known(values.begin(), values.end());
      known.insert(known.end(), flags.begin(), flags.end());
      return invalid_input(
          fmt::format("{} has no option --{}{}", options.command, option.name, suggestion(option.name, known, "--")));
    }
  }
  if (const auto checked = check_arguments(**command, options); !checked) return checked.error();
  return options;
}

std::string usage() {
  std::string text =
      "phoenixctl: watch and steer a migration\n\nusage: phoenixctl [--config FILE | --api HOST:PORT] [--json] "
      "COMMAND\n\ncommands:\n";
  for (const auto& command : commands()) {
    std::string line = command.name;
    for (const auto& argument : command.arguments) line += " " + argument;
    for (const auto& name : command.values) {
      line += command.required.count(name) != 0 ? fmt::format(" --{} TEXT", name) : fmt::format(" [--{} X]", name);
    }
    for (const auto& flag : command.flags) {
      line += flag.ends_with('*') ? fmt::format(" --{}SLICE", flag.substr(0, flag.size() - 1))
                                  : fmt::format(" [--{}]", flag);
    }
    text += fmt::format("  {}\n      {}\n", line, command.help);
  }
  return text +
         "\noptions:\n"
         "  --config FILE    where the orchestrator and the gateways are (default: $PHOENIX_CONFIG, else "
         "./phoenix.yml)\n"
         "  --api HOST:PORT  the orchestrator's API, instead of what the configuration says\n"
         "  --json           machine-readable output\n"
         "  --by NAME        who acts (default: $SUDO_USER, else $USER, else the login name)\n"
         "\nExit status 0 only when it was done and acknowledged.\n";
}

}  // namespace phoenix::orchestrator::cli
