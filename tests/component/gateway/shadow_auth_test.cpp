// A shadow leg that waited long: when it was served, and with whose credentials it goes.
#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;
using Catch::Contains;

namespace {

struct LateWorld : World {
  LateWorld() {
    stop();
    replace_config("  modern: {",
                   "  modern: {shadow_auth: {header: Authorization, value: \"Bearer first\", after: 500ms}, ");
    start();
  }
  /// Modern is away for more than a second after `send` was answered by legacy.
  template <class Send>
  void while_modern_is_away(Send send) {
    modern.refuse();
    send();
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(1'100);
    REQUIRE(eventually([&] { return std::chrono::steady_clock::now() > until; }));
  }
};

}  // namespace

TEST_CASE_METHOD(LateWorld, "a late shadow leg says when it was served and carries the backend's own credentials") {
  RawClient client(port());
  const std::string fields = "Authorization: Bearer client\r\nX-Phoenix-Served-At: 1999-01-01T00:00:00.000Z\r\n";
  CHECK(client.exchange(post("/accounts/1/deposits", "{}", fields)).status == 200);
  REQUIRE(settle());
  CHECK(modern.seen().back().header("Authorization") == "Bearer client");
  CHECK(modern.seen().back().header("X-Phoenix-Served-At").empty());
  while_modern_is_away([&] {
    CHECK(client.exchange(post("/accounts/7/deposits", "{}", fields)).status == 200);
    CHECK(client.exchange(post("/accounts/8/deposits")).status == 200);  // without credentials
  });
  replace_config("Bearer first", "Bearer second");  // they are those of the moment at which the leg leaves
  REQUIRE(admin("POST", "/reload").status == 200);
  modern.back();
  REQUIRE(settle());
  for (const auto& seen : legacy.seen()) CHECK(seen.header("X-Phoenix-Served-At").empty());
  CHECK(legacy.seen()[1].header("Authorization") == "Bearer client");
  REQUIRE(modern.count() == 3);
  for (const auto& seen : modern.seen()) {
    if (seen.target == "/accounts/1/deposits") continue;
    const bool anonymous = seen.target == "/accounts/8/deposits";
    CHECK(seen.header("Authorization") == (anonymous ? "" : "Bearer second"));
    const std::string served_at = seen.header("X-Phoenix-Served-At");
    CHECK(served_at.size() == 24);
    CHECK_THAT(served_at, Catch::StartsWith("20") && Catch::EndsWith("Z"));
  }
  for (const auto& event : events()) {
    CHECK_THAT(encode(event), !Contains("Bearer"));
    CHECK(event.shadow.status == 200);
    if (event.target == "/accounts/1/deposits") continue;
    CHECK(event.shadow.sent_at_us > event.serving.sent_at_us + event.serving.duration_us + 1'000'000);
  }
  CHECK_THAT(admin("GET", "/status").body, !Contains("Bearer"));
  check_accounts();
}

TEST_CASE_METHOD(LateWorld, "whom legacy refused gets no better credentials later") {
  legacy.script([](const SeenRequest&) { return Reply::status(403); });
  modern.script([](const SeenRequest&) { return Reply::status(401); });
  RawClient client(port());
  while_modern_is_away([&] {
    CHECK(client.exchange(post("/accounts/7/deposits", "{}", "Authorization: Bearer client\r\n")).status == 403);
  });
  modern.back();
  REQUIRE(settle());
  REQUIRE(modern.count() == 1);
  CHECK(modern.seen()[0].header("Authorization") == "Bearer client");
  CHECK(modern.seen()[0].header("X-Phoenix-Served-At").size() == 24);
}
