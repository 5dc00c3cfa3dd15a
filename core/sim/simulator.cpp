#include "core/sim/simulator.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include "core/runtime/log.hpp"
#include "core/sim/command_line.hpp"

namespace phoenix::sim {

namespace {

std::string flavour_names(const SimulatorKind& kind) {
  std::string names;
  for (const auto& flavour : kind.flavours) names += (names.empty() ? "" : ", ") + flavour.name;
  return names;
}

std::vector<OptionSpec> option_specs(const SimulatorKind& kind) {
  std::vector<OptionSpec> specs{
      {"listen", "HOST:PORT", "where to serve; port 0 takes a free one", kind.default_listen},
      {"database", "URL", "Postgres; the database is created when missing", kind.default_database},
      {"flavour", "NAME", "which bank to be: " + flavour_names(kind), kind.flavours.front().name},
      {"seed-accounts", "N", "accounts 1..N to exist from the start", "0"},
      {"threads", "N", "requests worked on at once", "16"}};
  if (kind.knows_bug_compatible)
    specs.push_back({"bug-compatible", "", "reproduce legacy's fees and interest to the cent", ""});
  return specs;
}

SimulatorOptions read_options(const SimulatorKind& kind, const std::map<std::string, std::string>& given) {
  const auto listen = config::parse_endpoint(given.at("listen"));
  if (!listen) throw Failure(ErrorCode::invalid_input, "option --listen: " + listen.error().message);
  SimulatorOptions options;
  options.flavour = kind.flavour(given.at("flavour")).name;
  options.listen = *listen;
  options.database = given.at("database");
  options.seed_accounts = parse_whole_number("seed-accounts", given.at("seed-accounts"), 0, 10'000'000).value();
  options.threads = static_cast<int>(parse_whole_number("threads", given.at("threads"), 1, 200).value());
  options.bug_compatible = given.count("bug-compatible") != 0;
  return options;
}

/// The signals are blocked before any thread starts, so that only sigwait() takes them.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  void wait() const {
    int signal = 0;
    while (sigwait(&signals_, &signal) != 0) {
    }
  }

 private:
  sigset_t signals_{};
};

}  // namespace

const Flavour& SimulatorKind::flavour(const std::string& name) const {
  if (name.empty()) return flavours.front();
  for (const auto& flavour : flavours)
    if (flavour.name == name) return flavour;
  throw Failure(ErrorCode::invalid_input,
                fmt::format("option --flavour: unknown flavour '{}'; there are: {}", name, flavour_names(*this)));
}

Simulator::Simulator(const SimulatorKind& kind, const SimulatorOptions& options)
    : faults_(kind.knows_bug_compatible, options.bug_compatible),
      bank_(kind.flavour(options.flavour).make_bank(options, faults_)),
      api_(kind.program, *bank_, faults_),
      server_({.listen = options.listen, .handler_threads = options.threads},
              [this](const http::Request& request) { return api_(request); }) {}

int run_simulator(int argc, char** argv, const SimulatorKind& kind) {
  return run_with_options(argc, argv, kind.program, kind.description, option_specs(kind), [&](const auto& given) {
    log::init(kind.program);
    const SimulatorOptions options = read_options(kind, given);
    const StopSignals stop;
    const Simulator simulator(kind, options);
    std::printf("listening on %s\n", simulator.endpoint().to_string().c_str());
    std::fflush(stdout);
    stop.wait();
    return 0;
  });
}

}  // namespace phoenix::sim
