// The programs themselves: options, start, stop.
#include <fmt/format.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

#include "fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::sim_test;

namespace {

struct Ran {
  int status = 0;
  std::string output;  // both streams
};

Ran run(const std::string& command) {
  Ran ran;
  FILE* pipe = popen((std::string(PHOENIX_BIN_DIR) + "/" + command + " 2>&1").c_str(), "r");
  REQUIRE(pipe);
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), pipe)) ran.output += buffer.data();
  const int status = pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

}  // namespace

TEST_CASE("wrong options and an unreachable database end in one clear line and a non-zero exit") {
  for (const std::string program : {"phoenix-legacy-sim", "phoenix-modern-sim"}) {
    for (const std::string arguments :
         {"--flavour no-such", "--listen nowhere", "--threads 0", "--no-such-option", "--seed-accounts many",
          "--database dbname=x", "--database postgresql://phoenix:secret@127.0.0.1:1/bank"}) {
      const Ran ran = run(program + " --listen 127.0.0.1:0 " + arguments);
      CAPTURE(program, arguments, ran.output);
      CHECK(ran.status != 0);
      CHECK(ran.output.compare(0, program.size() + 2, program + ": ") == 0);
      CHECK(std::count(ran.output.begin(), ran.output.end(), '\n') == 1);
      CHECK(ran.output.find("secret") == std::string::npos);
    }
    const Ran flavours = run(program + " --flavour no-such");
    for (const char* name :
         program == "phoenix-legacy-sim" ? std::array{"vip-fee", "float-rounding"} : std::array{"ledger", "precision"})
      CHECK(flavours.output.find(name) != std::string::npos);
    CHECK(run(program + " --version").output == fmt::format("{} {}\n", program, PHOENIX_VERSION));
    CHECK(run(program + " --help").status == 0);
  }
}

TEST_CASE("a simulator says where it listens, serves, and stops cleanly on SIGTERM") {
  for (const std::string program : {"phoenix-legacy-sim", "phoenix-modern-sim"}) {
    const ScratchDatabase database("program");
    const std::string command = fmt::format("exec {}/{} --listen 127.0.0.1:0 --database '{}' --seed-accounts 3",
                                            PHOENIX_BIN_DIR, program, database.url());
    // The shell prints its pid, which `exec` hands to the program.
    FILE* pipe = popen(("echo $$; " + command).c_str(), "r");
    REQUIRE(pipe);
    int pid = 0, port = 0;
    REQUIRE(std::fscanf(pipe, "%d listening on 127.0.0.1:%d", &pid, &port) == 2);
    http::Client client({"127.0.0.1", static_cast<std::uint16_t>(port)}, std::chrono::seconds{5});
    CHECK(send(client, "GET", "/healthz").status == 200);
    CHECK(send(client, "GET", "/accounts/3").at("/balance") == "4000.00");
    REQUIRE(kill(pid, SIGTERM) == 0);
    CHECK(pclose(pipe) == 0);
  }
}
