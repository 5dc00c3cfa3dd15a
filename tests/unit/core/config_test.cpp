#include "core/runtime/config.hpp"

#include <cstdlib>

#include "tests/support/catch.hpp"

using namespace phoenix;

namespace {
const std::string kMinimal =
    "mode: local\n"
    "event_log: {sqlite: {path: /tmp/x.db}}\n"
    "gateway:\n"
    "  legacy: {endpoints: [\"http://127.0.0.1:8081\"]}\n"
    "  modern: {endpoints: [\"http://127.0.0.1:8082\"]}\n";

std::string error_of(const std::string& text) {
  const auto result = config::parse(text, "phoenix.yml");
  return result ? "no error" : result.error().message;
}
}  // namespace

TEST_CASE("two backends and nothing else are a safe configuration") {
  const auto config = config::parse(kMinimal, "phoenix.yml").value();
  REQUIRE(config.slices.size() == 1);
  CHECK(config.slices[0].name == "default");
  CHECK(config.slices[0].stage == Stage::shadow);
  CHECK(config.gateway.routes.empty());
  CHECK(config.gateway.legacy.endpoints[0].address.port == 8081);
  CHECK(config.orchestrator.ramp.p0 == Approx(0.001));
  CHECK(config.control_gateways.size() == 1);
  CHECK(config.hash.size() == 32);
}

TEST_CASE("errors name the key, its line and what to do") {
  CHECK(error_of(kMinimal + "  lisen: 127.0.0.1:1\n") ==
        "phoenix.yml:6: gateway: unknown key 'lisen'; did you mean 'listen'?");
  CHECK_THAT(error_of(kMinimal + "  timeouts: {response: 15}\n"),
             Catch::Contains("phoenix.yml:6: gateway.timeouts.response: '15' is not a duration"));
  CHECK_THAT(error_of(kMinimal + "  limits: {head_bytes: 64kb}\n"), Catch::Contains("is not a size"));
  CHECK_THAT(error_of("gateway: {modern: {endpoints: [\"http://a:1\"]}}\n"),
             Catch::Contains("legacy.endpoints is missing"));
  CHECK_THAT(error_of(kMinimal + "  routes:\n    - {name: r, slice: nope, match: {path: /x}}\n"),
             Catch::Contains("slice 'nope' is not declared"));
  CHECK_THAT(error_of(kMinimal + "  routes:\n    - {name: r, match: {path: /x}, key: {path: id}}\n"),
             Catch::Contains("no segment of the template"));
  CHECK_THAT(error_of("mode: local\nmode: local\n"), Catch::Contains("twice") || Catch::Contains("mode"));
  CHECK_THAT(error_of("mode: [\n"), Catch::Contains("phoenix.yml:"));
  CHECK_THAT(error_of("slices: [{name: a, weight: 5}]\n"), Catch::Contains("canary only"));
  CHECK_THAT(config::load("/nowhere/phoenix.yml").error().message, Catch::Contains("cannot read configuration file"));
}

TEST_CASE("secrets come from the environment") {
  setenv("PHOENIX_TEST_SECRET", "s3cret", 1);
  unsetenv("PHOENIX_TEST_ABSENT");
  const auto config =
      config::parse(
          "orchestrator: {database: \"postgresql://u:${PHOENIX_TEST_SECRET}@h/${PHOENIX_TEST_ABSENT:-db}\"}\n", "f")
          .value();
  CHECK(config.orchestrator.database == "postgresql://u:s3cret@h/db");
  CHECK(config.arbiter.database == config.orchestrator.database);
  CHECK_THAT(error_of("mode: local\nmigration: {salt: \"${PHOENIX_TEST_ABSENT}\"}\n"),
             Catch::Contains("phoenix.yml:2: environment variable PHOENIX_TEST_ABSENT is not set"));
}

