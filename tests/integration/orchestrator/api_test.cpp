#include "tests/support/catch.hpp"
#include "world.hpp"

using namespace phoenix;
using namespace phoenix::orchestrator;
using nlohmann::json;

TEST_CASE("wrong requests are refused with problem JSON that says what is wrong") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  world.clean_units = 0;
  const Orchestrator orchestrator(world.config());
  REQUIRE(world.until([&] { return world.policy.epoch == 1; }));
  struct Row {
    const char* target;
    json body;
    int status;
    const char* words;
  };
  const std::string slice = "/api/v1/slices/payments/";
  const std::vector<Row> rows{
      {"/api/v1/slices/payments/weight", "not json", 400, "JSON object"},
      {"/api/v1/slices/payments/weight", json{{"weight", 5}}, 400, "'by'"},
      {"/api/v1/slices/payments/weight", json{{"by", ""}, {"weight", 5}}, 400, "'by'"},
      {"/api/v1/slices/payments/weight", json{{"by", "x"}}, 400, "'weight'"},
      {"/api/v1/slices/payments/weight", json{{"by", "x"}, {"weight", 101}}, 400, "weight"},
      {"/api/v1/slices/payments/weight", json{{"by", "x"}, {"weight", -1}}, 400, "weight"},
      {"/api/v1/slices/payments/weight", json{{"by", "x"}, {"weight", "0.001"}}, 400, "weight"},
      {"/api/v1/slices/payments/weight", json{{"by", 7}, {"weight", 5}}, 400, "'by'"},
      {"/api/v1/slices/nope/weight", json{{"by", "x"}, {"weight", 5}}, 404, "payments"},
      {"/api/v1/slices/payments/kill", json{{"by", "x"}}, 400, "'reason'"},
      {"/api/v1/slices/nope/kill", json{{"by", "x"}, {"reason", "r"}}, 404, "nope"},
      {"/api/v1/kill", json{{"by", "x"}, {"reason", "r"}, {"slice", 7}}, 400, "'slice'"},
      {"/api/v1/slices/payments/reset", json{{"by", "x"}, {"reason", "r"}}, 409, "no latch"},
      {"/api/v1/slices/payments/promote", json{{"by", "x"}}, 409, "canary 100 %"},
      {"/api/v1/slices/payments/retire", json{{"by", "x"}, {"confirm", "yes"}}, 400, "retire payments"},
  };
  for (const auto& row : rows) {
    INFO(row.target << " " << row.body);
    const auto answer = post(orchestrator.endpoint(), row.target, row.body);
    CHECK(answer.status == row.status);
    REQUIRE(answer.body.is_object());
    CHECK_THAT(answer.body.value("detail", ""), Catch::Contains(row.words));
    CHECK(answer.body.value("status", 0) == row.status);
  }
  CHECK(get(orchestrator.endpoint(), "/api/v1/slices/nope").status == 404);
  CHECK(get(orchestrator.endpoint(), "/api/v1/nothing").status == 404);
  CHECK(get(orchestrator.endpoint(), slice + "weight").status == 405);
  CHECK(get(orchestrator.endpoint(), "/api/v1/history?limit=x").status == 400);
  CHECK(get(orchestrator.endpoint(), "/api/v1/verdicts?kindd=mismatch").status == 400);
  CHECK(get(orchestrator.endpoint(), "/api/v1/verdicts?kind=odd").status == 400);
  CHECK(get(orchestrator.endpoint(), "/api/v1/exchanges/none").status == 400);
  CHECK(world.policy.epoch == 1);
}

