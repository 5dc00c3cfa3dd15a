#include "gateway/policy_store.hpp"

#include <filesystem>
#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace phoenix;
using namespace phoenix::gateway;
using namespace std::chrono_literals;

namespace {
struct Fixture {
  test::TempDir dir;
  ManualClock clock;
  config::Config config;
  std::unique_ptr<PolicyStore> store;

  Fixture() {
    config =
        config::parse(
            "slices: [{name: payments}, {name: cards, stage: bypass}, {name: old, stage: retired}]\n"
            "gateway: {legacy: {endpoints: [\"http://a:1\"]}, modern: {endpoints: [\"http://a:2\"]}, state_dir: \"" +
                dir.path() + "\"}\n",
            "test")
            .value();
    open();
  }
  void open() { store = std::make_unique<PolicyStore>(config, std::vector<bool>{true, true, true}, clock); }
  Result<void> apply(std::uint64_t epoch, std::uint64_t renewal, Stage stage, std::uint32_t weight,
                     PolicySource source = PolicySource::live, std::vector<KillReset> resets = {}) {
    TrafficPolicy policy;
    policy.epoch = epoch;
    policy.renewal = renewal;
    policy.slices = {{"payments", stage, weight, epoch}};
    policy.resets = std::move(resets);
    return store->apply(policy, source);
  }
  const EffectiveSlice& payments() const { return store->current().slices[0]; }
};
}  // namespace

TEST_CASE_METHOD(Fixture, "configuration is epoch 0 and needs no lease; an older epoch is refused; the same renews") {
  CHECK(payments().stage == Stage::shadow);
  CHECK(store->current().epoch == 0);
  REQUIRE(apply(7, 1, Stage::canary, 2500).has_value());
  CHECK(payments().weight_basis_points == 2500);
  CHECK(apply(6, 9, Stage::canary, 100).error().code == ErrorCode::conflict);
  CHECK(apply(7, 2, Stage::canary, 100).error().code == ErrorCode::conflict);
  CHECK(payments().weight_basis_points == 2500);
  clock.advance(20s);
  REQUIRE(apply(7, 2, Stage::canary, 2500).has_value());
  clock.advance(20s);
  store->tick();
  CHECK(store->current().lease_live);
  clock.advance(11s);
  store->tick();
  CHECK_FALSE(store->current().lease_live);
  CHECK(payments().weight_basis_points == 2500);  // on_control_loss: hold
}

TEST_CASE_METHOD(Fixture, "a renewal that was seen before keeps nothing alive") {
  REQUIRE(apply(7, 5, Stage::canary, 2500).has_value());
  clock.advance(31s);
  REQUIRE(apply(7, 5, Stage::canary, 2500).has_value());
  CHECK_FALSE(store->current().lease_live);
  REQUIRE(apply(7, 6, Stage::canary, 2500).has_value());
  CHECK(store->current().lease_live);
}

TEST_CASE_METHOD(Fixture, "on_control_loss: legacy gives traffic back when the lease lapses") {
  config.gateway.on_control_loss = config::OnControlLoss::legacy;
  open();
  REQUIRE(apply(7, 1, Stage::promoted, 0).has_value());
  CHECK(payments().stage == Stage::promoted);
  clock.advance(31s);
  store->tick();
  CHECK(payments().stage == Stage::shadow);
}

TEST_CASE_METHOD(Fixture, "a policy from the log's past is dead until renewed") {
  REQUIRE(apply(7, 5, Stage::canary, 2500, PolicySource::replay).has_value());
  CHECK(payments().stage == Stage::shadow);
  REQUIRE(apply(7, 6, Stage::canary, 2500).has_value());
  CHECK(payments().stage == Stage::canary);
}

TEST_CASE_METHOD(
    Fixture,
    "a restarted gateway holds the last policy from its state file; without the file it serves legacy until renewed") {
  REQUIRE(apply(7, 5, Stage::canary, 2500).has_value());
  open();
  CHECK(payments().stage == Stage::canary);
  CHECK_FALSE(store->current().lease_live);
  std::filesystem::remove(dir.path() + "/policy.json");
  open();
  REQUIRE(apply(7, 5, Stage::canary, 2500, PolicySource::replay).has_value());
  CHECK(payments().stage == Stage::shadow);
}

