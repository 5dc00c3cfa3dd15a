// Clients behind proxies, slow ones, and many idle ones.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>

#include <fstream>

#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;

namespace {

const std::string kTold =
    "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: bank.example\r\nForwarded: "
    "for=192.0.2.1\r\n";

/// "for proto host forwarded" of the latest request.
std::string told(const FakeBackend& backend) {
  const SeenRequest seen = backend.seen().back();
  return fmt::format("{} | {} | {} | {}", seen.header("X-Forwarded-For"), seen.header("X-Forwarded-Proto"),
                     seen.header("X-Forwarded-Host"), seen.header("Forwarded"));
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void allow_many_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

TEST_CASE("X-Forwarded-* of a client is not believed, that of a trusted proxy is") {
  SECTION("by default nobody is trusted") {
    World world;
    RawClient client(world.port());
    REQUIRE(client.exchange(get("/free/x", kTold)).status == 200);
    CHECK(told(world.legacy) == "127.0.0.1 | http | bank.test | ");
  }
  SECTION("a trusted proxy") {
    World world("  trusted_proxies: [10.0.0.0/8, 127.0.0.0/8]");
    RawClient client(world.port());
    REQUIRE(client.exchange(get("/free/x", kTold)).status == 200);
    CHECK(told(world.legacy) == "192.0.2.1, 127.0.0.1 | https | bank.example | for=192.0.2.1");
    REQUIRE(client.exchange(get("/free/x")).status == 200);
    CHECK(told(world.legacy) == "127.0.0.1 | http | bank.test | ");
    // Nominated by Connection they are for this hop only, whoever sends them.
    REQUIRE(client.exchange(get("/free/x", "Connection: x-forwarded-for, x-forwarded-proto\r\n" + kTold)).status ==
            200);
    CHECK(told(world.legacy) == "127.0.0.1 | http | bank.example | for=192.0.2.1");
  }
}

TEST_CASE("the PROXY protocol tells the client's address, and trust counts for that address") {
  World world("  proxy_protocol: true\n  trusted_proxies: [192.0.2.9]");
  const auto told_with = [&](const std::string& header) {
    RawClient client(world.port());
    REQUIRE(client.exchange(header + get("/free/x", kTold)).status == 200);
    REQUIRE(client.exchange(get("/free/x")).status == 200);  // it stands before the connection, not before each request
    return world.legacy.seen().at(world.legacy.count() - 2).header("X-Forwarded-For");
  };
  CHECK(told_with("PROXY TCP4 192.0.2.1 127.0.0.1 4000 443\r\n") == "192.0.2.1");
  CHECK(told_with("PROXY TCP4 192.0.2.9 127.0.0.1 4000 443\r\n") == "192.0.2.1, 192.0.2.9");
  CHECK(told_with("PROXY UNKNOWN\r\n") == "127.0.0.1");
  CHECK(told_with(std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\x7f\x00\x00\x01\x30\x39\x01\xbb",
                              28)) == "192.0.2.7");
  SECTION("in pieces") {
    RawClient client(world.port());
    const std::string bytes = "PROXY TCP4 192.0.2.1 127.0.0.1 4000 443\r\n" + get("/free/x");
    for (const char byte : bytes) REQUIRE(client.send({&byte, 1}));
    CHECK(client.response().status == 200);
  }
  SECTION("missing") {
    const std::size_t before = world.legacy.bytes_received();
    RawClient client(world.port());
    REQUIRE(client.send(get("/free/x")));
    CHECK(client.closed_by_peer());
    CHECK(world.legacy.bytes_received() == before);
    CHECK(eventually([&] { return world.status()["rejected"]["proxy_header"] == 1; }));
  }
}

TEST_CASE("timeouts.total bounds a whole exchange") {
  World world("  timeouts: {total: 300ms, response: 20s}");
  SECTION("a backend that does not answer") {
    world.legacy.hold();
    RawClient client(world.port());
    CHECK(client.exchange(get("/free/x")).status == 504);
    world.legacy.release();
    CHECK(client.exchange(get("/free/x")).status == 200);  // the next one has its own time
  }
  SECTION("a client that drips its body") {
    RawClient client(world.port());
    REQUIRE(client.send("POST /free/x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"));
    while (client.send("x")) {  // each byte within the idle time-out, all of them not within the total
      if (client.unread_or_wait(std::chrono::milliseconds(50))) break;
    }
    CHECK(client.response().status == 408);
  }
  CHECK(world.settle());
  world.check_accounts();
}

TEST_CASE("two hundred clients that drip their heads hurt nobody, and are told to go") {
  allow_many_files();
  World world("  timeouts: {request_head: 1s}");
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(std::make_unique<RawClient>(world.port()));
    REQUIRE(slow.back()->send("GET /free/x HTTP/1.1\r\nHost: a\r\nX-Slow: "));
  }
  RawClient quick(world.port());
  for (int i = 0; i < 200; ++i) {
    for (std::size_t at = static_cast<std::size_t>(i) % 10; at < slow.size(); at += 10) slow[at]->send("x");
    const auto started = std::chrono::steady_clock::now();
    REQUIRE(quick.exchange(get("/free/y")).status == 200);
    CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(1));
  }
  for (auto& client : slow) CHECK(client->response().status == 408);
  CHECK(world.legacy.seen().back().target == "/free/y");
}

TEST_CASE("a thousand idle connections cost memory only, and are closed after timeouts.keep_alive") {
  allow_many_files();
  World world("  timeouts: {keep_alive: 5s}");
  std::vector<std::unique_ptr<RawClient>> idle;
  RawClient(world.port()).exchange(get("/free/x"));
  const std::size_t before = resident_bytes();
  for (int i = 0; i < 1000; ++i) {
    idle.push_back(std::make_unique<RawClient>(world.port()));
    REQUIRE(idle.back()->exchange(get("/free/x")).status == 200);
  }
  const double kb_each = static_cast<double>(resident_bytes() - before) / 1000 / 1024;
  WARN("1,000 idle clients: " << kb_each << " KiB each, the test's own ends and the spool included");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which keep what is freed
  CHECK(kb_each < 16);
#endif
  RawClient busy(world.port());
  for (int i = 0; i < 200; ++i) REQUIRE(busy.exchange(get("/free/x")).status == 200);
  [[maybe_unused]] const std::size_t heap_with_them = ::mallinfo2().uordblks;
  for (auto& client : idle) REQUIRE(client->closed_by_peer());
  CHECK(eventually([&] { return world.status()["connections"] <= 1; }));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // What is freed with them; buffers that the burst left are among it.
  const double heap_each = (static_cast<double>(heap_with_them) - static_cast<double>(::mallinfo2().uordblks)) / 1000;
  WARN("1,000 idle clients: " << heap_each << " bytes of the heap each");
  CHECK(heap_each < 4096);  // 1.1 kB, and what the test and the log hold at that moment
#endif
}
