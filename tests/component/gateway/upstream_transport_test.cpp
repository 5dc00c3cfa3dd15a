// How a backend is reached: Unix sockets, IPv6, names, TLS with all that is verified, and a Host of its own.
#include <fmt/format.h>

#include <fstream>
#include <system_error>

#include "fixture.hpp"
#include "gateway/settings.hpp"
#include "tests/support/test_certificates.hpp"

using namespace phoenix;
using namespace phoenix::test;
using Catch::Contains;

namespace {

constexpr const char* kSlice = "{name: s, stage: bypass}";

/// Whether a connection to the port of this machine is open on the side that made it: its peer's end may be on its way
/// for as long as an acknowledgement may be delayed.
bool is_connected_to(std::uint16_t port) {
  std::ifstream sockets("/proc/net/tcp");
  std::string line;
  const std::string open = fmt::format(" 0100007F:{:04X} 01 ", port);
  while (std::getline(sockets, line)) {
    if (line.find(open) != std::string::npos) return true;
  }
  return false;
}

struct TlsFiles {
  TempDir dir;
  CertificateAuthority ca{dir.path(), "ca"};
  CertificateAuthority stranger{dir.path(), "stranger"};
  TlsFiles() {
    ca.issue("server", "DNS:core.bank.test,IP:127.0.0.1");
    ca.issue("gateway", "DNS:gateway.bank.test");
    stranger.issue("impostor", "DNS:core.bank.test,IP:127.0.0.1");
  }
  [[nodiscard]] FakeTls server() const { return {ca.certificate("server"), ca.key("server"), "", true, false}; }
  /// `more`: of the section tls, with a comma in front.
  [[nodiscard]] std::string legacy(const FakeBackend& core, const std::string& more = "") const {
    return fmt::format("{{endpoints: [\"https://127.0.0.1:{}\"], tls: {{ca_file: \"{}\"{}}}}}", core.port(), ca.file(),
                       more);
  }
};

}  // namespace

TEST_CASE("a backend on a Unix socket") {
  const TempDir dir;
  FakeBackend core(dir.path() + "/core.sock");
  World world("", kSlice, fmt::format("{{endpoints: [\"unix:{}/core.sock\"]}}", dir.path()));
  RawClient client(world.port());
  CHECK(client.exchange(get("/free/x")).status == 200);
  CHECK(client.exchange(post("/free/x", "{\"a\":1}")).status == 200);
  CHECK(core.connections() == 1);
  CHECK(core.seen().back().body == "{\"a\":1}");
  CHECK(core.seen().back().header("Host") == "bank.test");
  CHECK(world.status()["backends"]["legacy"]["endpoints"][0]["name"] == "unix:" + dir.path() + "/core.sock");
  core.refuse();
  CHECK(client.exchange(get("/free/x")).status == 503);
}

TEST_CASE("a backend at an IPv6 address") {
  std::unique_ptr<FakeBackend> core;
  try {
    core = std::make_unique<FakeBackend>("::1");
  } catch (const std::system_error& error) {
    WARN("this machine has no IPv6: " << error.what());
    return;
  }
  World world("", kSlice, fmt::format("{{endpoints: [\"http://[::1]:{}\"]}}", core->port()));
  CHECK(RawClient(world.port()).exchange(get("/free/x")).status == 200);
  CHECK(core->count() == 1);
}

TEST_CASE("a name is resolved, and all of its addresses are tried") {
  FakeBackend core;  // 127.0.0.1 alone, while localhost may be ::1 as well
  World world("", kSlice, fmt::format("{{endpoints: [\"http://localhost:{}\"], resolve: 20ms}}", core.port()));
  for (int i = 0; i < 5; ++i) {
    CHECK(RawClient(world.port()).exchange(get("/free/x")).status == 200);
    core.refuse();
    core.back();
  }
  CHECK(core.count() == 5);
}

TEST_CASE("a name that does not resolve is 503, and another endpoint takes over") {
  FakeBackend core;
  const std::string nowhere = "\"http://nowhere.invalid:80\"";
  World alone("", kSlice, fmt::format("{{endpoints: [{}]}}", nowhere));
  CHECK(RawClient(alone.port()).exchange(get("/free/x")).status == 503);
  World two("", kSlice, fmt::format("{{endpoints: [{}, \"http://127.0.0.1:{}\"]}}", nowhere, core.port()));
  RawClient client(two.port());
  for (int i = 0; i < 4; ++i) CHECK(client.exchange(post("/free/x")).status == 200);
  CHECK(core.count() == 4);
}

