// The access log of a running gateway: one line per exchange when both legs are over, rotation, and a file that takes
// nothing.
#include "gateway/access_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;
using Catch::Contains;
using Json = nlohmann::json;

namespace {

std::vector<Json> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line) && !file.eof();) lines.push_back(Json::parse(line));
  return lines;
}

struct LoggedWorld : World {
  LoggedWorld() {
    stop();
    replace_config("  threads: 2\n", fmt::format("  threads: 2\n  access_log: {{path: \"{}\"}}\n", path()));
    start();
  }
  [[nodiscard]] std::string path() const { return dir.path() + "/access.log"; }
  bool has_lines(std::size_t count) {
    return eventually([&] { return lines_of(path()).size() >= count; });
  }
};

}  // namespace

TEST_CASE_METHOD(LoggedWorld, "an exchange has its line when both legs are over") {
  modern.hold();
  modern.script([](const SeenRequest&) { return Reply::status(404, "{\"secret\":1}"); });
  RawClient client(port());
  const auto answer = client.exchange(
      post("/accounts/7/deposits?pin=secret", "{\"amount\":1}", "X-Request-Id: req-1\r\nCookie: secret\r\n"));
  CHECK(answer.status == 200);
  CHECK(client.exchange(get("/nowhere")).status == 200);  // unmatched: its line is there at once
  REQUIRE(has_lines(1));
  CHECK(lines_of(path())[0]["excluded"] == "unmatched");
  REQUIRE(modern.wait_for(1));
  modern.release();
  REQUIRE(has_lines(2));
  const Json line = lines_of(path())[1];
  CHECK(line["exchange_id"] == answer.header("X-Phoenix-Exchange"));
  CHECK(line["request_id"] == "req-1");
  CHECK(line["client"] == "127.0.0.1");
  CHECK(line["method"] == "POST");
  CHECK(line["path"] == "/accounts/7/deposits");
  CHECK(line["query_bytes"] == 10);
  CHECK(line["route"] == "deposits");
  CHECK(line["slice"] == "s");
  CHECK(line["stage"] == "shadow");
  CHECK(line["target_side"] == "legacy");
  CHECK(line["serving_side"] == "legacy");
  CHECK(line["status"] == 200);
  CHECK(line["request_bytes"] == 12);
  CHECK(line["response_bytes"] == 2);
  CHECK(line["serving_ms"].get<double>() > 0);
  CHECK(line["shadow_outcome"] == "ok");
  CHECK(line["shadow_status"] == 404);
  CHECK(line["shadow_ms"].get<double>() > 0);
  std::ifstream file(path());
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  CHECK_THAT(all, !Contains("secret"));
}

