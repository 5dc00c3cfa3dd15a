#include "orchestrator/rollout_planner.hpp"

#include <functional>

#include "rollout_fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::orchestrator;

TEST_CASE("a slice whose conditions are all met rises one step") {
  RaisableSlice slice;
  auto decision = slice.decide();
  CHECK(decision.outcome == Outcome::promote);
  CHECK(decision.stage == Stage::canary);
  CHECK(decision.weight_basis_points == 1000);

  slice.slice() = {"payments", Stage::shadow, 0, 7};
  slice.evidence.live_gateways = {slice.gateway("gw-1")};
  decision = slice.decide();
  CHECK(decision.outcome == Outcome::promote);
  CHECK(decision.weight_basis_points == 100);
}

TEST_CASE("each condition that is missing keeps the weight where it is") {
  struct Row {
    const char* name;
    std::function<void(RaisableSlice&)> take_away;
    Outcome outcome;
    const char* words;
  };
  const auto score = [](RaisableSlice& s) -> ScoreEvent& { return *s.evidence.score; };
  const auto gateway = [](RaisableSlice& s) -> GatewayStatus& { return s.evidence.live_gateways.front(); };
  const std::vector<Row> rows{
      {"paused",
       [](auto& s) {
         s.state.slices["payments"].pause = Pause{"eve", "audit week", false, 0};
       },
       Outcome::hold, "audit week"},
      {"latched",
       [](auto& s) {
         s.state.policy.latches.push_back({"k", "payments", "bad", "eve", 0});
       },
       Outcome::hold, "latched"},
      {"lost events", [](auto& s) { s.evidence.lost_events = 3; }, Outcome::hold, "3 exchanges of this rung were lost"},
      {"latched by *",
       [](auto& s) {
         s.state.policy.latches.push_back({"k", "*", "bad", "eve", 0});
       },
       Outcome::hold, "latched"},
      {"no score", [](auto& s) { s.evidence.score.reset(); }, Outcome::hold, "no score"},
      {"score of another rung", [&](auto& s) { score(s).rung = 6; }, Outcome::hold, "rung 6"},
      {"event time never advanced", [](auto& s) { s.evidence.score_age.reset(); }, Outcome::hold, "advance"},
      {"stale score", [](auto& s) { s.evidence.score_age = std::chrono::seconds(11); }, Outcome::hold, "stale"},
      {"one split key", [&](auto& s) { score(s).split_keys = 1; }, Outcome::hold,
       "at this rung 1 key was written through two gateways"},
      {"split keys", [&](auto& s) { score(s).split_keys = 7; }, Outcome::hold, "7 keys"},
      {"a foreign change",
       [&](auto& s) {
         score(s).foreign_unpaired[1] = {1, {{"EUR", 2150}}};
       },
       Outcome::hold,
       "at this rung modern was changed outside Phoenix 1 time (EUR 21.50) without a counterpart on legacy"},
      {"foreign changes",
       [&](auto& s) {
         score(s).foreign_unpaired[0] = {7, {{"EUR", 2150}, {"JPY", 30}}};
       },
       Outcome::hold, "legacy was changed outside Phoenix 7 times (EUR 21.50, JPY 30)"},
      {"coverage as reported", [&](auto& s) { score(s).coverage = 0.94; }, Outcome::insufficient_evidence, "coverage"},
      {"coverage is no number", [&](auto& s) { score(s).coverage = std::nan(""); }, Outcome::insufficient_evidence,
       "coverage"},
      {"coverage as counted", [&](auto& s) { score(s).decided = 9'000; }, Outcome::insufficient_evidence, "coverage"},
      {"unknown", [&](auto& s) { score(s).unknown = 501; }, Outcome::insufficient_evidence, "unknown"},
      {"nothing due", [&](auto& s) { score(s).excluded = score(s).received; }, Outcome::insufficient_evidence,
       "nothing was compared"},
      {"thin reads", [&](auto& s) { score(s).reads.units.units = 100; }, Outcome::insufficient_evidence, "reads"},
      {"thin writes", [&](auto& s) { score(s).writes.units.units = 100; }, Outcome::insufficient_evidence, "writes"},
      {"too many mismatches", [&](auto& s) { score(s).writes.units.mismatches = 50; }, Outcome::insufficient_evidence,
       "writes"},
      {"contradiction",
       [&](auto& s) {
         score(s).reads.units = {10, 11};
       },
       Outcome::hold, "contradicts"},
      {"no gateway", [](auto& s) { s.evidence.live_gateways.clear(); }, Outcome::hold, "no gateway"},
      {"gateway behind", [&](auto& s) { gateway(s).applied_epoch = 6; }, Outcome::hold, "epoch 6"},
      {"gateway without lease", [&](auto& s) { gateway(s).lease_live = false; }, Outcome::hold, "lease"},
      {"gateway serves another weight", [&](auto& s) { gateway(s).slices[0].weight_basis_points = 100; }, Outcome::hold,
       "canary 1 %"},
      {"gateway serves another stage",
       [&](auto& s) {
         gateway(s).slices[0] = {"payments", Stage::shadow, 0, 0};
       },
       Outcome::hold, "shadow"},
      {"gateway does not know the slice", [&](auto& s) { gateway(s).slices.clear(); }, Outcome::hold, "does not know"},
      {"backlog of modern", [&](auto& s) { gateway(s).backlog["modern"] = 501; }, Outcome::hold, "wait for modern"},
      {"backlog of legacy", [&](auto& s) { gateway(s).backlog["legacy"] = 501; }, Outcome::hold, "wait for legacy"},
      {"two gateways and writes", [](auto& s) { s.evidence.live_gateways.push_back(s.gateway("gw-2")); }, Outcome::hold,
       "2 gateways"},
      {"one of two gateways behind",
       [](auto& s) {
         s.facts.writes = false;
         s.evidence.live_gateways.push_back(s.gateway("gw-2"));
         s.evidence.live_gateways.back().applied_epoch = 3;
       },
       Outcome::hold, "gw-2"},
      {"unfit routes", [](auto& s) { s.facts.unfit = "write route 'transfers' is not shadowed"; }, Outcome::hold,
       "transfers"},
      {"too soon", [](auto& s) { s.ramp.min_step = std::chrono::minutes(5); }, Outcome::hold, "4 min"},
      {"last step", [](auto& s) { s.slice().weight_basis_points = 10'000; }, Outcome::hold,
       "phoenixctl promote payments"},
      {"bypass", [](auto& s) { s.slice().stage = Stage::bypass; }, Outcome::hold, "bypass"},
      {"promoted", [](auto& s) { s.slice().stage = Stage::promoted; }, Outcome::hold, "phoenixctl retire payments"},
      {"retired", [](auto& s) { s.slice().stage = Stage::retired; }, Outcome::hold, "retired"},
  };
  for (const auto& row : rows) {
    INFO(row.name);
    RaisableSlice slice;
    row.take_away(slice);
    const auto decision = slice.decide();
    CHECK(decision.outcome == row.outcome);
    CHECK_THAT(decision.reason, Catch::Contains(row.words));
  }
}

TEST_CASE("split keys hold a slice; they never make it fall") {
  RaisableSlice slice;
  slice.evidence.score->split_keys = 1'000'000;
  CHECK(slice.decide().outcome == Outcome::hold);
  slice.evidence.score->trip_reason = "confirmed balance mismatch";  // and hide nothing that does
  CHECK(slice.decide().outcome == Outcome::trip);
  slice.evidence.score->trip_reason.clear();
  slice.evidence.score->split_keys = 0;
  CHECK(slice.decide().outcome == Outcome::promote);
}

TEST_CASE("foreign changes without a counterpart hold a slice; they never make it fall (rule 16)") {
  RaisableSlice slice;
  slice.evidence.score->foreign_unpaired[0] = {1'000'000, {{"EUR", 1}}};
  CHECK(slice.decide().outcome == Outcome::hold);
  slice.evidence.score->trip_reason = "confirmed balance mismatch";  // and hide nothing that does
  CHECK(slice.decide().outcome == Outcome::trip);
  slice.evidence.score->trip_reason.clear();
  slice.evidence.score->foreign_unpaired = {};
  CHECK(slice.decide().outcome == Outcome::promote);
}

TEST_CASE("two gateways do not hold a slice of reads") {
  RaisableSlice slice;
  slice.facts.writes = false;
  slice.evidence.live_gateways.push_back(slice.gateway("gw-2"));
  CHECK(slice.decide().outcome == Outcome::promote);
}

TEST_CASE("a class without routes needs no evidence") {
  RaisableSlice slice;
  slice.facts.reads = false;
  slice.evidence.score->reads = {};
  CHECK(slice.decide().outcome == Outcome::promote);
}

TEST_CASE("alpha is shared among the rungs") {
  config::RampConfig ramp;
  CHECK(alpha_per_rung(ramp) == Approx(0.01 / 7));
  RaisableSlice slice;
  slice.ramp.p0 = 0.001;
  slice.ramp.alpha = 0.01;
  const auto needed = clean_units_needed({}, 0.001, 0.01 / 7);
  slice.set_score(needed - 1, 0);
  CHECK(slice.decide().outcome == Outcome::insufficient_evidence);
  CHECK_THAT(slice.decide().reason, Catch::Contains("1 more clean units"));
  slice.set_score(needed + 1, 0);
  CHECK(slice.decide().outcome == Outcome::promote);
}

TEST_CASE("what is still needed is shown with the time it takes") {
  RaisableSlice slice;
  slice.set_score(100, 0);
  slice.evidence.reads_per_second = 10;
  const auto needed = clean_units_needed({100, 0}, slice.ramp.p0, alpha_per_rung(slice.ramp));
  CHECK_THAT(slice.decide().reason, Catch::Contains(std::to_string(needed) + " more clean units, about"));
}

TEST_CASE("a paused slice rises once when approved") {
  RaisableSlice slice;
  slice.state.slices["payments"].pause = Pause{"eve", "", false, 0};
  CHECK(slice.decide().outcome == Outcome::hold);
  slice.state.slices["payments"].approved_by = "bob";
  CHECK(slice.decide().outcome == Outcome::promote);
}

TEST_CASE("a trip is taken from the score, whatever its age, a pause or the gateways' state") {
  RaisableSlice slice;
  slice.state.slices["payments"].pause = Pause{"eve", "", false, 0};
  slice.evidence.score_age.reset();
  slice.evidence.score->trip_reason = "balance mismatch on account 4";
  auto decision = slice.decide();
  CHECK(decision.outcome == Outcome::trip);
  CHECK(decision.cause == "score");
  CHECK(decision.reason == "balance mismatch on account 4");
  slice.evidence.score->trip_reason.clear();
  slice.evidence.score->cusum_tripped = true;
  CHECK(slice.decide().outcome == Outcome::trip);
  slice.evidence.score->rung = 6;  // an earlier rung's news is not this rung's
  CHECK(slice.decide().outcome == Outcome::hold);
}

TEST_CASE("in stage shadow a trip latches, although no gateway reports") {
  RaisableSlice slice;
  slice.slice() = {"payments", Stage::shadow, 0, 7};
  slice.evidence.live_gateways.clear();
  slice.evidence.score->trip_reason = "x";
  CHECK(slice.decide().outcome == Outcome::trip);
}

TEST_CASE("modern's serving errors trip where modern serves, and only beyond legacy's") {
  RaisableSlice slice;
  slice.evidence.serving = {5, 60, 0, 1000};
  CHECK(slice.decide().outcome == Outcome::trip);
  CHECK(slice.decide().cause == "serving_errors");
  slice.evidence.serving = {4, 10, 0, 1000};
  CHECK(slice.decide().outcome == Outcome::promote);  // too few to speak of
  slice.evidence.serving = {5, 200, 0, 1000};
  CHECK(slice.decide().outcome == Outcome::promote);  // 2.5 %
  slice.evidence.serving = {10, 100, 80, 1000};
  CHECK(slice.decide().outcome == Outcome::promote);  // legacy fails as well
  slice.evidence.serving = {5, 60, 0, 1000};
  slice.slice().stage = Stage::shadow;
  slice.slice().weight_basis_points = 0;
  slice.evidence.live_gateways = {slice.gateway("gw-1")};
  CHECK(slice.decide().outcome == Outcome::promote);  // modern does not serve
}

TEST_CASE("an automatic trip that would be unsafe freezes once, and trips when it is safe") {
  RaisableSlice slice;
  slice.evidence.score->trip_reason = "x";
  auto& gateway = slice.evidence.live_gateways.front();
  SECTION("legacy is down") {
    gateway.backend_up["legacy"] = false;
  }
  SECTION("nobody knows whether legacy is up") {
    gateway.backend_up.clear();
  }
  SECTION("legacy is far behind") {
    gateway.backlog["legacy"] = 5'001;
  }
  SECTION("no gateway reports") {
    slice.evidence.live_gateways.clear();
  }
  auto decision = slice.decide();
  CHECK(decision.outcome == Outcome::freeze);
  CHECK_THAT(decision.reason, Catch::StartsWith("rollback_unsafe"));
  slice.state = freeze_slice(slice.state, "payments", {"orchestrator", decision.reason, 1}, "null").next;
  CHECK(slice.decide().outcome == Outcome::hold);
  CHECK_THAT(slice.decide().reason, Catch::StartsWith("rollback_unsafe"));
  slice.evidence.live_gateways = {slice.gateway("gw-1")};
  CHECK(slice.decide().outcome == Outcome::trip);
}

TEST_CASE("bypass, retired and latched slices do not trip") {
  for (const Stage stage : {Stage::bypass, Stage::retired}) {
    RaisableSlice slice;
    slice.slice().stage = stage;
    slice.evidence.score->trip_reason = "x";
    CHECK(slice.decide().outcome == Outcome::hold);
  }
  RaisableSlice slice;
  slice.state.policy.latches.push_back({"k", "payments", "r", "b", 0});
  slice.evidence.score->trip_reason = "x";
  CHECK(slice.decide().outcome == Outcome::hold);
}

TEST_CASE("steps are taken in order from wherever the weight is") {
  config::RampConfig ramp;
  CHECK(next_step({"s", Stage::shadow, 0, 0}, ramp) == 100u);
  CHECK(next_step({"s", Stage::canary, 0, 0}, ramp) == 100u);
  CHECK(next_step({"s", Stage::canary, 3'000, 0}, ramp) == 5'000u);
  CHECK_FALSE(next_step({"s", Stage::canary, 10'000, 0}, ramp));
  CHECK_FALSE(next_step({"s", Stage::promoted, 0, 0}, ramp));
}