TEST_CASE("host replaces the Host field on that backend's leg, and changes nothing else") {
  FakeBackend core;
  World world("", "{name: s, stage: shadow}",
              fmt::format("{{endpoints: [\"http://127.0.0.1:{}\"], host: \"core.bank.test:8443\"}}", core.port()));
  RawClient client(world.port());
  CHECK(client.exchange(post("/accounts/1/deposits", "{\"x\":1}", "X-A: 1\r\n")).status == 200);
  REQUIRE(world.settle());
  REQUIRE(world.modern.count() == 1);
  const SeenRequest serving = core.seen().front();
  const SeenRequest shadow = world.modern.seen().front();
  CHECK(serving.header("Host") == "core.bank.test:8443");
  CHECK(shadow.header("Host") == "bank.test");
  CHECK(serving.header("X-Forwarded-Host") == "bank.test");
  CHECK(serving.body == shadow.body);
  std::string same = serving.head;
  same.replace(same.find("core.bank.test:8443"), 19, "bank.test");
  same.replace(same.find("X-Phoenix-Leg: serving"), 22, "X-Phoenix-Leg: shadow");
  CHECK(same == shadow.head);
  // A body that is streamed is not touched.
  const std::string big(3 << 20, 'h');
  CHECK(client.exchange(post("/free/x", big)).status == 200);
  CHECK(core.seen().back().body == big);
  CHECK(core.seen().back().header("Host") == "core.bank.test:8443");
}

TEST_CASE("TLS: connections are verified, reused and carry requests both ways") {
  const TlsFiles files;
  FakeBackend core("127.0.0.1", files.server());
  World world("", kSlice, files.legacy(core, ", server_name: core.bank.test"));
  RawClient client(world.port());
  const std::string big(300 << 10, 'b');
  core.script([&](const SeenRequest&) { return Reply::ok(big); });
  for (int i = 0; i < 5; ++i) {
    const RawResponse answer = client.exchange(post("/free/x", big));
    CHECK(answer.status == 200);
    CHECK(answer.body == big);
  }
  CHECK(core.connections() == 1);
  CHECK(core.seen().back().body == big);
  CHECK(core.server_names() == std::vector<std::string>{"core.bank.test"});
  CHECK(is_connected_to(core.port()));
  core.refuse();
  core.back();
  CHECK(poll_until([&] { return !is_connected_to(core.port()); }, std::chrono::seconds(5)));
  CHECK(client.exchange(post("/free/x", "{}")).status == 200);
  CHECK(core.connections() == 2);
}

TEST_CASE("TLS: session tickets that come after the answer leave the connection in the pool") {
  const TlsFiles files;
  FakeTls with_tickets = files.server();
  with_tickets.late_ticket = true;
  FakeBackend core("127.0.0.1", with_tickets);
  World world("", kSlice, files.legacy(core));
  RawClient client(world.port());
  for (int i = 1; i <= 5; ++i) {
    REQUIRE(client.exchange(post("/free/x")).status == 200);
    core.release_piece();
    REQUIRE(eventually([&] { return core.tickets() == i; }));
  }
  CHECK(core.connections() == 1);
}

TEST_CASE("TLS: an endpoint's IP address must be in the certificate, and is no SNI") {
  const TlsFiles files;
  FakeBackend core("127.0.0.1", files.server());
  World world("", kSlice, files.legacy(core));
  CHECK(RawClient(world.port()).exchange(get("/free/x")).status == 200);
  CHECK(core.server_names() == std::vector<std::string>{""});
}

