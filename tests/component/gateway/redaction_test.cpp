// Secrets stay in the gateway: in events they are keyed hashes, and nothing else shows them either.
#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;
using Catch::Contains;
using Json = nlohmann::json;

namespace {

const std::string kRules =
    "  redact: {headers: [X-Api-Key], json: [/card/number, \"/items/*/pan\"], query: [token]%s}\n";

std::string rules(const std::string& more = "") {
  return std::string(kRules).replace(kRules.find("%s"), 2, more);
}

std::string sole_header(const HeaderList& headers, const std::string& name) {
  std::string found;
  for (const auto& [field, value] : headers) {
    if (field == name) found += value;
  }
  return found;
}

struct RedactingWorld : World {
  explicit RedactingWorld(const std::string& more = "") : World(rules(more)) {}
  /// The event of one request with a secret in every place.
  ExchangeEvent exchange_secrets() {
    const std::string answer =
        R"({"card":{"number":"s3cret-card","left":2},"items":[{"pan":4929176355501},{"pan":4929176355502}]})";
    legacy.script([answer](const SeenRequest&) { return Reply::ok(answer, "Set-Cookie: s3cret-session\r\n"); });
    modern.script([answer](const SeenRequest&) { return Reply::ok(answer); });
    RawClient client(port());
    const auto reply = client.exchange(
        post("/accounts/7/deposits?token=s3cret-token&n=1", R"({"amount": 1, "card": {"number": "s3cret-card"}})",
             "Authorization: Bearer s3cret-auth\r\nX-Api-Key: s3cret-key\r\nX-Plain: plain\r\n"));
    CHECK(reply.body == answer);  // the client's own
    REQUIRE(settle());
    return events().back();
  }
};

}  // namespace

TEST_CASE("events hold keyed hashes in the place of secrets, backends and the client get the secrets") {
  RedactingWorld world;
  world.stop();
  const std::string log = world.dir.path() + "/access.log";
  world.replace_config("  threads: 2\n", fmt::format("  threads: 2\n  access_log: {{path: \"{}\"}}\n", log));
  world.start();
  const ExchangeEvent event = world.exchange_secrets();
  for (const FakeBackend* backend : {&world.legacy, &world.modern}) {
    const SeenRequest seen = backend->seen().back();
    CHECK(seen.target == "/accounts/7/deposits?token=s3cret-token&n=1");
    CHECK(seen.header("Authorization") == "Bearer s3cret-auth");
    CHECK(seen.header("X-Api-Key") == "s3cret-key");
    CHECK_THAT(seen.body, Contains("s3cret-card"));
  }
  const std::string frame = encode(event);
  CHECK_THAT(frame, !Contains("s3cret") && !Contains("4929176355501") && !Contains("4929176355502"));
  const std::string card = Json::parse(event.request_body)["card"]["number"];
  CHECK_THAT(card, Catch::StartsWith("(redacted:"));
  CHECK(event.request_body == R"({"amount": 1, "card": {"number": ")" + card + R"("}})");
  const Json answer = Json::parse(event.serving.body);
  CHECK(answer["card"]["number"] == card);
  CHECK(answer["card"]["left"] == 2);
  CHECK(answer["items"][0]["pan"] != answer["items"][1]["pan"]);
  CHECK(event.shadow.body == event.serving.body);
  CHECK(event.shadow.body_hash == event.serving.body_hash);
  CHECK_THAT(event.target, Catch::StartsWith("/accounts/7/deposits?token=(redacted:") && Catch::EndsWith(")&n=1"));
  for (const char* name : {"Authorization", "X-Api-Key"})
    CHECK_THAT(sole_header(event.request_headers, name), Catch::StartsWith("(redacted:"));
  CHECK_THAT(sole_header(event.serving.headers, "Set-Cookie"), Catch::StartsWith("(redacted:"));
  CHECK(sole_header(event.request_headers, "X-Plain") == "plain");
  CHECK_THAT(world.admin("GET", "/status").body, !Contains("s3cret"));
  CHECK_THAT(world.admin("GET", "/metrics").body, !Contains("s3cret"));
  world.stop();
  std::ifstream file(log);
  const std::string lines{std::istreambuf_iterator<char>(file), {}};
  CHECK_THAT(lines, Contains("query_bytes") && !Contains("s3cret"));
}

TEST_CASE("equal secrets are equal across restarts, and across gateways that share a key") {
  const auto card = [](const ExchangeEvent& event) {
    return Json::parse(event.request_body)["card"]["number"].get<std::string>();
  };
  RedactingWorld alone;
  const std::string first = card(alone.exchange_secrets());
  alone.stop();
  alone.start();
  CHECK(card(alone.exchange_secrets()) == first);
  const std::string shared = ", key: \"a key that a fleet shares\"";
  RedactingWorld one(shared), other(shared);
  const std::string by_key = card(one.exchange_secrets());
  CHECK(by_key != first);
  CHECK(card(other.exchange_secrets()) == by_key);
  CHECK_THAT(one.admin("GET", "/status").body, !Contains("a key that a fleet shares"));
}

TEST_CASE_METHOD(RedactingWorld, "of a body that is not JSON nothing leaves; a reload changes what is redacted") {
  legacy.script([](const SeenRequest&) { return Reply::ok("<b>s3cret</b>", "Content-Type: text/html\r\n"); });
  RawClient client(port());
  CHECK(client.exchange(post("/free/x", "s3cret")).body == "<b>s3cret</b>");
  REQUIRE(settle());
  const ExchangeEvent event = events().back();
  CHECK_THAT(encode(event), !Contains("s3cret"));
  CHECK((event.request_body.empty() && event.request_truncated && event.request_body_bytes == 6));
  CHECK((event.serving.body.empty() && event.serving.truncated));
  CHECK((event.shadow.body == "{}" && !event.shadow.truncated));
  replace_config(rules(), "");
  REQUIRE(admin("POST", "/reload").status == 200);
  client.exchange(post("/free/x", "plain", "Authorization: s3cret\r\n"));
  REQUIRE(settle());
  CHECK(events().back().request_body == "plain");
  CHECK_THAT(sole_header(events().back().request_headers, "Authorization"), Catch::StartsWith("(redacted:"));
}
