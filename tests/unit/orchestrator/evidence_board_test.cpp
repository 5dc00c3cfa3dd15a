#include "orchestrator/evidence_board.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::orchestrator;
using namespace std::chrono_literals;

namespace {

const SlicePolicy kSlice{"payments", Stage::canary, 500, 7};

ScoreEvent score(std::int64_t event_time, std::uint64_t units = 0, std::uint64_t rung = 7) {
  ScoreEvent event;
  event.slice = "payments";
  event.rung = rung;
  event.event_time_us = event_time;
  event.reads.units.units = units;
  return event;
}

GatewayStatus status(const std::string& incarnation, std::uint64_t errors, std::uint64_t served) {
  GatewayStatus gateway;
  gateway.gateway = "gw-1";
  gateway.incarnation = incarnation;
  gateway.serving_errors["modern"] = errors;
  gateway.served["modern"] = served;
  return gateway;
}

}  // namespace

TEST_CASE("a score is fresh from when its event time was seen to advance") {
  ManualClock clock;
  EvidenceBoard board(clock, {});
  CHECK_FALSE(board.evidence(kSlice).score);
  board.add(score(100));
  CHECK(board.evidence(kSlice).score);
  CHECK_FALSE(board.evidence(kSlice).score_age);  // one score alone may be an old one, repeated
  clock.advance(1s);
  board.add(score(200));
  CHECK(*board.evidence(kSlice).score_age == 0s);
  clock.advance(4s);
  board.add(score(200));  // repeated: no news
  CHECK(*board.evidence(kSlice).score_age == 4s);
  board.add(score(150));  // an arbiter that starts over
  CHECK(*board.evidence(kSlice).score_age == 4s);
}

TEST_CASE("exchanges that no arbiter heard of count against the rung in which they were lost") {
  ManualClock clock;
  EvidenceBoard board(clock, {});
  const auto lost = [](const std::string& incarnation, std::uint64_t count) {
    GatewayStatus gateway = status(incarnation, 0, 0);
    gateway.routes = {{"r", "payments", 10, 0, 10, {}, {{"event_log_full", count}}},
                      {"s", "cards", 10, 0, 10, {}, {{"event_log_full", 9}}}};
    return gateway;
  };
  board.add(lost("1", 5));
  CHECK(board.evidence(kSlice).lost_events == 0);  // before this rung
  board.add(lost("1", 7));
  CHECK(board.evidence(kSlice).lost_events == 2);
  GatewayStatus restarted = lost("2", 7);  // its counts go on
  restarted.routes[0].lost = 3;
  board.add(restarted);
  CHECK(board.evidence(kSlice).lost_events == 5);
  SlicePolicy next = kSlice;
  next.rung = 8;
  CHECK(board.evidence(next).lost_events == 0);
}

TEST_CASE("gateways are live for five seconds and forgotten after a minute") {
  ManualClock clock;
  EvidenceBoard board(clock, {});
  board.add(status("1", 0, 0));
  clock.advance(5s);
  CHECK(board.live_gateways().size() == 1);
  clock.advance(1ms);
  CHECK(board.live_gateways().empty());
  CHECK(board.gateways().size() == 1);
  clock.advance(60s);
  CHECK(board.gateways().empty());
}

TEST_CASE("serving errors are those of the window, across restarts of a gateway") {
  ManualClock clock;
  EvidenceBoard board(clock, {});
  board.add(status("1", 100, 1'000));  // counted before it was first heard of
  CHECK(board.evidence(kSlice).serving.modern_errors == 0);
  clock.advance(1s);
  board.add(status("1", 103, 1'050));
  CHECK(board.evidence(kSlice).serving.modern_errors == 3);
  CHECK(board.evidence(kSlice).serving.modern_served == 50);
  clock.advance(1s);
  board.add(status("2", 2, 10));  // a new process counts from zero
  CHECK(board.evidence(kSlice).serving.modern_errors == 5);
  clock.advance(10s);
  CHECK(board.evidence(kSlice).serving.modern_errors == 2);
  clock.advance(1s);
  CHECK(board.evidence(kSlice).serving.modern_errors == 0);
}

TEST_CASE("the rate of units is that of the rung") {
  ManualClock clock;
  EvidenceBoard board(clock, {});
  for (int i = 0; i <= 10; ++i) {
    board.add(score(i, static_cast<std::uint64_t>(i) * 20));
    clock.advance(1s);
  }
  CHECK(board.evidence(kSlice).reads_per_second == Approx(20));
  board.add(score(20, 5, 8));
  CHECK(board.evidence({"payments", Stage::canary, 1000, 8}).reads_per_second == 0);
}

TEST_CASE("time at a rung starts when the rung is first seen") {
  ManualClock clock;
  EvidenceBoard board(clock, {});
  CHECK(board.evidence(kSlice).at_rung == 0s);
  clock.advance(3s);
  CHECK(board.evidence(kSlice).at_rung == 3s);
  CHECK(board.evidence({"payments", Stage::canary, 1000, 8}).at_rung == 0s);
}
