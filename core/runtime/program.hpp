// What every main() shares: --config, --version, --help, --check-config, signals, logging to stderr.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "core/runtime/config.hpp"

namespace phoenix {

/// Set up by run_program and run_guarded; SIGTERM and SIGINT request a stop.
class StopSignal {
 public:
  /// Directs SIGTERM and SIGINT here and ignores SIGPIPE and SIGXFSZ. Idempotent.
  static void install();
  /// Blocks until a stop is requested. Any thread.
  static void wait();
  /// Blocks until a stop is requested or the time is over; true if stopped.
  static bool wait_for(std::chrono::milliseconds timeout);
  [[nodiscard]] static bool requested();
  /// Blocks until a stop is requested once more after the first time, or the time is over; true if it was. For programs
  /// whose stop has a phase that a second signal cuts short.
  static bool wait_again_for(std::chrono::milliseconds timeout);
  /// Also safe in a signal handler.
  static void request();
};

/// For programs that read their configuration again on SIGHUP. Without install() the signal keeps its default.
class ReloadSignal {
 public:
  /// Directs SIGHUP here. After StopSignal::install().
  static void install();
  /// Blocks until a reload or a stop is requested; true: reload. Requests that came together are one. One thread.
  static bool wait_or_stop();
};

/// Exit statuses of every program.
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

/// Parses the common options, loads the configuration and calls `body`. Every failure ends in one line on stderr,
/// `NAME: message`, and a non-zero exit status: 2 when the command line is wrong, else 1. `check`: what --check-config
/// checks beyond the file itself; throws Failure.
int run_program(int argc, char** argv, const std::string& name, const std::string& description,
                const std::function<int(const config::Config&)>& body,
                const std::function<void(const config::Config&)>& check = {});

/// For programs with options of their own: signals, logging and the one line on failure. `body` returns the exit
/// status; a Failure with `invalid_input` ends in 1 like any other.
int run_guarded(const std::string& name, const std::function<int()>& body);

}  // namespace phoenix