TEST_CASE("TLS: a wrong authority, a wrong name and plain HTTP are refused before anything is sent") {
  const TlsFiles files;
  FakeBackend impostor(
      "127.0.0.1", FakeTls{files.stranger.certificate("impostor"), files.stranger.key("impostor"), "", true, false});
  FakeBackend core("127.0.0.1", files.server());
  FakeBackend plain;
  const auto refused = [&](const std::string& legacy) {
    World world("  timeouts: {connect: 300ms}", kSlice, legacy);
    const RawResponse answer = RawClient(world.port()).exchange(post("/free/x", "{\"secret\":1}"));
    CHECK_THAT(answer.body, Contains("legacy: connect_failed"));
    CHECK(world.status()["backends"]["legacy"]["endpoints"][0]["state"] == "unreachable");
    return answer.status == 503;
  };
  CHECK(refused(files.legacy(impostor)));
  CHECK(refused(files.legacy(core, ", server_name: other.bank.test")));
  CHECK(refused(files.legacy(core, ", server_name: 127.0.0.2")));
  CHECK(refused(files.legacy(plain)));
  CHECK(impostor.count() + core.count() + plain.count() == 0);
  World trusting("", kSlice, files.legacy(impostor, ", verify: false"));
  CHECK(RawClient(trusting.port()).exchange(get("/free/x")).status == 200);
}

TEST_CASE("TLS: a backend that asks for a client certificate gets ours, and nobody else in") {
  const TlsFiles files;
  FakeTls demanding = files.server();
  demanding.client_ca = files.ca.file();
  FakeBackend core("127.0.0.1", demanding);
  World known("", kSlice,
              files.legacy(core, fmt::format(", certificate: \"{}\", private_key: \"{}\"",
                                             files.ca.certificate("gateway"), files.ca.key("gateway"))));
  RawClient client(known.port());
  CHECK(client.exchange(get("/free/x")).status == 200);
  CHECK(client.exchange(get("/free/x")).status == 200);
  CHECK(core.client_names() == std::vector<std::string>{"gateway"});
  World unknown("", kSlice, files.legacy(core));
  CHECK(RawClient(unknown.port()).exchange(get("/free/x")).status >= 502);
  CHECK(core.count() == 2);
}

TEST_CASE("TLS: an answer that ends with the connection is whole only if the backend says so") {
  const TlsFiles files;
  const auto until_close = [](const SeenRequest&) {
    Reply reply;
    reply.bytes = "HTTP/1.1 200 OK\r\n\r\nwhole";
    reply.close = true;
    return reply;
  };
  FakeBackend orderly("127.0.0.1", files.server());
  orderly.script(until_close);
  World world("", kSlice, files.legacy(orderly));
  const RawResponse whole = RawClient(world.port()).exchange(get("/free/x"));
  CHECK(whole.status == 200);
  CHECK(whole.body == "whole");
  FakeTls cutting = files.server();
  cutting.close_notify = false;
  FakeBackend cut("127.0.0.1", cutting);
  cut.script(until_close);
  World other("", kSlice, files.legacy(cut));
  const RawResponse answer = RawClient(other.port()).exchange(get("/free/x"));
  CHECK(answer.status == 502);
  CHECK_THAT(answer.body, Contains("legacy: reset"));
}

TEST_CASE("TLS: files that are not right are errors that name key and file") {
  const TlsFiles files;
  std::ofstream(files.dir.path() + "/junk.pem") << "junk\n";
  const std::string junk = files.dir.path() + "/junk.pem";
  const auto error = [&](config::BackendConfig::Tls tls) {
    config::GatewayConfig gateway;
    gateway.legacy.endpoints.push_back({{"core.bank.test", 443}, "", true, 1});
    gateway.legacy.tls = std::move(tls);
    try {
      const phoenix::gateway::Settings settings(gateway, {});
    } catch (const Failure& failure) {
      CHECK(failure.code() == ErrorCode::invalid_input);
      return std::string(failure.what());
    }
    return std::string("accepted");
  };
  CHECK_THAT(error({junk, "", "", "", true}), Contains("gateway.legacy.tls.ca_file: " + junk + ": "));
  CHECK_THAT(error({files.dir.path() + "/none.pem", "", "", "", true}), Contains("No such file"));
  CHECK_THAT(error({"", "", junk, files.ca.key("server"), true}), Contains("gateway.legacy.tls.certificate: " + junk));
  CHECK_THAT(error({"", "", files.ca.certificate("server"), files.ca.key("gateway"), true}),
             Contains("gateway.legacy.tls.private_key: " + files.ca.key("gateway")));
  CHECK(error({files.ca.file(), "", files.ca.certificate("server"), files.ca.key("server"), true}) == "accepted");
}
