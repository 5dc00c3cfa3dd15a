// The command line that every program shares, run in a child process as a shell would.
#include "core/runtime/program.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/runtime/log.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using Catch::Matchers::Contains;
using Catch::Matchers::Equals;

namespace {

struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

using Body = std::function<int(const config::Config&)>;

std::string read_pipe(int fd) {
  std::string text;
  char buffer[1024];
  for (ssize_t got = 0; (got = read(fd, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  close(fd);
  return text;
}

/// `while_running` is called with the child's pid before its end is waited for.
Outcome run(std::vector<std::string> arguments, const Body& body,
            const std::function<void(pid_t)>& while_running = {}) {
  int out[2];
  int err[2];
  REQUIRE(pipe(out) == 0);
  REQUIRE(pipe(err) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    for (const int fd : {out[0], out[1], err[0], err[1]}) close(fd);
    arguments.insert(arguments.begin(), "phoenix-test");
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    const int status =
        run_program(static_cast<int>(argv.size()), argv.data(), "phoenix-test", "a program for tests", body);
    std::fflush(nullptr);
    _exit(status);
  }
  close(out[1]);
  close(err[1]);
  if (while_running) while_running(child);
  Outcome outcome{-1, read_pipe(out[0]), read_pipe(err[0])};
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status)) outcome.status = WEXITSTATUS(status);
  return outcome;
}

class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text)
      : path_((std::filesystem::temp_directory_path() / ("phoenix-program-test-" + std::to_string(getpid()) + ".yml"))
                  .string()) {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::filesystem::remove(path_); }
  ConfigFile(const ConfigFile&) = delete;
  ConfigFile& operator=(const ConfigFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr const char* kValid = R"(
mode: local
gateway:
  legacy: {endpoints: ["http://127.0.0.1:8081"]}
  modern: {endpoints: ["http://127.0.0.1:8082"]}
)";

int never(const config::Config&) {
  return 42;
}

}  // namespace

TEST_CASE("--version and --help answer on stdout without a configuration") {
  const auto version = run({"--version"}, never);
  CHECK(version.status == 0);
  CHECK(version.out == "phoenix-test " PHOENIX_VERSION "\n");
  CHECK(version.err.empty());
  const auto help = run({"--help"}, never);
  CHECK(help.status == 0);
  CHECK_THAT(help.out, Contains("phoenix-test: a program for tests") && Contains("--check-config"));
}

TEST_CASE("a wrong command line is one line and exit status 2") {
  CHECK_THAT(run({}, never).err, Equals("phoenix-test: --config FILE is required (see --help)\n"));
  CHECK(run({}, never).status == 2);
  CHECK_THAT(run({"--config"}, never).err, Equals("phoenix-test: --config needs a file\n"));
  const auto unknown = run({"--verbose"}, never);
  CHECK(unknown.status == 2);
  CHECK_THAT(unknown.err, Equals("phoenix-test: unknown argument '--verbose' (see --help)\n"));
}

TEST_CASE("--check-config validates without starting") {
  const ConfigFile file(kValid);
  const auto good = run({"--config", file.path(), "--check-config"}, never);
  CHECK(good.status == 0);
  CHECK(good.out == file.path() + ": ok\n");
  const ConfigFile wrong("mode: local\nno_such_key: 1\n");
  const auto bad = run({"--check-config", "--config=" + wrong.path()}, never);
  CHECK(bad.status == 1);
  CHECK(bad.out.empty());
  CHECK_THAT(bad.err, Contains("phoenix-test: ") && Contains("no_such_key"));
  CHECK(std::count(bad.err.begin(), bad.err.end(), '\n') == 1);
}

TEST_CASE("a missing file and a failing start are one line and exit status 1") {
  const auto missing = run({"--config", "/no/such/phoenix.yml"}, never);
  CHECK(missing.status == 1);
  CHECK_THAT(missing.err, Contains("phoenix-test: ") && Contains("/no/such/phoenix.yml"));
  CHECK(std::count(missing.err.begin(), missing.err.end(), '\n') == 1);
  const ConfigFile file(kValid);
  const auto failing = run({"--config", file.path()}, [](const config::Config&) -> int {
    throw Failure(ErrorCode::unavailable, "cannot listen on 127.0.0.1:1: permission denied");
  });
  CHECK(failing.status == 1);
  CHECK(failing.err == "phoenix-test: cannot listen on 127.0.0.1:1: permission denied\n");
}

TEST_CASE("SIGTERM and SIGINT request a stop in every waiting thread, and SIGPIPE is ignored") {
  const ConfigFile file(kValid);
  for (const int signal : {SIGTERM, SIGINT}) {
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const auto outcome = run(
        {"--config", file.path()},
        [&](const config::Config&) {
          raise(SIGPIPE);
          if (StopSignal::requested() || StopSignal::wait_for(std::chrono::milliseconds(1))) return 1;
          if (write(ready[1], "x", 1) != 1) return 2;
          StopSignal::wait();
          return StopSignal::requested() && StopSignal::wait_for(std::chrono::hours(1)) ? 7 : 3;
        },
        [&](pid_t child) {
          char byte = 0;
          REQUIRE(read(ready[0], &byte, 1) == 1);
          kill(child, signal);
        });
    CHECK(outcome.status == 7);
    close(ready[0]);
    close(ready[1]);
  }
}

TEST_CASE("SIGHUP asks for a reload where a program wants it, and a second SIGTERM is told from the first") {
  const ConfigFile file(kValid);
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const auto tell = [&](const char* step) { return write(ready[1], step, 1) == 1; };
  const auto outcome = run(
      {"--config", file.path()},
      [&](const config::Config&) {
        ReloadSignal::install();
        raise(SIGHUP);
        raise(SIGHUP);  // together they are one
        if (!ReloadSignal::wait_or_stop() || !tell("1")) return 1;
        if (!ReloadSignal::wait_or_stop() || !tell("2")) return 2;
        if (ReloadSignal::wait_or_stop()) return 3;
        if (StopSignal::wait_again_for(std::chrono::milliseconds(1)) || !tell("3")) return 4;
        return StopSignal::wait_again_for(std::chrono::hours(1)) ? 7 : 5;
      },
      [&](pid_t child) {
        char byte = 0;
        for (const int signal : {SIGHUP, SIGTERM, SIGTERM}) {
          REQUIRE(read(ready[0], &byte, 1) == 1);
          kill(child, signal);
        }
      });
  CHECK(outcome.status == 7);
  close(ready[0]);
  close(ready[1]);
}

TEST_CASE("a log event is one line with time, level and program") {
  const ConfigFile file(kValid);
  const auto outcome = run({"--config", file.path()}, [](const config::Config&) {
    log::debug("not shown by default");
    log::info("first {}\nsecond\r", 1);
    return 0;
  });
  CHECK_THAT(outcome.err, Catch::Matchers::Matches(
                              R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info phoenix-test: first 1\\nsecond\?\n)"));
}