TEST_CASE_METHOD(LoggedWorld, "the gateway's own answers are logged as well") {
  legacy.refuse();
  CHECK(RawClient(port()).exchange(get("/free/x")).status == 503);
  CHECK(RawClient(port()).exchange("GET /bad HTTP/1.1\r\nHost: a\r\nBad Field: x\r\n\r\n").status == 400);
  CHECK(RawClient(port()).exchange("OPTIONS /last?q HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n").status == 204);
  CHECK(RawClient(port())
            .exchange("POST /accounts/7/deposits HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
            .status == 400);
  REQUIRE(has_lines(4));
  const auto lines = lines_of(path());
  REQUIRE(lines.size() == 4);
  const auto with = [&](const std::string& at) {
    for (const auto& line : lines) {
      if (line.at("path") == at) return line;
    }
    throw std::runtime_error("no line for " + at);
  };
  CHECK(with("/free/x")["status"] == 503);
  CHECK(with("/free/x")["serving_outcome"] == "connect_failed");
  CHECK(with("/free/x")["dropped"] == "serving_failed");
  CHECK(with("/bad")["status"] == 400);
  CHECK_FALSE(with("/bad").contains("exchange_id"));
  CHECK(with("/last")["status"] == 204);
  CHECK(with("/last")["refused"] == "Max-Forwards is 0");
  CHECK(with("/accounts/7/deposits")["status"] == 400);  // an exchange, and not logged twice
  CHECK(with("/accounts/7/deposits")["excluded"] == "client_aborted");
}

TEST_CASE_METHOD(LoggedWorld, "a reload opens the file again, also one that is refused; sample and path may change") {
  RawClient client(port());
  CHECK(client.exchange(get("/free/1")).status == 200);
  REQUIRE(has_lines(1));
  std::filesystem::rename(path(), path() + ".1");
  CHECK(admin("POST", "/reload").status == 200);
  CHECK(client.exchange(get("/free/2")).status == 200);
  REQUIRE(has_lines(1));
  CHECK(lines_of(path())[0]["path"] == "/free/2");
  std::filesystem::rename(path(), path() + ".2");
  const std::string good = config_text;
  replace_config("  threads: 2\n", "  threads: 2\n  nonsense: 1\n");
  CHECK(admin("POST", "/reload").status == 422);
  CHECK(client.exchange(get("/free/3")).status == 200);
  REQUIRE(has_lines(1));
  CHECK(lines_of(path() + ".1").size() == 1);
  CHECK(lines_of(path() + ".2").size() == 1);
  config_text = good;
  replace_config("/access.log\"}", "/access.log\", sample: 0%}");
  CHECK(admin("POST", "/reload").status == 200);
  CHECK(client.exchange(get("/free/4")).status == 200);
  REQUIRE(settle());
  replace_config("/access.log\", sample: 0%}", "/other.log\"}");
  CHECK(admin("POST", "/reload").status == 200);
  CHECK(client.exchange(get("/free/5")).status == 200);
  REQUIRE(settle());
  stop();  // writes what is queued
  CHECK(lines_of(path()).size() == 1);
  REQUIRE(lines_of(dir.path() + "/other.log").size() == 1);
  CHECK(lines_of(dir.path() + "/other.log")[0]["path"] == "/free/5");
}

TEST_CASE_METHOD(
    LoggedWorld,
    "every exchange of a busy gateway has exactly one line, also those that a stop cuts short or that end after it") {
  modern.hold();
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([this, c] {
      RawClient client(port());
      for (int i = 0; i < 200; ++i) static_cast<void>(client.exchange(post(fmt::format("/accounts/{}/deposits", c))));
    });
  }
  for (auto& client : clients) client.join();
  stop(std::chrono::milliseconds(0));
  modern.release();
  start();
  REQUIRE(settle());
  stop();
  std::set<std::string> ids;
  for (const auto& line : lines_of(path())) ids.insert(line["exchange_id"]);
  CHECK(lines_of(path()).size() == 800);
  CHECK(ids.size() == 800);
}

TEST_CASE("a log that takes nothing costs lines, which are counted, and neither time nor the end") {
  TempDir dir;
  const std::string pipe = dir.path() + "/pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_THROWS_AS(gateway::AccessLog::open(pipe), Failure);  // nobody reads it
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  REQUIRE(reader >= 0);
  gateway::AccessLog access_log;
  access_log.use(gateway::AccessLog::open(pipe));
  const std::string line = std::string(1023, 'x') + "\n";
  const std::size_t count = gateway::AccessLog::kMaxBytes / line.size() + 5000;  // more than pipe, batch and queue take
  for (std::size_t i = 0; i < count; ++i) access_log.write(line);
  CHECK(access_log.dropped() > 0);
  access_log.close();
  std::size_t received = 0;
  char bytes[65536];
  for (ssize_t n = 0; (n = ::read(reader, bytes, sizeof bytes)) > 0;)
    received += static_cast<std::size_t>(std::count(bytes, bytes + n, '\n'));
  ::close(reader);
  CHECK(received > 0);
  CHECK(received + access_log.dropped() == count);
}
