#include "child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace phoenix::arbiter_test {

Child::Child(const std::string& config) {
  static int number = 0;
  log_ = fmt::format("{}.{}.log", config, ++number);
  pid_ = fork();
  if (pid_ != 0) return;
  dup2(open(log_.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0644), 2);
  const std::string program = std::string(PHOENIX_BIN_DIR) + "/phoenix-arbiter";
  execl(program.c_str(), program.c_str(), "--config", config.c_str(), nullptr);
  _exit(127);
}

int Child::stop(int signal) {
  if (pid_ <= 0) return 0;
  kill(pid_, signal);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = 0;
  return status;
}

config::Endpoint Child::admin() const {
  std::ifstream file(log_);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string before = "admin server on http://";
  const auto at = text.find(before);
  if (at == std::string::npos) return {"127.0.0.1", 0};
  const auto start = at + before.size();
  return config::parse_endpoint(text.substr(start, text.find('\n', start) - start)).value();
}

}  // namespace phoenix::arbiter_test