TEST_CASE("endpoints of a backend: TCP, TLS and Unix sockets, with weights") {
  const auto backend = [](const std::string& endpoints) {
    return config::parse("gateway: {legacy: {endpoints: " + endpoints + "}}\n", "f");
  };
  const auto all =
      backend(
          "[\"http://core\", \"https://core\", \"https://[::1]\", \"https://core:8443/\", \"unix:/run/core.sock\","
          " {url: \"http://other:81\", weight: 3}]")
          .value()
          .gateway.legacy.endpoints;
  std::string names;
  for (const auto& endpoint : all) names += endpoint.name() + (endpoint.tls ? "+tls " : " ");
  CHECK(names == "core:80 core:443+tls [::1]:443+tls core:8443+tls unix:/run/core.sock other:81 ");
  CHECK(all.back().weight == 3);
  CHECK_THAT(backend("[\"https://a:x\"]").error().message,
             Catch::Contains("f:1: gateway.legacy.endpoints: 'https://a:x'"));
  CHECK_THAT(backend("[\"unix:relative\"]").error().message, Catch::Contains("write unix:/PATH"));
  CHECK_THAT(backend("[\"http://a\", \"http://a:80\"]").error().message, Catch::Contains("stands here twice"));
  CHECK_THAT(backend("[{url: \"http://a\", weight: 0}]").error().message, Catch::Contains("from 1 to 1000"));
}

TEST_CASE("what the gateway's section refuses") {
  CHECK_THAT(error_of(kMinimal + "  tls: {certificate: a.pem}\n"), Catch::Contains("belong together"));
  CHECK_THAT(error_of(kMinimal + "  tls: {client_ca: a.pem}\n"), Catch::Contains("needs certificate"));
  CHECK_THAT(error_of(kMinimal + "  trusted_proxies: [10.0.0.0/33]\n"), Catch::Contains("'10.0.0.0/33' is neither"));
  CHECK_THAT(error_of(kMinimal + "  upgrade: [websocket, h2c]\n"), Catch::Contains("'h2c' would carry requests past"));
  CHECK_THAT(error_of(kMinimal + "  limits: {target_bytes: 1MiB}\n"), Catch::Contains("at most head_bytes"));
  CHECK_THAT(error_of(kMinimal + "  access_log: {sample: 200%}\n"), Catch::Contains("access_log.sample"));
}

