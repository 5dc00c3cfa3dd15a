#include "orchestrator/audit_log.hpp"
#include "orchestrator/state_store.hpp"
#include "tests/support/catch.hpp"
#include "world.hpp"

using namespace phoenix;
using namespace phoenix::orchestrator;

TEST_CASE("a slice climbs from shadow to 100 % by itself and then waits for a person") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  const Orchestrator orchestrator(world.config());
  REQUIRE(world.until([&] { return world.slice().weight_basis_points == 10'000; }));

  std::vector<std::uint32_t> weights;
  std::uint64_t renewal = 0;
  for (const auto& policy : world.seen) {
    CHECK(policy.renewal > renewal);
    renewal = policy.renewal;
    const auto* slice = policy.find("payments");
    REQUIRE(slice != nullptr);
    if (weights.empty() || weights.back() != slice->weight_basis_points) {
      weights.push_back(slice->weight_basis_points);
      CHECK(slice->rung == policy.epoch);
    }
  }
  CHECK(weights == std::vector<std::uint32_t>{0, 100, 500, 2'500, 10'000});
  CHECK(world.seen.front().epoch == 1);

  // It stays there, renewing, and says whom it waits for.
  const auto at = world.policy.renewal;
  REQUIRE(world.until([&] { return world.policy.renewal >= at + 3; }));
  CHECK(world.slice().stage == Stage::canary);
  const auto status = get(orchestrator.endpoint(), "/api/v1/slices/payments");
  REQUIRE(status.status == 200);
  CHECK_THAT(status.body["decision"]["reason"].get<std::string>(), Catch::Contains("phoenixctl promote payments"));

  const auto promoted =
      post(orchestrator.endpoint(), "/api/v1/slices/payments/promote", {{"by", "lead"}, {"reason", "proven"}});
  CHECK(promoted.status == 200);
  REQUIRE(world.until([&] { return world.slice().stage == Stage::promoted; }));
  CHECK(post(orchestrator.endpoint(), "/api/v1/slices/payments/retire", {{"by", "lead"}}).status == 400);
  CHECK(
      post(orchestrator.endpoint(), "/api/v1/slices/payments/retire", {{"by", "lead"}, {"confirm", "retire payments"}})
          .status == 200);
  REQUIRE(world.until([&] { return world.slice().stage == Stage::retired; }));
  CHECK(post(orchestrator.endpoint(), "/api/v1/slices/payments/kill", {{"by", "lead"}, {"reason", "x"}}).status == 409);

  const auto history = get(orchestrator.endpoint(), "/api/v1/history?verify=true");
  REQUIRE(history.status == 200);
  CHECK(history.body["verification"]["intact"] == true);
  std::vector<std::string> actions;
  for (const auto& row : history.body["history"]) actions.push_back(row["action"]);
  CHECK(actions == std::vector<std::string>{"start", "raise", "raise", "raise", "raise", "promote", "retire"});
  CHECK(history.body["history"][1]["evidence"]["slice"] == "payments");
  CHECK(history.body["history"][1]["from"] == "shadow");
  CHECK(history.body["history"][1]["to"] == "canary 1 %");
}

TEST_CASE("nothing rises on thin evidence, stale scores, or gateways that have not applied the policy") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  std::string words;
  SECTION("thin") {
    world.clean_units = 50, words = "more clean units";
  }
  SECTION("stale") {
    world.scores_advance = false, words = "advance";
  }
  SECTION("not applied") {
    world.gateways_apply = false, words = "epoch 0";
  }
  SECTION("no gateway") {
    world.gateways.clear(), words = "no gateway";
  }
  SECTION("two gateways, writes") {
    world.gateways = {"gw-1", "gw-2"}, words = "2 gateways";
  }
  const Orchestrator orchestrator(world.config());
  REQUIRE(world.until([&] {
    const auto slice = get(orchestrator.endpoint(), "/api/v1/slices/payments");
    return slice.body["decision"].is_object() &&
           slice.body["decision"]["reason"].get<std::string>().find(words) != std::string::npos;
  }));
  const auto at = world.policy.renewal;
  REQUIRE(world.until([&] { return world.policy.renewal >= at + 4; }));
  CHECK(world.slice().stage == Stage::shadow);
  CHECK(world.policy.epoch == 1);
}

TEST_CASE("a paused slice rises by approval only, one step each") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  world.clean_units = 0;
  const Orchestrator orchestrator(world.config());
  const auto act = [&](const char* action) {
    return post(orchestrator.endpoint(), std::string("/api/v1/slices/payments/") + action,
                {{"by", "lead"}, {"reason", "careful"}});
  };
  REQUIRE(world.until([&] { return world.policy.epoch == 1; }));
  CHECK(act("approve").status == 409);
  REQUIRE(act("pause").status == 200);
  world.clean_units = 10'000;
  const auto at = world.policy.renewal;
  REQUIRE(world.until([&] { return world.policy.renewal >= at + 3; }));
  CHECK(world.slice().weight_basis_points == 0);
  REQUIRE(act("approve").status == 200);
  REQUIRE(world.until([&] { return world.slice().weight_basis_points == 100; }));
  const auto then = world.policy.renewal;
  REQUIRE(world.until([&] { return world.policy.renewal >= then + 3; }));
  CHECK(world.slice().weight_basis_points == 100);
  REQUIRE(act("resume").status == 200);
  REQUIRE(world.until([&] { return world.slice().weight_basis_points == 10'000; }));
}

TEST_CASE("the audit record refuses edits, and finds those that were forced") {
  SKIP_WITHOUT_POSTGRES();
  World world;
  const Orchestrator orchestrator(world.config());
  REQUIRE(world.until([&] { return world.slice().weight_basis_points == 10'000; }));
  CHECK_THROWS_WITH(world.sql("UPDATE orchestrator.audit SET who = 'nobody'"), Catch::Contains("append-only"));
  CHECK_THROWS_WITH(world.sql("DELETE FROM orchestrator.audit"), Catch::Contains("append-only"));
  CHECK_THROWS_WITH(world.sql("TRUNCATE orchestrator.audit"), Catch::Contains("append-only"));
  const auto check = [&] {
    const auto history = read_history(world.database_url(), "core-banking", 0);
    return verify_chain(history.rows, history.head);
  };
  CHECK(check().intact);
  // Whoever owns the table can switch the trigger off: the chain shows it.
  world.sql(
      "ALTER TABLE orchestrator.audit DISABLE TRIGGER USER; UPDATE orchestrator.audit SET to_state = 'canary 50 %' "
      "WHERE seq = 3");
  CHECK(check().first_bad_seq == 3);
  world.sql("UPDATE orchestrator.audit SET to_state = 'canary 5 %' WHERE seq = 3");
  CHECK(check().intact);
  world.sql("DELETE FROM orchestrator.audit WHERE seq = (SELECT max(seq) FROM orchestrator.audit)");
  CHECK_FALSE(check().intact);
}