TEST_CASE_METHOD(Fixture, "a kill is latched across epochs and restarts until its own reset") {
  int barriers = 0;
  store->set_barrier([&] { ++barriers; });
  REQUIRE(apply(7, 1, Stage::canary, 5000).has_value());
  const auto outcome = store->kill("*", "drill", "ops").value();
  REQUIRE(outcome.latched.size() == 1);
  CHECK(outcome.unchanged_bypass == std::vector<std::string>{"cards"});
  CHECK(outcome.unchanged_retired == std::vector<std::string>{"old"});
  CHECK(barriers == 2);
  CHECK(payments().killed);
  CHECK(payments().stage == Stage::shadow);
  REQUIRE(apply(8, 2, Stage::canary, 10'000).has_value());
  CHECK(payments().stage == Stage::shadow);
  open();
  CHECK(payments().killed);
  REQUIRE(apply(9, 3, Stage::canary, 100, PolicySource::live, {{"another", "ops", "x"}}).has_value());
  CHECK(payments().killed);
  REQUIRE(
      apply(10, 4, Stage::canary, 100, PolicySource::live, {{outcome.latched[0].kill_id, "ops", "fixed"}}).has_value());
  CHECK(payments().stage == Stage::canary);
  open();
  CHECK_FALSE(payments().killed);
}

TEST_CASE_METHOD(Fixture,
                 "a retired slice by name is a conflict, an unknown one is not found, and a policy for it is invalid") {
  CHECK(store->kill("old", "r", "b").error().code == ErrorCode::conflict);
  CHECK(store->kill("nope", "r", "b").error().code == ErrorCode::not_found);
  TrafficPolicy policy;
  policy.epoch = 1;
  policy.slices = {{"nope", Stage::shadow, 0, 1}};
  CHECK(store->apply(policy, PolicySource::live).error().code == ErrorCode::invalid_input);
}

TEST_CASE_METHOD(Fixture, "a damaged state file is an error that says what to do, never a silent start") {
  std::ofstream(dir.path() + "/latches.json") << "{broken";
  CHECK_THROWS_WITH(open(), Catch::Contains("latches.json") && Catch::Contains("restore it"));
}

TEST_CASE("a slice with a write that is not shadowed cannot leave stage shadow") {
  test::TempDir dir;
  ManualClock clock;
  const auto config = config::parse(
                          "slices: [{name: a, stage: canary, weight: 50}]\ngateway: {legacy: {endpoints: "
                          "[\"http://a:1\"]}, modern: {endpoints: [\"http://a:2\"]}, state_dir: \"" +
                              dir.path() + "\"}\n",
                          "t")
                          .value();
  const PolicyStore store(config, {false}, clock);
  CHECK(store.current().slices[0].stage == Stage::shadow);
}

TEST_CASE_METHOD(Fixture,
                 "a kill that comes directly and with the policy is one latch; after its reset it is a new one") {
  const auto direct = store->kill("payments", "drill", "ops", "kill-1").value();
  CHECK(direct.latched[0].kill_id == "kill-1");
  TrafficPolicy policy;
  policy.epoch = 7;
  policy.renewal = 1;
  policy.slices = {{"payments", Stage::shadow, 0, 7}};
  policy.latches = {{"kill-1", "payments", "drill", "ops", 1}};
  REQUIRE(store->apply(policy, PolicySource::live).has_value());
  CHECK(store->current().latches.size() == 1);
  REQUIRE(apply(8, 2, Stage::shadow, 0, PolicySource::live, {{"kill-1", "ops", "over"}}).has_value());
  CHECK(store->current().latches.empty());
  const auto again = store->kill("payments", "drill", "ops", "kill-1").value();
  CHECK(again.latched[0].kill_id != "kill-1");
}

TEST_CASE_METHOD(Fixture, "a kill under an older latch outlives that latch's reset; latches of a slice are bounded") {
  REQUIRE(apply(7, 1, Stage::canary, 5000).has_value());
  const auto first = store->kill("payments", "drill", "ops").value().latched[0].kill_id;
  const auto second = store->kill("payments", "for real", "ops", "kill-2").value().latched[0].kill_id;
  CHECK(second == "kill-2");
  CHECK(store->kill("payments", "for real", "ops", "kill-2").value().latched[0].kill_id == second);
  REQUIRE(apply(8, 2, Stage::canary, 5000, PolicySource::live, {{first, "ops", "over"}}).has_value());
  CHECK(payments().killed);
  open();
  CHECK(payments().killed);
  for (int i = 0; i < 10; ++i) REQUIRE(store->kill("payments", "again", "ops").has_value());
  CHECK(store->current().latches.size() == PolicyStore::kMaxLatches);
}

TEST_CASE_METHOD(Fixture,
                 "a kill that could not be written is never acknowledged, and is written as soon as it can be") {
  REQUIRE(apply(7, 1, Stage::canary, 5000).has_value());
  const auto aside = dir.path() + ".aside";
  std::filesystem::rename(dir.path(), aside);
  CHECK_THROWS_AS(store->kill("payments", "drill", "ops", "kill-1"), Failure);
  CHECK(payments().killed);
  CHECK_THROWS_AS(store->kill("payments", "drill", "ops", "kill-1"), Failure);
  std::filesystem::rename(aside, dir.path());
  store->tick();
  open();
  CHECK(payments().killed);
}

TEST_CASE_METHOD(Fixture,
                 "a reload narrows who may leave shadow before it widens, and never under a slice that has left") {
  REQUIRE(apply(1, 1, Stage::canary, 2500).has_value());
  int barriers = 0;
  store->set_barrier([&] { ++barriers; });
  const auto refused = store->narrow({false, true, true});
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == ErrorCode::conflict);
  CHECK_THAT(refused.error().message, Catch::Contains("'payments'") && Catch::Contains("canary"));
  CHECK(payments().stage == Stage::canary);
  REQUIRE(apply(2, 2, Stage::shadow, 0).has_value());
  REQUIRE(store->narrow({false, true, true}).has_value());
  REQUIRE(apply(3, 3, Stage::canary, 2500).has_value());
  CHECK(payments().stage == Stage::shadow);  // the loops may route by the new configuration already
  barriers = 0;
  store->widen({true, true, true}, config::OnControlLoss::legacy);
  CHECK(payments().stage == Stage::canary);
  CHECK(barriers == 1);
  clock.advance(31s);
  store->tick();
  CHECK(payments().stage == Stage::shadow);  // on_control_loss is the new one
}

TEST_CASE_METHOD(Fixture, "narrowing is no matter for slices in bypass, retired, or killed") {
  REQUIRE(apply(1, 1, Stage::canary, 2500).has_value());
  REQUIRE(store->kill("payments", "r", "me").has_value());
  CHECK(store->narrow({false, false, false}).has_value());
  CHECK(store->current().slices[2].stage == Stage::retired);
}