TEST_CASE("values carry units") {
  CHECK(config::parse_duration("250ms").value().count() == 250);
  CHECK(config::parse_duration("7d").value().count() == 7LL * 86'400'000);
  CHECK(config::parse_duration("1.5s").has_error());
  CHECK(config::parse_bytes("64KiB").value() == 65'536);
  CHECK(config::parse_endpoint("http://[::1]:80").value() == config::Endpoint{"::1", 80});
  CHECK(config::parse_endpoint(":8080").value() == config::Endpoint{"0.0.0.0", 8080});
  CHECK(config::parse_endpoint("https://a:1").has_error());
  CHECK(config::parse_endpoint("a").has_error());
  CHECK(config::parse_endpoint("a:99999").has_error());
}

TEST_CASE("secrets: what is redacted, who may force a side, whose credentials a late leg carries") {
  const auto config = config::parse(kMinimal +
                                        "  redact: {key: 0123456789abcdef, headers: X-Api-Key, json: [/a, \"/b/*\"], "
                                        "query: [token]}\n"
                                        "  override: {token: \"a-token-of-some-length\"}\n",
                                    "phoenix.yml")
                          .value();
  CHECK(config.gateway.redact.headers == std::vector<std::string>{"X-Api-Key"});
  CHECK(config.gateway.redact.json.size() == 2);
  CHECK(config.gateway.side_override.enabled());
  CHECK(config.gateway.side_override.header == "X-Phoenix-Side");
  CHECK_FALSE(config::parse(kMinimal, "phoenix.yml")->gateway.side_override.enabled());
  const auto auth = [](const std::string& text) {
    return "gateway: {legacy: {endpoints: \"http://a:1\", shadow_auth: {" + text + "}}}\n";
  };
  const auto backend = config::parse(auth("header: Authorization, value: Bearer x, after: 3s"), "x.yml").value();
  CHECK(backend.gateway.legacy.shadow_auth.value == "Bearer x");
  CHECK(backend.gateway.legacy.shadow_auth.after == std::chrono::seconds(3));
  CHECK_FALSE(backend.gateway.modern.shadow_auth.enabled());

  const std::vector<std::pair<std::string, const char*>> refused = {
      {kMinimal + "  redact: {key: s3cret}\n", "gateway.redact: key: needs at least 16"},
      {kMinimal + "  redact: {headers: [\"a b\"]}\n", "no name of a header"},
      {kMinimal + "  redact: {headers: [x-request-id]}\n", "must not hold a secret"},
      {kMinimal + "  redact: {json: [a]}\n", "must start with '/'"},
      {kMinimal + "  redact: {json: [/a~2]}\n", "write ~0"},
      {kMinimal + "  redact: {json: [/a~]}\n", "write ~0"},
      {kMinimal + "  redact: {query: [\"\"]}\n", "has a name"},
      {kMinimal + "  override: {header: X-Side}\n", "gateway.override: token: needs at least 16"},
      {kMinimal + "  override: {token: s3cret}\n", "needs at least 16"},
      {kMinimal + "  override: {token: s3cret-s3cret-s3cret, header: x-phoenix-token}\n", "two headers"},
      {kMinimal + "  override: {token: s3cret-s3cret-s3cret, header: Host}\n", "meaning of its own"},
      {auth("header: Authorization"), "belong together"},
      {auth("value: s3cret"), "belong together"},
      {auth("header: Content-Length, value: s3cret"), "meaning of its own"},
      {auth("header: X-Phoenix-Leg, value: s3cret"), "by the gateway alone"},
      {auth("header: Authorization, value: \"s3cret\\r\\nX: y\""), "no value of a header"},
  };
  for (const auto& [text, problem] : refused) {
    INFO(text);
    CHECK_THAT(error_of(text), Catch::Contains(problem) && !Catch::Contains("s3cret"));
  }
}

TEST_CASE("a sweep needs a table on both sides and one slice; a repair its statements") {
  const std::string ledgers =
      "arbiter:\n"
      "  legacy_db: {url: \"postgresql:///l\", balance_query: \"SELECT $1\", sweep: {table: accounts}}\n"
      "  modern_db: {url: \"postgresql:///m\", balance_query: \"SELECT $1\"";
  const auto config =
      config::parse(ledgers + ", sweep: {table: t, balance: minor, scale: 2}, resync: {read: \"SELECT $1\"}}\n", "f")
          .value();
  CHECK(config.arbiter.sweep.slice == "default");
  CHECK(config.arbiter.sweep.configured(config.arbiter.legacy_db, config.arbiter.modern_db));
  CHECK(config.arbiter.modern_db.sweep.scale == 2);
  CHECK(config.arbiter.modern_db.resync.url == "postgresql:///m");
  CHECK(config.control_arbiter == config.arbiter.listen);
  CHECK_THAT(error_of(ledgers + "}\n"), Catch::Contains("name a table on both sides"));
  CHECK_THAT(error_of("slices: [{name: a}, {name: b}]\n" + ledgers + ", sweep: {table: t}}\n"),
             Catch::Contains("there are several slices"));
  CHECK_THAT(error_of(ledgers + ", sweep: {table: t}}\n  sweep: {slice: nope}\n"), Catch::Contains("no slice 'nope'"));
  CHECK_THAT(error_of(ledgers + ", sweep: {table: t}, resync: {read: \"SELECT 1\"}}\n"),
             Catch::Contains("the account as $1"));
  CHECK_THAT(error_of(ledgers + ", sweep: {table: t}, resync: {apply: \"UPDATE $1\"}}\n"),
             Catch::Contains("apply needs read"));
}
