// Whose word forces a side, and where it counts.
#include "gateway/side_override.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::gateway;

namespace {

const std::string kToken = "a-token-of-some-length";

config::GatewayConfig::Override configured() {
  config::GatewayConfig::Override config;
  config.token = kToken;
  return config;
}

struct Taken {
  SideOverride result;
  std::size_t fields_left = 0;
};
Taken take(const std::string& fields, const config::GatewayConfig::Override& config = configured()) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  RequestHead head;
  REQUIRE_FALSE(parse_request_head(text, head));
  Taken taken;
  taken.result = take_override(head, config);
  taken.fields_left = head.fields.size();
  return taken;
}

}  // namespace

TEST_CASE("a side is forced with the right token alone, and both headers are gone") {
  const std::string token = "X-Phoenix-Token: " + kToken + "\r\n";
  const auto modern = take("x-phoenix-side: modern\r\n" + token);
  CHECK(modern.result.side == Side::modern);
  CHECK(modern.result.refusal.empty());
  CHECK(modern.fields_left == 1);
  CHECK(take("X-Phoenix-Side: legacy\r\n" + token).result.side == Side::legacy);
  const auto nothing = take("Accept: */*\r\n");
  CHECK((!nothing.result.side && nothing.result.refusal.empty() && nothing.fields_left == 2));
  const std::vector<std::string> refused = {
      "X-Phoenix-Side: modern\r\n",
      "X-Phoenix-Side: modern\r\nX-Phoenix-Token: wrong\r\n",
      "X-Phoenix-Side: modern\r\nX-Phoenix-Token:\r\n",
      "X-Phoenix-Side: modern\r\nX-Phoenix-Token: " + kToken + "x\r\n",
      "X-Phoenix-Side: modern\r\nX-Phoenix-Token: A-token-of-some-length\r\n",
      "X-Phoenix-Side: modern\r\n" + token + token,
      "X-Phoenix-Side: Modern\r\n" + token,
      "X-Phoenix-Side:\r\n" + token,
      "X-Phoenix-Side: modern\r\nX-Phoenix-Side: modern\r\n" + token,
      token,
  };
  for (const auto& fields : refused) {
    INFO(fields);
    const auto answer = take(fields);
    CHECK_FALSE(answer.result.side);
    CHECK_FALSE(answer.result.refusal.empty());
    CHECK(answer.result.refusal.find(kToken) == std::string_view::npos);
    CHECK(answer.fields_left == 1);
  }
}

TEST_CASE("without an override in the configuration its headers are as any other") {
  const auto answer = take("X-Phoenix-Side: modern\r\nX-Phoenix-Token: " + kToken + "\r\n", {});
  CHECK((!answer.result.side && answer.result.refusal.empty()));
  CHECK(answer.fields_left == 3);
}

TEST_CASE("where an override counts") {
  const auto parsed = config::parse(R"(
slices: [{name: s, stage: shadow}, {name: fixed, stage: shadow}]
gateway:
  legacy: {endpoints: ["http://127.0.0.1:1"]}
  modern: {endpoints: ["http://127.0.0.1:2"]}
  routes:
    - {name: both, slice: s, match: {path: "/a/*"}, shadow: dual}
    - {name: part, slice: fixed, match: {path: "/b/*"}, shadow: reads}
)",
                                    "x.yml");
  REQUIRE(parsed.has_value());
  Exchange exchange;
  exchange.settings = std::make_shared<const Settings>(parsed->gateway, parsed->slices);
  const auto& routes = exchange.settings->routes;
  const auto counts = [&](const char* target, EffectiveSlice slice) {
    exchange.route = &routes.match("GET", target);
    return override_counts(exchange, slice);
  };
  CHECK_FALSE(counts("/a/1", {Stage::canary, 0, 0, false}));  // nobody asked
  exchange.override_side = Side::modern;
  CHECK(counts("/a/1", {Stage::canary, 0, 0, false}));
  CHECK(counts("/a/1", {Stage::promoted, 0, 0, false}));
  CHECK(counts("/a/1", {Stage::shadow, 0, 0, false}));
  CHECK_FALSE(counts("/a/1", {Stage::shadow, 0, 0, true}));   // killed
  CHECK_FALSE(counts("/b/1", {Stage::shadow, 0, 0, false}));  // a write would be lost to legacy
  CHECK_FALSE(counts("/a/1", {Stage::bypass, 0, 0, false}));
  CHECK_FALSE(counts("/a/1", {Stage::retired, 0, 0, false}));
  CHECK_FALSE(counts("/c", {Stage::canary, 0, 0, false}));
  exchange.upgrade = "websocket";
  CHECK_FALSE(counts("/a/1", {Stage::canary, 0, 0, false}));
}
