// What a reload may change, and what an access line says: decided without a gateway.
#include "gateway/reload.hpp"

#include <fmt/format.h>

#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::gateway;
using Catch::Contains;

namespace {

struct Parts {
  std::string top = "mode: local";
  std::string migration = "{name: m, salt: a}";
  std::string event_log = "{sqlite: {path: e.db}}";
  std::string slices = "[{name: s, stage: shadow}]";
  std::string gateway = "id: g, state_dir: d, listen: 127.0.0.1:1, admin_listen: 127.0.0.1:2, threads: 1";
  std::string modern = "modern: {endpoints: [\"http://127.0.0.1:3\"]}";
  std::string more = "";
};

config::Config config_of(const Parts& parts) {
  const auto parsed = config::parse(
      fmt::format("{}\nmigration: {}\nevent_log: {}\nslices: {}\n"
                  "gateway: {{{}, legacy: {{endpoints: [\"http://127.0.0.1:4\"]}}, {}}}\n{}",
                  parts.top, parts.migration, parts.event_log, parts.slices, parts.gateway, parts.modern, parts.more),
      "new.yml");
  INFO((parsed ? "" : parsed.error().message));
  REQUIRE(parsed.has_value());
  return *parsed;
}

}  // namespace

TEST_CASE("a reload that needs a restart is refused with the key that needs it") {
  const config::Config running = config_of({});
  CHECK_FALSE(needs_restart(running, true, running));
  const auto refused = [&](const Parts& parts, const char* key) {
    const auto error = needs_restart(running, true, config_of(parts));
    INFO(key);
    REQUIRE(error);
    CHECK(error->code == ErrorCode::invalid_input);
    CHECK_THAT(error->message, Contains(std::string("new.yml: ") + key) && Contains("restart"));
  };
  const std::string gateway = Parts{}.gateway;
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = gateway;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  refused({.top = "mode: enterprise"}, "mode ");
  refused({.migration = "{name: other, salt: a}"}, "migration.name ");
  refused({.migration = "{name: m, salt: b}"}, "migration.salt ");
  refused({.event_log = "{sqlite: {path: other.db}}"}, "event_log ");
  refused({.event_log = "{sqlite: {path: e.db}, kafka: {properties: {linger.ms: \"5\"}}}"}, "event_log ");
  refused({.slices = "[{name: s, stage: bypass}]"}, "slices ");
  refused({.slices = "[{name: s, stage: shadow}, {name: t}]"}, "slices ");
  refused({.gateway = with("id: g", "id: h")}, "gateway.id ");
  refused({.gateway = with("state_dir: d", "state_dir: e")}, "gateway.state_dir ");
  refused({.gateway = with("127.0.0.1:1", "127.0.0.1:9")}, "gateway.listen ");
  refused({.gateway = with("127.0.0.1:2", "127.0.0.1:9")}, "gateway.admin_listen ");
  refused({.gateway = with("threads: 1", "threads: 2")}, "gateway.threads ");
  refused({.modern = "proxy_protocol: false"}, "gateway.modern ");
}

TEST_CASE("the rest of the section and the sections of other programs may change") {
  const config::Config running = config_of({});
  Parts parts;
  parts.gateway += ", timeouts: {connect: 5s}, access_log: {path: a.log}, on_control_loss: legacy";
  parts.more = "orchestrator: {tick: 300ms}\narbiter: {settle: 9s}\ncontrol: {gateways: [\"127.0.0.1:7\"]}\n";
  CHECK_FALSE(needs_restart(running, true, config_of(parts)));
  CHECK_FALSE(needs_restart(running, false, config_of({.modern = "proxy_protocol: false"})));  // there was none
}

TEST_CASE("a file without a gateway is no configuration of a gateway") {
  const auto next = config::parse("mode: local\n", "new.yml");
  const auto error = needs_restart(config_of({}), true, *next);
  REQUIRE(error);
  CHECK_THAT(error->message, Contains("'gateway' is missing"));
}
