// The real phoenix-arbiter, as a child process.
#pragma once

#include <sys/types.h>
#include <sys/wait.h>

#include <csignal>
#include <string>

#include "core/runtime/config.hpp"

namespace phoenix::arbiter_test {

/// Killed at the end if it still runs. Its log stands beside the configuration.
class Child {
 public:
  explicit Child(const std::string& config);
  ~Child() { stop(SIGKILL); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Sends the signal and waits; the status as waitpid gives it.
  int stop(int signal);
  /// Where its admin server listens; port 0 until it has said so.
  [[nodiscard]] config::Endpoint admin() const;

 private:
  std::string log_;
  pid_t pid_;
};

}  // namespace phoenix::arbiter_test
