#include "orchestrator/metrics_page.hpp"

#include "rollout_fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::orchestrator;
using Catch::Contains;

namespace {

struct Page {
  RaisableSlice fixture;
  config::Config config;
  LoopCounters counters;
  bool with_evidence = true;

  std::string text() {
    config.orchestrator.ramp = fixture.ramp;
    StatusInput input;
    input.policy = {true, "", fixture.state, std::chrono::seconds(5)};
    if (with_evidence) input.evidence["payments"] = fixture.evidence;
    input.gateways.push_back({fixture.gateway("gw-1"), std::chrono::milliseconds(300), true});
    input.gateways.push_back({fixture.gateway("gw-2"), std::chrono::seconds(30), false});
    return metrics_page(config, input, counters);
  }
};

}  // namespace

TEST_CASE("counters stand at 0 before their first event, so that a rate sees it") {
  Page page;
  CHECK_THAT(page.text(), Contains("kills_total{slice=\"payments\",cause=\"serving_errors\"} 0\n"));
  CHECK_THAT(page.text(), Contains("decisions_total{slice=\"payments\",decision=\"freeze\"} 0\n"));
  page.counters.kills[{"payments", "serving_errors"}] = 2;
  CHECK_THAT(page.text(), Contains("kills_total{slice=\"payments\",cause=\"serving_errors\"} 2\n"));
}

TEST_CASE("a score that never came is infinitely old, not young") {
  Page page;
  CHECK_THAT(page.text(), Contains("score_age_seconds{slice=\"payments\"} 0.4\n"));
  page.fixture.evidence.score_age.reset();
  CHECK_THAT(page.text(), Contains("score_age_seconds{slice=\"payments\"} +Inf\n"));
  page.with_evidence = false;
  CHECK_THAT(page.text(), Contains("score_age_seconds{slice=\"payments\"} +Inf\n"));
}

TEST_CASE("latches, pauses, live gateways and the plan") {
  Page page;
  CHECK_THAT(page.text(), Contains("killed{slice=\"payments\"} 0\n"));
  CHECK_THAT(page.text(), Contains("live_gateways 1\n"));
  CHECK_THAT(page.text(), Contains("plan_mismatch_limit_ratio 0.01\n"));
  CHECK_THAT(page.text(), Contains("plan_min_coverage_ratio 0.95\n"));
  page.fixture.state.policy.latches.push_back({"k", "*", "fire", "oncall", 1'000});
  page.fixture.state.slices["payments"].pause = Pause{"orchestrator", "rollback_unsafe", true, 1'000};
  CHECK_THAT(page.text(), Contains("killed{slice=\"payments\"} 1\n"));
  CHECK_THAT(page.text(), Contains("paused{slice=\"payments\",by=\"system\"} 1\n"));
  CHECK_THAT(page.text(), Contains("paused{slice=\"payments\",by=\"person\"} 0\n"));
}
