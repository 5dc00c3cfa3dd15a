// TLS towards clients, by a real OpenSSL client.
#include <fmt/format.h>

#include <fstream>

#include "fixture.hpp"
#include "tests/support/test_certificates.hpp"
#include "tests/support/tls_client.hpp"

using namespace phoenix;
using namespace phoenix::test;

namespace {

struct Certificates {
  TempDir directory;
  CertificateAuthority authority{directory.path(), "authority"};
  Certificates() { authority.issue("server", "DNS:bank.test,IP:127.0.0.1"); }
  [[nodiscard]] std::string tls(const std::string& more = "") const {
    return fmt::format("  tls: {{certificate: \"{}\", private_key: \"{}\"{}}}\n", authority.certificate("server"),
                       authority.key("server"), more);
  }
};

TlsOptions options_for(const Certificates& certificates, int version = 0) {
  TlsOptions options;
  options.ca = certificates.authority.file();
  if (version != 0) options.min_version = options.max_version = version;
  return options;
}

}  // namespace

TEST_CASE("TLS 1.2 and 1.3 are spoken to clients, and older versions are refused") {
  const Certificates certificates;
  World world(certificates.tls());
  for (const auto& [version, name] : {std::pair{TLS1_2_VERSION, "TLSv1.2"}, std::pair{TLS1_3_VERSION, "TLSv1.3"}}) {
    TlsClient client(world.port(), options_for(certificates, version));
    REQUIRE(client.connected());
    CHECK(client.version() == name);
    for (int i = 0; i < 3; ++i) {
      REQUIRE(client.send(get("/free/x")));
      CHECK_THAT(client.read_until("{}"), Catch::StartsWith("HTTP/1.1 200"));
    }
  }
  CHECK(world.legacy.seen().front().header("X-Forwarded-Proto") == "https");
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION})
    CHECK_FALSE(TlsClient(world.port(), options_for(certificates, version)).connected());
  CHECK(eventually([&] { return world.status()["rejected"]["tls_handshake"] == 2; }));
  CHECK_THAT(world.admin("GET", "/metrics").body, Catch::Contains("phoenix_gateway_tls_certificate_expiry_seconds 1"));
  CHECK(world.settle());
  world.check_accounts();
}

TEST_CASE("tls.min_version 1.3 refuses 1.2") {
  const Certificates certificates;
  World world(certificates.tls(", min_version: \"1.3\""));
  CHECK_FALSE(TlsClient(world.port(), options_for(certificates, TLS1_2_VERSION)).connected());
  CHECK(TlsClient(world.port(), options_for(certificates, TLS1_3_VERSION)).connected());
}

TEST_CASE("HTTP/1.1 is chosen by ALPN, and the end of a connection is said") {
  const Certificates certificates;
  World world(certificates.tls());
  TlsOptions options = options_for(certificates);
  options.alpn = "\x02h2\x08http/1.1";
  TlsClient client(world.port(), options);
  REQUIRE(client.connected());
  CHECK(client.protocol() == "http/1.1");
  REQUIRE(client.send(get("/free/x", "Connection: close\r\n")));
  CHECK_THAT(client.read_until("{}"), Catch::Contains("Connection: close"));
  CHECK(client.ended_properly());
  TlsClient malformed(world.port(), options);
  REQUIRE(malformed.send("GARBAGE\r\n\r\n"));
  CHECK_THAT(malformed.read_until("}"), Catch::StartsWith("HTTP/1.1 400"));
  CHECK(malformed.ended_properly());
}

TEST_CASE("a large body passes both ways over TLS") {
  const Certificates certificates;
  World world(certificates.tls());
  world.legacy.script([](const SeenRequest& seen) { return Reply::ok(seen.body + "END"); });
  TlsClient client(world.port(), options_for(certificates));
  const std::string body(3'000'000, 'b');
  REQUIRE(client.send(post("/free/x", body)));
  const std::string answer = client.read_until("END");
  CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 200"));
  CHECK(answer.size() > body.size());
  CHECK(world.legacy.seen().front().body == body);
}

TEST_CASE("clients must show a certificate that client_ca has signed") {
  const Certificates certificates;
  TempDir elsewhere;
  CertificateAuthority clients(elsewhere.path(), "clients");
  clients.issue("teller", "DNS:teller.test");
  World world(certificates.tls(fmt::format(", client_ca: \"{}\"", clients.file())));
  const auto answer_to = [&](const std::string& certificate, const std::string& key) {
    TlsOptions options = options_for(certificates);
    options.certificate = certificate;
    options.key = key;
    TlsClient client(world.port(), options);
    // With TLS 1.3 the client learns of a refusal only when it reads.
    return client.connected() && client.send(get("/free/x")) ? client.read_until("{}") : std::string();
  };
  CHECK_THAT(answer_to(clients.certificate("teller"), clients.key("teller")), Catch::StartsWith("HTTP/1.1 200"));
  CHECK(answer_to("", "").empty());
  CHECK(answer_to(certificates.authority.certificate("server"), certificates.authority.key("server")).empty());
  CHECK(eventually([&] { return world.status()["rejected"]["tls_handshake"] == 2; }));
}

