#include "core/runtime/program.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>
#include <string_view>

#include "core/runtime/log.hpp"

namespace phoenix {
namespace {

int make_event() {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw Failure(ErrorCode::internal, "cannot create an event descriptor");
  return fd;
}

// Event descriptors that are written and never read: once readable they stay so, for any number of waiting threads.
int stop_event() {
  static const int descriptor = make_event();
  return descriptor;
}
int second_stop_event() {
  static const int descriptor = make_event();
  return descriptor;
}
// This one is read by who waits for it.
int reload_event() {
  static const int descriptor = make_event();
  return descriptor;
}

void notify(int event) {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then it is readable already.
  [[maybe_unused]] const auto written = write(event, &one, sizeof one);
}

extern "C" void on_stop_signal(int) {
  const int saved_errno = errno;
  StopSignal::request();
  errno = saved_errno;
}

extern "C" void on_reload_signal(int) {
  const int saved_errno = errno;
  notify(reload_event());
  errno = saved_errno;
}

/// True when the event has come. A negative time waits for ever.
bool poll_event(int event, int timeout_ms) {
  pollfd entry{event, POLLIN, 0};
  return poll(&entry, 1, timeout_ms) > 0;
}
bool poll_stop(int timeout_ms) {
  return poll_event(stop_event(), timeout_ms);
}

bool poll_until(int event, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (poll_event(event, left > 0 ? static_cast<int>(std::min<std::int64_t>(left, 3'600'000)) : 0)) return true;
    if (left <= 0) return false;
  }
}

enum class Action { run, check_config, print_version, print_help };

struct CommandLine {
  Action action = Action::run;
  std::string config_file;
  std::string error;  ///< not empty: what is wrong
};

CommandLine parse_command_line(int argc, char** argv) {
  CommandLine line;
  bool check = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") return {Action::print_help, {}, {}};
    if (argument == "--version") return {Action::print_version, {}, {}};
    if (argument == "--check-config") {
      check = true;
    } else if (argument == "--config") {
      if (i + 1 == argc) return {Action::run, {}, "--config needs a file"};
      line.config_file = argv[++i];
    } else if (argument.starts_with("--config=")) {
      line.config_file = argument.substr(std::string_view("--config=").size());
    } else {
      return {Action::run, {}, fmt::format("unknown argument '{}' (see --help)", argument)};
    }
  }
  if (line.config_file.empty()) line.error = "--config FILE is required (see --help)";
  if (check) line.action = Action::check_config;
  return line;
}

void print_help(const std::string& name, const std::string& description) {
  fmt::print(
      "{0}: {1}\n\n"
      "Usage: {0} --config FILE [--check-config]\n\n"
      "  --config FILE    configuration of all programs (phoenix.yml)\n"
      "  --check-config   validate the configuration and exit\n"
      "  --version        print the version and exit\n"
      "  --help           print this text and exit\n\n"
      "SIGTERM and SIGINT stop the program. PHOENIX_LOG=debug|info|warn|error sets what is logged to stderr.\n",
      name, description);
}

int fail(const std::string& name, std::string_view message, int status) {
  fmt::print(stderr, "{}: {}\n", name, message);
  return status;
}

int guarded(const std::string& name, const std::function<int()>& body) {
  try {
    return body();
  } catch (const std::exception& exception) {
    return fail(name, exception.what(), kExitFailure);
  } catch (...) {
    return fail(name, "unknown exception", kExitFailure);
  }
}

}  // namespace

void StopSignal::install() {
  stop_event();  // created here, because a signal handler may not do it
  second_stop_event();
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  // A peer that went away is an error of the write, not the end of the program.
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
  sigaction(SIGXFSZ, &action, nullptr);  // a file beyond the process's limit is a write that failed
}

void StopSignal::request() {
  static std::atomic<int> requests{0};
  notify(requests.fetch_add(1) == 0 ? stop_event() : second_stop_event());
}

bool StopSignal::requested() {
  return poll_stop(0);
}

void StopSignal::wait() {
  while (!poll_stop(-1)) {
  }
}

bool StopSignal::wait_for(std::chrono::milliseconds timeout) {
  return poll_until(stop_event(), timeout);
}

bool StopSignal::wait_again_for(std::chrono::milliseconds timeout) {
  return poll_until(second_stop_event(), timeout);
}

void ReloadSignal::install() {
  reload_event();
  struct sigaction action {};
  action.sa_handler = on_reload_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGHUP, &action, nullptr);
}

bool ReloadSignal::wait_or_stop() {
  for (;;) {
    std::array<pollfd, 2> entries{pollfd{stop_event(), POLLIN, 0}, pollfd{reload_event(), POLLIN, 0}};
    if (poll(entries.data(), entries.size(), -1) <= 0) continue;
    if (entries[0].revents != 0) return false;
    std::uint64_t requests = 0;
    if (read(reload_event(), &requests, sizeof requests) == sizeof requests) return true;
  }
}

int run_guarded(const std::string& name, const std::function<int()>& body) {
  return guarded(name, [&] {
    StopSignal::install();
    log::init(name);
    return body();
  });
}

int run_program(int argc, char** argv, const std::string& name, const std::string& description,
                const std::function<int(const config::Config&)>& body,
                const std::function<void(const config::Config&)>& check) {
  const CommandLine line = parse_command_line(argc, argv);
  if (line.action == Action::print_help) return print_help(name, description), 0;
  if (line.action == Action::print_version) return fmt::print("{} {}\n", name, PHOENIX_VERSION), 0;
  if (!line.error.empty()) return fail(name, line.error, kExitUsage);
  if (line.action == Action::check_config) {
    return guarded(name, [&] {
      const auto config = config::load(line.config_file).value();
      if (check) check(config);
      fmt::print("{}: ok\n", line.config_file);
      return 0;
    });
  }
  return run_guarded(name, [&] { return body(config::load(line.config_file).value()); });
}

}  // namespace phoenix