TEST_CASE("a weight set by hand beyond the evidence is allowed and says so in the record") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  world.clean_units = 0;
  const Orchestrator orchestrator(world.config());
  REQUIRE(world.until([&] { return world.policy.epoch == 1; }));
  const auto answer = post(orchestrator.endpoint(), "/api/v1/slices/payments/weight",
                           {{"by", "lead"}, {"reason", "try"}, {"weight", 12.5}});
  REQUIRE(answer.status == 200);
  CHECK(answer.body["slice"]["weight"] == 12.5);
  REQUIRE(world.until([&] { return world.slice().weight_basis_points == 1'250; }));
  const auto row = get(orchestrator.endpoint(), "/api/v1/history").body["history"].back();
  CHECK(row["action"] == "weight");
  CHECK(row["who"] == "lead");
  CHECK(row["reason"] == "try");
  CHECK(row["evidence"]["evidence"] == "overridden by hand");
  // Two gateways and writes: not even by hand.
  REQUIRE(post(orchestrator.endpoint(), "/api/v1/slices/payments/weight", {{"by", "lead"}, {"weight", 0}}).status ==
          200);
  world.gateways = {"gw-1", "gw-2"};
  REQUIRE(world.until([&] { return get(orchestrator.endpoint(), "/api/v1/status").body["gateways"].size() == 2; }));
  CHECK(post(orchestrator.endpoint(), "/api/v1/slices/payments/weight", {{"by", "lead"}, {"weight", 5}}).status == 409);
}

TEST_CASE("what the arbiter found is read from its tables, which may not be there yet") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  const Orchestrator orchestrator(world.config());
  const auto& api = orchestrator.endpoint();
  const std::string id = "01890000-0000-7000-8000-000000000001";
  CHECK(get(api, "/api/v1/verdicts").body["verdicts"].empty());
  CHECK(get(api, "/api/v1/drift").body["drift"].empty());
  CHECK(get(api, "/api/v1/exchanges/" + id).status == 404);
  world.sql(
      "CREATE SCHEMA arbiter;"
      "CREATE TABLE arbiter.verdicts (exchange_id text, account text, slice text, route text, verdict text, detail "
      "text, event_time timestamptz, rung bigint);"
      "CREATE TABLE arbiter.exchanges (exchange_id text PRIMARY KEY, header jsonb, request_body bytea, legacy_status "
      "int, legacy_body bytea, modern_status int, modern_body bytea);"
      "CREATE TABLE arbiter.drift (slice text, account text, currency text, gap_minor bigint);"
      "INSERT INTO arbiter.verdicts VALUES ('" +
      id +
      "', '42', 'payments', 'deposit', 'mismatch', '/fee', now() - interval '1 hour', 3), "
      "('" +
      id +
      "', '43', 'payments', 'balance', 'unknown', '', now(), 3);"
      "INSERT INTO arbiter.exchanges VALUES ('" +
      id +
      "', '{\"route\":\"deposit\",\"slice\":\"payments\",\"rung\":3,\"keys\":[{\"key\":\"42\",\"sequence\":1}]}', "
      "'\\x7b7d', 201, '\\x7b22666565223a302e32367d', 201, '\\xff00');"
      "INSERT INTO arbiter.drift VALUES ('payments', '42', 'EUR', 5)");
  const auto count = [&](const std::string& query) {
    return get(api, "/api/v1/verdicts" + query).body["verdicts"].size();
  };
  CHECK(count("") == 2);
  CHECK(count("?kind=mismatch") == 1);
  CHECK(count("?account=43") == 1);
  CHECK(count("?route=deposit&slice=payments") == 1);
  CHECK(count("?slice=cards") == 0);
  CHECK(count("?since=15m") == 1);
  CHECK(count("?since=2000-01-01") == 2);
  CHECK(count("?limit=1") == 1);
  CHECK(get(api, "/api/v1/verdicts?since=yesterdayish").status == 400);
  CHECK(get(api, "/api/v1/verdicts").body["verdicts"][0]["account"] == "43");
  const auto exchange = get(api, "/api/v1/exchanges/" + id);
  REQUIRE(exchange.status == 200);
  CHECK(exchange.body["exchange"]["legacy_body"] == R"({"fee":0.26})");
  CHECK(exchange.body["exchange"]["modern_body"] == "ff00");
  CHECK(exchange.body["exchange"]["modern_body_encoding"] == "base16");
  CHECK(exchange.body["verdicts"].size() == 2);
  CHECK(exchange.body["split_keys"].empty());
  world.sql(
      "CREATE TABLE arbiter.split_keys (slice text, rung bigint, key text, first_gateway text, second_gateway text);"
      "INSERT INTO arbiter.split_keys VALUES ('payments', 3, '42', 'gw-1', 'gw-2'), ('payments', 2, '42', 'a', 'b'),"
      " ('cards', 3, '42', 'a', 'b'), ('payments', 3, '43', 'a', 'b')");
  const auto split = get(api, "/api/v1/exchanges/" + id).body["split_keys"];
  REQUIRE(split.size() == 1);
  CHECK(split[0]["second_gateway"] == "gw-2");
  CHECK(get(api, "/api/v1/drift").body["drift"][0]["gap_minor"] == 5);

  CHECK(get(api, "/api/v1/groups").body["groups"].empty());  // an arbiter of an older version
  CHECK(exchange.body["groups"].empty());
  world.sql(
      "ALTER TABLE arbiter.verdicts ADD COLUMN cause text NOT NULL DEFAULT '';"
      "UPDATE arbiter.verdicts SET cause = 'fee_tier' WHERE verdict = 'mismatch';"
      "CREATE TABLE arbiter.mismatch_groups (slice text, route text, cause text, path text, mismatches bigint, "
      "sentence "
      "text, state text);"
      "INSERT INTO arbiter.mismatch_groups VALUES ('payments', 'deposit', 'fee_tier', '/fee', 7, 'seven', '{}'),"
      " ('payments', 'deposit', 'status', '', 9, 'nine', '{}'), ('cards', 'deposit', 'fee_tier', '/fee', 1, 'one', "
      "'{}')");
  const auto groups = get(api, "/api/v1/groups?slice=payments").body["groups"];
  REQUIRE(groups.size() == 2);
  CHECK(groups[0]["sentence"] == "nine");
  CHECK_FALSE(groups[0].contains("state"));
  CHECK(get(api, "/api/v1/groups").body["groups"].size() == 3);
  CHECK(get(api, "/api/v1/groups?limit=1").body["groups"].size() == 1);
  CHECK(get(api, "/api/v1/groups?limit=0").status == 400);
  CHECK(get(api, "/api/v1/groups?slices=payments").status == 400);
  const auto own = get(api, "/api/v1/exchanges/" + id).body["groups"];
  REQUIRE(own.size() == 1);
  CHECK(own[0]["sentence"] == "seven");
}

TEST_CASE("health, readiness and metrics") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  const Orchestrator orchestrator(world.config());
  REQUIRE(world.until([&] { return world.slice().weight_basis_points == 10'000; }));
  CHECK(get(orchestrator.endpoint(), "/healthz").status == 200);
  CHECK(get(orchestrator.endpoint(), "/readyz").status == 200);
  http::Client client(orchestrator.endpoint(), std::chrono::seconds(5));
  const auto metrics = client.request("GET", "/metrics");
  REQUIRE(metrics.has_value());
  CHECK_THAT(metrics->body, Catch::Contains("phoenix_orchestrator_is_leader 1"));
  CHECK_THAT(metrics->body, Catch::Contains("phoenix_orchestrator_weight_ratio{slice=\"payments\"} 1"));
  CHECK_THAT(metrics->body, Catch::Contains("phoenix_orchestrator_decisions_total"));
  CHECK_THAT(metrics->body, Catch::Contains("stage=\"canary\"} 1"));
}
