// Random walks over states and evidence: whatever comes, the weight never rises unless every condition holds, as
// checked here by an oracle that shares no code with the planner.
#include <random>

#include "rollout_fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::orchestrator;

namespace {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  bool one_in(unsigned n) { return engine_() % n == 0; }
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }

 private:
  std::mt19937_64 engine_;
};

void disturb(RaisableSlice& s, Dice& dice) {
  auto& score = *s.evidence.score;
  if (dice.one_in(12)) score.rung = dice.below(10);
  if (dice.one_in(12)) s.evidence.score_age = std::chrono::seconds(dice.below(30));
  if (dice.one_in(20)) s.evidence.score_age.reset();
  if (dice.one_in(8)) score.unknown = dice.below(2'000);
  if (dice.one_in(8)) score.decided = dice.below(score.received + 1);
  if (dice.one_in(8)) score.coverage = static_cast<double>(dice.below(101)) / 100;
  if (dice.one_in(6)) score.writes.units = {dice.below(10'000), dice.below(5)};
  if (dice.one_in(6)) score.reads.units = {dice.below(10'000), dice.below(5)};
  if (dice.one_in(15)) s.state.slices["payments"].pause = Pause{"p", "", false, 0};
  if (dice.one_in(15)) s.state.policy.latches.push_back({"k", dice.one_in(2) ? "payments" : "*", "r", "b", 0});
  if (dice.one_in(15)) s.evidence.live_gateways.clear();
  for (auto& gateway : s.evidence.live_gateways) {
    if (dice.one_in(12)) gateway.applied_epoch = dice.below(10);
    if (dice.one_in(12)) gateway.lease_live = false;
    if (dice.one_in(12)) gateway.backlog["legacy"] = dice.below(2'000);
    if (dice.one_in(12)) gateway.slices.front().weight_basis_points = 100;
  }
  if (dice.one_in(15)) score.trip_reason = "x";
  if (dice.one_in(15)) score.split_keys = dice.below(3);
  if (dice.one_in(15)) score.foreign_unpaired[dice.below(2)].count = dice.below(3);
  if (dice.one_in(20)) s.evidence.serving = {dice.below(20), 100, dice.below(20), 100};
}

/// Straight from the definition: E = sum w_k (q_k/p0)^s ((1-q_k)/(1-p0))^(n-s) must reach rungs/alpha.
bool proven(const EvidenceCounts& counts, double p0, double alpha) {
  if (counts.mismatches > counts.units) return false;
  const double q[] = {0, p0 / 10, p0 / 4, p0 / 2}, w[] = {.4, .3, .2, .1};
  const auto s = static_cast<double>(counts.mismatches), n = static_cast<double>(counts.units);
  double e = 0;
  for (int k = 0; k < 4; ++k) {
    const double hits = counts.mismatches == 0 ? 0 : s * std::log(q[k] / p0);
    e += w[k] * std::exp(hits + (n - s) * std::log((1 - q[k]) / (1 - p0)));
  }
  return e >= 1 / alpha * (1 - 1e-6);
}

bool may_rise(const RaisableSlice& s) {
  const auto& score = *s.evidence.score;
  const auto& control = s.state.slices.at("payments");
  if (control.pause || !s.state.policy.latches.empty() || !score.trip_reason.empty()) return false;
  if (score.split_keys > 0 || score.foreign_unpaired[0].count > 0 || score.foreign_unpaired[1].count > 0) return false;
  if (score.rung != s.state.policy.slices[0].rung || !s.evidence.score_age ||
      *s.evidence.score_age > s.ramp.max_score_age)
    return false;
  const auto due = static_cast<double>(score.received - score.excluded);
  if (score.coverage < s.ramp.min_coverage || static_cast<double>(score.decided) < s.ramp.min_coverage * due)
    return false;
  if (static_cast<double>(score.unknown) > (1 - s.ramp.min_coverage) * due) return false;
  const double alpha = s.ramp.alpha / 7;
  if (!proven(score.reads.units, s.ramp.p0, alpha) || !proven(score.writes.units, s.ramp.p0, alpha)) return false;
  if (s.evidence.live_gateways.size() != 1) return false;
  const auto& gateway = s.evidence.live_gateways[0];
  return gateway.applied_epoch == s.state.policy.epoch && gateway.lease_live && gateway.backlog.at("legacy") <= 500 &&
         gateway.slices[0].weight_basis_points == s.state.policy.slices[0].weight_basis_points;
}

}  // namespace

TEST_CASE("random evidence never raises the weight without every condition") {
  int raised = 0, held = 0, fell = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    Dice dice(seed);
    RaisableSlice slice;
    disturb(slice, dice);
    const auto decision = slice.decide();
    INFO("seed " << seed << ": " << decision.reason);
    if (decision.outcome == Outcome::promote) {
      ++raised;
      REQUIRE(may_rise(slice));
      REQUIRE(decision.weight_basis_points == 1'000);
    } else if (decision.outcome == Outcome::trip || decision.outcome == Outcome::freeze) {
      ++fell;
      const auto& serving = slice.evidence.serving;
      const bool errors = serving.modern_errors > 5 - 1 && serving.modern_errors > 2 * serving.legacy_errors;
      REQUIRE((!slice.evidence.score->trip_reason.empty() || errors));
    } else {
      ++held;
    }
  }
  // The walk must reach all three, or it proves nothing.
  CHECK(raised > 500);
  CHECK(held > 500);
  CHECK(fell > 500);
}

TEST_CASE("a whole ramp under random news only moves as the rules say") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Dice dice(seed);
    RaisableSlice slice;
    slice.slice() = {"payments", Stage::shadow, 0, 7};
    std::uint64_t epoch = 7;
    for (int step = 0; step < 60; ++step) {
      slice.evidence.live_gateways = {slice.gateway("gw-1")};
      slice.set_score(dice.one_in(3) ? dice.below(900) : 5'000, 0);
      slice.evidence.score_age = std::chrono::milliseconds(100);
      if (dice.one_in(25)) slice.evidence.score->trip_reason = "x";
      if (dice.one_in(10)) slice.evidence.score->rung = epoch > 0 ? epoch - 1 : 0;
      const SlicePolicy before = slice.slice();
      const auto decision = slice.decide();
      INFO("seed " << seed << " step " << step);
      if (decision.outcome == Outcome::promote) {
        slice.state =
            raise_slice(slice.state, "payments", decision.stage, decision.weight_basis_points, {"o", "", 0}, "null")
                .next;
        REQUIRE(slice.slice().weight_basis_points > before.weight_basis_points);
      } else if (decision.outcome == Outcome::trip) {
        slice.state = trip_slice(slice.state, "payments", "k" + std::to_string(step), {"o", "x", 0}, "null").next;
        REQUIRE(slice.slice().stage == Stage::shadow);
      } else if (slice.state.latch_on("payments") != nullptr && dice.one_in(3)) {
        slice.state = reset_slice(slice.state, "payments", {"eve", "fixed", 0})->next;
        REQUIRE(slice.slice().weight_basis_points == 0);
      } else {
        REQUIRE(slice.slice() == before);
        continue;
      }
      REQUIRE(slice.state.policy.epoch == epoch + 1);
      REQUIRE(slice.slice().rung <= slice.state.policy.epoch);
      epoch = slice.state.policy.epoch;
    }
  }
}
