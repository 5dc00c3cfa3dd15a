#include "tests/simulation/rules/decisions.hpp"

#include <algorithm>
#include <chrono>

#include "gateway/exchange.hpp"
#include "gateway/parachute.hpp"

namespace phoenix::simulation {
namespace {

constexpr std::string_view kSalt = "rules";

gateway::Route make_route(std::string creates) {
  gateway::Route route;
  route.slice_index = 0;
  route.config.shadow = config::ShadowMode::dual;
  route.config.creates = std::move(creates);
  return route;
}

const gateway::Route& route_of(const Operation& operation) {
  static const gateway::Route kPosting = make_route("");
  static const gateway::Route kOpening = make_route("/account_id");
  return operation.kind == Operation::Kind::open ? kOpening : kPosting;
}

gateway::Leg leg_of(const Answer& answer) {
  gateway::Leg leg;
  leg.outcome = answer.outcome;
  leg.head.status = answer.status;
  return leg;
}

}  // namespace

gateway::SideChoice choose_side_for(const gateway::EffectiveSlice& slice, const Operation& operation,
                                    gateway::KeyState keys, const Rules& rules) {
  std::uint32_t bucket = 0;
  if (keys == gateway::KeyState::available) {
    const auto all = operation.keys();
    bucket = rules.all_keys ? cohort_bucket(all, kSalt) : cohort_bucket(all.front(), kSalt);
  } else {
    bucket = cohort_bucket("exchange " + std::to_string(operation.id), kSalt);
  }
  return choose_side(slice, route_of(operation), !operation.write(), keys, bucket);
}

bool reaches_beyond_cohort(const gateway::EffectiveSlice& slice, const Operation& operation) {
  const auto keys = operation.keys();
  return std::any_of(keys.begin(), keys.end(), [&](const BusinessKey& key) {
    return !in_cohort(cohort_bucket(std::string_view(key), kSalt), slice.weight_basis_points);
  });
}

bool is_uncertain(const Answer& answer) {
  return gateway::is_uncertain(leg_of(answer));
}

bool accepted(const Answer& answer) {
  return gateway::accepted(leg_of(answer));
}

bool may_fall_back(const gateway::EffectiveSlice& began_with, Stage stage_now, const Operation& operation,
                   const Answer& failed) {
  gateway::Exchange exchange;
  exchange.slice = began_with;
  exchange.route = &route_of(operation);
  exchange.choice.target = Side::modern;
  exchange.request.method = operation.write() ? "POST" : "GET";
  exchange.serving.outcome = failed.outcome;
  return gateway::may_fall_back(exchange, stage_now, std::chrono::steady_clock::time_point{});
}

}  // namespace phoenix::simulation
