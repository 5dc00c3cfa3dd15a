#include "arbiter/score_window.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;

namespace {

ScoreWindow::Decision write(Verdict verdict, const std::string& unit, bool evidence = true) {
  return {verdict, true, evidence, unit, "x"};
}

}  // namespace

TEST_CASE("one account on one route is one unit, however often it is used") {
  ScoreWindow window({}, false, true);
  REQUIRE(window.enter(0));
  for (int i = 0; i < 10; ++i) {
    window.received(false);
    CHECK(window.decided(write(Verdict::match, "deposits 7")) == (i == 0));
  }
  window.received(false);
  window.decided(write(Verdict::mismatch, "deposits 8"));
  const auto score = window.score();
  CHECK(score.writes.units == EvidenceCounts{2, 1});
  CHECK(score.writes.exchanges == EvidenceCounts{11, 1});
  CHECK(score.coverage == 1.0);
  CHECK(score.score == Approx(10.0 / 11.0));
}

TEST_CASE("unknown lowers coverage, exclusions decided beforehand do not") {
  ScoreWindow window({}, false, true);
  for (int i = 0; i < 4; ++i) window.received(i == 0);
  window.decided(write(Verdict::match, "a"));
  window.decided(write(Verdict::unknown, "b"));
  const auto score = window.score();
  CHECK(score.pending == 1);
  CHECK(score.coverage == Approx(1.0 / 3.0));
}

TEST_CASE("answers that are no success are decided but are no evidence; order proofs speak for neither side") {
  ScoreWindow window({}, false, true);
  window.decided(write(Verdict::match, "a", false));
  window.decided(write(Verdict::order_dependent, "b"));
  const auto score = window.score();
  CHECK(score.decided == 2);
  CHECK(score.writes.units == EvidenceCounts{0, 0});
  CHECK(score.writes.exchanges == EvidenceCounts{1, 0});
}

TEST_CASE("a newer rung starts anew, an older one does not count") {
  ScoreWindow window({}, false, true);
  window.enter(3);
  window.received(false);
  window.decided(write(Verdict::mismatch, "a"));
  window.confirm_balance_mismatch(1, "account 7");
  CHECK_FALSE(window.score().trip_reason.empty());
  CHECK_FALSE(window.enter(2));
  CHECK(window.enter(4));
  const auto score = window.score();
  CHECK(score.rung == 4);
  CHECK(score.received == 0);
  CHECK(score.writes.units == EvidenceCounts{0, 0});
  CHECK(score.trip_reason.empty());
}

TEST_CASE("a class that was never used holds the lower bound at zero") {
  ScoreWindow window({}, true, true);
  for (int i = 0; i < 10'000; ++i) window.decided(write(Verdict::match, "u" + std::to_string(i)));
  CHECK(window.score().score == 1.0);
  CHECK(window.score().score_lower == 0.0);
  for (int i = 0; i < 10'000; ++i) window.decided({Verdict::match, false, true, "r" + std::to_string(i), "x"});
  CHECK(window.score().score_lower > 0.999);
}

TEST_CASE("a rising mismatch rate trips, and the reason stays") {
  ScoreWindow window({}, false, true);
  int needed = 0;
  while (window.score().trip_reason.empty() && needed < 100)
    window.decided(write(Verdict::mismatch, "u" + std::to_string(++needed)));
  CHECK(needed == 3);  // cold start, every answer wrong
  const std::string reason = window.score().trip_reason;
  for (int i = 0; i < 1'000; ++i) window.decided(write(Verdict::match, "m"));
  CHECK(window.score().trip_reason == reason);
  CHECK(window.score().cusum_tripped);
}

TEST_CASE("a stored window continues where it ended") {
  ScoreWindow window({}, false, true), restored({}, false, true);
  window.enter(2);
  window.received(false);
  window.decided(write(Verdict::mismatch, "a"));
  const auto state = decode_window_state(encode(window.state()));
  REQUIRE(state.has_value());
  restored.restore(*state);
  restored.restore_unit("a");
  for (auto* w : {&window, &restored}) {
    w->decided(write(Verdict::match, "a"));
    w->decided(write(Verdict::mismatch, "b"));
    w->decided(write(Verdict::mismatch, "c"));
  }
  CHECK(encode(window.state()) == encode(restored.state()));
  CHECK(encode(window.score()) == encode(restored.score()));
  CHECK(window.score().writes.units == EvidenceCounts{3, 3});
}
