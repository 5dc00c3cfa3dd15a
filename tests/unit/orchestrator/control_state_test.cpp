#include "orchestrator/control_state.hpp"

#include "orchestrator/state_codec.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::orchestrator;

namespace {

const Author kEve{"eve", "because", 1'000};

ControlState start() {
  return first_state({{"payments", Stage::shadow, 0},
                      {"cards", Stage::canary, 2'500},
                      {"old", Stage::retired, 0},
                      {"plain", Stage::bypass, 0}},
                     kEve)
      .next;
}

GatewayStatus gateway_with(const std::string& slice, const std::string& id) {
  GatewayStatus gateway;
  gateway.gateway = "gw-1";
  gateway.latches.push_back({id, slice, "fire", "oncall", 5});
  return gateway;
}

}  // namespace

TEST_CASE("the first state is epoch 1 and every slice starts its first rung") {
  const Change change = first_state({{"payments", Stage::shadow, 500}, {"cards", Stage::canary, 2'500}}, kEve);
  CHECK(change.next.policy.epoch == 1);
  CHECK(change.audit.size() == 2);
  CHECK(change.next.policy.find("payments")->weight_basis_points == 0);  // a weight counts in canary only
  CHECK(change.next.policy.find("cards")->weight_basis_points == 2'500);
  CHECK(change.next.policy.find("cards")->rung == 1);
  const Change again = add_new_slices(change.next, {{"payments", Stage::shadow, 0}}, kEve);
  CHECK_FALSE(again.policy_changed);
  CHECK(again.next.policy.epoch == 1);
  CHECK(again.next.policy.find("cards") != nullptr);
}

TEST_CASE("a weight set by hand moves between shadow and canary, with a new epoch and rung") {
  auto state = start();
  auto change = set_weight(state, "payments", 1'250, kEve, "null");
  REQUIRE(change.has_value());
  CHECK(*change->next.policy.find("payments") == SlicePolicy{"payments", Stage::canary, 1'250, 2});
  CHECK(change->next.policy.find("cards")->rung == 1);
  CHECK(change->audit.front().from == "shadow");
  CHECK(change->audit.front().to == "canary 12.5 %");
  CHECK(change->audit.front().who == "eve");
  const auto back = set_weight(change->next, "payments", 0, kEve, "null");
  CHECK(*back->next.policy.find("payments") == SlicePolicy{"payments", Stage::shadow, 0, 3});
  CHECK_FALSE(set_weight(state, "payments", 0, kEve, "null")->policy_changed);
  CHECK(set_weight(state, "old", 100, kEve, "null").error().code == ErrorCode::conflict);
  CHECK(set_weight(state, "plain", 100, kEve, "null").error().code == ErrorCode::conflict);
  CHECK(set_weight(state, "nope", 100, kEve, "null").error().code == ErrorCode::not_found);
}

TEST_CASE("a kill moves to shadow at weight 0 and latches; only a reset clears it and starts a new rung") {
  const auto state = start();
  const auto killed = kill_slice(state, "cards", "k1", kEve);
  REQUIRE(killed.has_value());
  const ControlState& after = killed->next;
  CHECK(*after.policy.find("cards") == SlicePolicy{"cards", Stage::shadow, 0, 2});
  REQUIRE(after.latch_on("cards") != nullptr);
  CHECK(after.latch_on("payments") == nullptr);
  CHECK(set_weight(after, "cards", 100, kEve, "null").error().code == ErrorCode::conflict);
  CHECK(promote_slice(after, "cards", kEve, "null").error().code == ErrorCode::conflict);
  const auto reset = reset_slice(after, "cards", kEve);
  REQUIRE(reset.has_value());
  CHECK(reset->next.latch_on("cards") == nullptr);
  REQUIRE(reset->next.policy.resets.size() == 1);
  CHECK(reset->next.policy.resets[0] == KillReset{"k1", "eve", "because"});
  CHECK(*reset->next.policy.find("cards") == SlicePolicy{"cards", Stage::shadow, 0, 3});
  CHECK(reset_slice(reset->next, "cards", kEve).error().code == ErrorCode::conflict);
}

TEST_CASE("a kill of everything skips bypass and retired and says so; naming them is refused") {
  const auto state = start();
  const auto killed = kill_slice(state, "*", "k1", kEve);
  REQUIRE(killed.has_value());
  CHECK(killed->audit.size() == 2);
  CHECK(killed->notes.size() == 2);
  CHECK(killed->next.policy.find("old")->stage == Stage::retired);
  CHECK(killed->next.policy.find("plain")->stage == Stage::bypass);
  CHECK(kill_slice(state, "old", "k", kEve).error().code == ErrorCode::conflict);
  CHECK(kill_slice(state, "plain", "k", kEve).error().code == ErrorCode::conflict);
  const auto reset = reset_slice(killed->next, "cards", kEve);
  CHECK(reset->next.latch_on("cards") == nullptr);
  CHECK(reset->next.latch_on("payments") != nullptr);
}

TEST_CASE("a latch that a gateway reports becomes the fleet's, once, and not after its reset") {
  const auto state = start();
  const auto merged = merge_latches(state, {gateway_with("cards", "gw-kill"), gateway_with("cards", "gw-kill")}, 9);
  CHECK(merged.policy_changed);
  CHECK(merged.next.policy.epoch == 2);
  CHECK(merged.next.policy.latches.size() == 1);
  CHECK(merged.next.policy.find("cards")->stage == Stage::shadow);
  REQUIRE(merged.audit.size() == 1);
  CHECK(merged.audit[0].who == "oncall");
  CHECK_THAT(merged.audit[0].reason, Catch::Contains("gw-1"));
  CHECK_FALSE(merge_latches(merged.next, {gateway_with("cards", "gw-kill")}, 9).policy_changed);
  const auto reset = reset_slice(merged.next, "cards", kEve);
  CHECK_FALSE(merge_latches(reset->next, {gateway_with("cards", "gw-kill")}, 9).policy_changed);
  CHECK_FALSE(merge_latches(state, {gateway_with("unknown-slice", "x")}, 9).policy_changed);
  CHECK_FALSE(merge_latches(state, {gateway_with("old", "x")}, 9).policy_changed);
}

TEST_CASE("resetting one slice under a latch on everything leaves the others latched") {
  const auto state = start();
  const auto merged = merge_latches(state, {gateway_with("*", "all")}, 9);
  CHECK(merged.next.latch_on("payments") != nullptr);
  const auto reset = reset_slice(merged.next, "cards", kEve);
  REQUIRE(reset.has_value());
  CHECK(reset->next.latch_on("cards") == nullptr);
  REQUIRE(reset->next.latch_on("payments") != nullptr);
  CHECK(reset->next.latch_on("payments")->slice == "payments");
}

TEST_CASE("pause, approval and resume are no content of the policy, a raise uses the approval up") {
  auto state = start();
  CHECK(approve_raise(state, "cards", kEve).error().code == ErrorCode::conflict);
  const auto paused = pause_slice(state, "cards", kEve);
  CHECK_FALSE(paused->policy_changed);
  CHECK(paused->next.policy.epoch == state.policy.epoch);
  const auto approved = approve_raise(paused->next, "cards", kEve);
  REQUIRE(approved.has_value());
  CHECK(approved->next.control("cards").approved_by == "eve");
  const auto raised = raise_slice(approved->next, "cards", Stage::canary, 5'000, kEve, "null");
  CHECK(raised.next.control("cards").approved_by.empty());
  CHECK(raised.next.control("cards").pause.has_value());
  CHECK_FALSE(resume_slice(raised.next, "cards", kEve)->next.control("cards").pause.has_value());
  const auto frozen = freeze_slice(state, "cards", kEve, "null");
  CHECK(approve_raise(frozen.next, "cards", kEve).error().code == ErrorCode::conflict);
}

TEST_CASE("promote needs canary 100 %, retire needs promoted") {
  auto state = start();
  CHECK(promote_slice(state, "cards", kEve, "null").error().code == ErrorCode::conflict);
  state = set_weight(state, "cards", 10'000, kEve, "null")->next;
  CHECK(retire_slice(state, "cards", kEve, "null").error().code == ErrorCode::conflict);
  const auto promoted = promote_slice(state, "cards", kEve, "null");
  REQUIRE(promoted.has_value());
  CHECK(promoted->next.policy.find("cards")->stage == Stage::promoted);
  const auto retired = retire_slice(promoted->next, "cards", kEve, "null");
  REQUIRE(retired.has_value());
  CHECK(retired->next.policy.find("cards")->stage == Stage::retired);
}

TEST_CASE("an epoch seen at a gateway is passed") {
  const auto change = pass_epoch(start(), 41, kEve);
  CHECK(change.next.policy.epoch == 42);
  CHECK(change.next.policy.slices == start().policy.slices);
}

TEST_CASE("the stored form comes back as it was") {
  auto state = start();
  state = pause_slice(state, "payments", kEve)->next;
  state = approve_raise(state, "payments", kEve)->next;
  state = freeze_slice(state, "cards", kEve, "null").next;
  state = kill_slice(state, "*", "k", kEve)->next;
  state = reset_slice(state, "cards", kEve)->next;
  const auto decoded = decode_state(encode_state(state));
  REQUIRE(decoded.has_value());
  CHECK(decoded->policy.same_content(state.policy));
  CHECK(decoded->slices == state.slices);
  CHECK(decode_state("{}").has_error());
  CHECK(decode_state("not json").has_error());
  CHECK(decode_state(R"({"v":2,"policy":{},"slices":{}})").has_error());
}
