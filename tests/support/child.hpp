// A program of ours as a child process, to be killed as a crash would.
#pragma once

#include <fcntl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>

namespace phoenix::test {

/// Runs `PROGRAM --config FILE`, what it logs is appended to `log`. Killed at the end if it still runs.
class Child {
 public:
  Child(const std::string& program, const std::string& config, std::string log) : log_(std::move(log)), pid_(fork()) {
    if (pid_ != 0) return;
    dup2(open(log_.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0644), STDERR_FILENO);
    execl(program.c_str(), program.c_str(), "--config", config.c_str(), nullptr);
    _exit(127);
  }
  ~Child() { stop(SIGKILL); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Sends the signal and waits; the status as waitpid gives it.
  int stop(int signal) {
    if (pid_ <= 0) return 0;
    kill(pid_, signal);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return status;
  }
  [[nodiscard]] const std::string& log() const { return log_; }

 private:
  std::string log_;
  pid_t pid_;
};

}  // namespace phoenix::test