TEST_CASE("who speaks plain HTTP to the TLS port is told, and who says nothing is closed in time") {
  const Certificates certificates;
  World world(certificates.tls() + "  timeouts: {request_head: 200ms}");
  RawClient plain(world.port());
  const auto answer = plain.exchange(get("/free/x"));
  CHECK(answer.status == 400);
  CHECK_THAT(answer.body, Catch::Contains("this port speaks TLS"));
  CHECK(plain.closed_by_peer());
  RawClient silent(world.port());
  CHECK(silent.closed_by_peer());
  CHECK(world.legacy.bytes_received() == 0);
}

TEST_CASE("at the drain an idle TLS connection is ended as it should be, and a waiting request is not lost") {
  const Certificates certificates;
  World world(certificates.tls());
  TlsClient idle(world.port(), options_for(certificates));
  REQUIRE(idle.send(get("/free/x")));
  CHECK_THAT(idle.read_until("{}"), Catch::StartsWith("HTTP/1.1 200"));
  TlsClient busy(world.port(), options_for(certificates));
  world.legacy.hold();
  REQUIRE(busy.send(get("/free/y")));
  REQUIRE(world.legacy.wait_for(2));
  std::thread drain([&] { world.stop(); });
  CHECK(idle.ended_properly());
  world.legacy.release();
  CHECK_THAT(busy.read_until("{}"), Catch::StartsWith("HTTP/1.1 200"));
  CHECK(busy.ended_properly());
  drain.join();
}

TEST_CASE("a WebSocket over TLS ends with a close_notify") {
  const Certificates certificates;
  World world(certificates.tls());
  world.legacy.script([](const SeenRequest& seen) {
    if (seen.method != "GET") return Reply{"bye.", true, false, {}};
    return Reply{"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", false, false, {}};
  });
  TlsClient client(world.port(), options_for(certificates));
  REQUIRE(client.send(get("/free/ws", "Connection: upgrade\r\nUpgrade: websocket\r\n")));
  CHECK_THAT(client.read_until("\r\n\r\n"), Catch::StartsWith("HTTP/1.1 101"));
  REQUIRE(client.send("BYE x y\r\n\r\n"));
  CHECK(client.read_until("bye.") == "bye.");
  CHECK(client.ended_properly());
  CHECK(world.settle());
}

TEST_CASE("a reload brings a new certificate to new connections, and touches no open one") {
  Certificates certificates;
  World world(certificates.tls());
  TlsClient open(world.port(), options_for(certificates));
  REQUIRE(open.connected());
  REQUIRE(open.send(get("/free/x")));
  CHECK_THAT(open.read_until("{}"), Catch::StartsWith("HTTP/1.1 200"));
  certificates.authority.issue("server", "DNS:bank.test,IP:127.0.0.1");  // the same files
  REQUIRE(world.admin("POST", "/reload").status == 200);
  const TlsClient renewed(world.port(), options_for(certificates));
  REQUIRE(renewed.connected());
  CHECK(renewed.serial() == open.serial() + 1);
  REQUIRE(open.send(get("/free/x")));
  CHECK_THAT(open.read_until("{}"), Catch::StartsWith("HTTP/1.1 200"));
  SECTION("a broken file is refused, and the old certificate stays") {
    std::ofstream(certificates.authority.certificate("server")) << "no PEM";
    const auto refused = world.admin("POST", "/reload");
    CHECK(refused.status == 422);
    CHECK_THAT(refused.body, Catch::Contains("gateway.tls.certificate"));
    CHECK(TlsClient(world.port(), options_for(certificates)).serial() == renewed.serial());
  }
}

TEST_CASE("files of TLS that are not right are errors that name key and file") {
  const Certificates certificates;
  TempDir elsewhere;
  CertificateAuthority other(elsewhere.path(), "other");
  other.issue("server", "DNS:bank.test");
  const auto error = [](const std::string& certificate, const std::string& key, const std::string& more = "") {
    try {
      World world(fmt::format("  tls: {{certificate: \"{}\", private_key: \"{}\"{}}}\n", certificate, key, more));
    } catch (const Failure& failure) {
      return std::string(failure.what());
    }
    return std::string("no error");
  };
  const std::string good = certificates.authority.certificate("server");
  const std::string key = certificates.authority.key("server");
  CHECK_THAT(error("/nowhere.pem", key), Catch::Contains("gateway.tls.certificate: /nowhere.pem: cannot be read"));
  CHECK_THAT(error(good, other.key("server")), Catch::Contains("gateway.tls.private_key: " + other.key("server")));
  CHECK_THAT(error(good, key, ", client_ca: /nowhere.pem"), Catch::Contains("gateway.tls.client_ca: /nowhere.pem"));
}
