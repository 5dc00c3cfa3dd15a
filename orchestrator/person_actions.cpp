#include "orchestrator/person_actions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <nlohmann/json.hpp>

#include "core/runtime/log.hpp"

namespace phoenix::orchestrator {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kWaitForGateways{2};
constexpr std::size_t kMaxText = 1'000;

std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<std::string> text_field(const json& body, const char* key, bool required) {
  const auto it = body.find(key);
  if (it == body.end() || (it->is_string() && it->get_ref<const std::string&>().empty())) {
    if (required) return invalid_input(fmt::format("'{}' is required and must not be empty", key));
    return std::string();
  }
  if (!it->is_string()) return invalid_input(fmt::format("'{}' must be a string", key));
  auto text = it->get<std::string>();
  if (text.size() > kMaxText) return invalid_input(fmt::format("'{}' is longer than {} bytes", key, kMaxText));
  return text;
}

/// A gateway has taken the kill when it reports a latch on the slice; its policy alone could still be overtaken.
bool acknowledged(const GatewayStatus& gateway, const std::vector<std::string>& slices) {
  return std::all_of(slices.begin(), slices.end(), [&](const auto& slice) {
    return std::any_of(gateway.latches.begin(), gateway.latches.end(),
                       [&](const auto& latch) { return latch.slice == slice || latch.slice == "*"; });
  });
}

json slice_json(const ControlState& state, const std::string& name) {
  const SlicePolicy* slice = state.policy.find(name);
  if (slice == nullptr) return nullptr;
  return {{"name", name},
          {"stage", to_string(slice->stage)},
          {"weight", slice->weight_basis_points / 100.0},
          {"rung", slice->rung},
          {"paused", state.control(name).pause.has_value()},
          {"latched", state.latch_on(name) != nullptr}};
}

http::Response done(const Change& change, const std::string& slice) {
  return http::json_text(200, dump({{"epoch", change.next.policy.epoch},
                                    {"slice", slice_json(change.next, slice)},
                                    {"changed", change.policy_changed || !change.audit.empty()},
                                    {"notes", change.notes}}));
}

}  // namespace

struct PersonActions::Context {
  Author author;
  json body;
  std::uint32_t weight_basis_points = 0;

  static Result<Context> parse(const std::string& text, bool needs_reason, std::int64_t now) {
    Context context;
    context.body = json::parse(text.empty() ? "{}" : text, nullptr, false);
    if (!context.body.is_object()) return invalid_input("the body must be a JSON object");
    const auto by = text_field(context.body, "by", true);
    if (!by) return by.error();
    const auto reason = text_field(context.body, "reason", needs_reason);
    if (!reason) return reason.error();
    context.author = {*by, *reason, now};
    return context;
  }

  Result<bool> parse_weight() {
    const auto it = body.find("weight");
    if (it == body.end() || !(it->is_number() || it->is_string())) {
      return invalid_input("'weight' is required: a percentage from 0 to 100, at most two decimals");
    }
    const auto weight = parse_percent_to_basis_points(it->is_string() ? it->get<std::string>() : it->dump());
    if (!weight) return invalid_input("weight: " + weight.error().message);
    weight_basis_points = *weight;
    return true;
  }
};

std::string PersonActions::evidence_for(const ControlState& state, const std::string& slice, bool needs_evidence,
                                        bool one_step) {
  const SlicePolicy* policy = state.policy.find(slice);
  if (policy == nullptr) return "null";
  const Evidence evidence = board_.evidence(*policy);
  json document{{"score", evidence.score ? json::parse(encode(*evidence.score)) : json(nullptr)}};
  if (needs_evidence) {
    const auto obstacle =
        obstacle_to_raise(*policy, state.policy.epoch, loop_.facts(slice), evidence, config_.orchestrator.ramp);
    if (obstacle) document["obstacle"] = obstacle->reason;
    document["evidence"] = obstacle || !one_step ? "overridden by hand" : "sufficient";
  }
  return dump(document);
}

Result<Change> PersonActions::transform(const ControlState& state, const std::string& slice, const std::string& action,
                                        const Context& context) {
  if (action == "pause") return pause_slice(state, slice, context.author);
  if (action == "resume") return resume_slice(state, slice, context.author);
  if (action == "approve") return approve_raise(state, slice, context.author);
  if (action == "reset") return reset_slice(state, slice, context.author);
  if (action == "promote") return promote_slice(state, slice, context.author, evidence_for(state, slice, true, true));
  if (action == "retire") return retire_slice(state, slice, context.author, evidence_for(state, slice, true, true));
  const SlicePolicy* policy = state.policy.find(slice);
  const std::uint32_t now = policy != nullptr && policy->stage == Stage::canary ? policy->weight_basis_points : 0;
  const bool raise = context.weight_basis_points > now;
  const auto bound = bound_to_shadow(loop_.facts(slice), board_.live_gateways().size());
  if (policy != nullptr && raise && !bound.empty()) {
    return Error{ErrorCode::conflict, fmt::format("slice '{}' cannot leave stage shadow: {}", slice, bound)};
  }
  const bool one_step =
      policy != nullptr && next_step(*policy, config_.orchestrator.ramp) == context.weight_basis_points;
  auto change = set_weight(state, slice, context.weight_basis_points, context.author,
                           evidence_for(state, slice, raise, one_step));
  if (change && raise && change->policy_changed &&
      change->audit.front().evidence.find("overridden by hand") != std::string::npos) {
    change->notes.push_back("evidence: overridden by hand");
  }
  return change;
}

http::Response PersonActions::act(const std::string& slice, const std::string& action, const std::string& body) {
  if (action == "kill") return kill(slice, body);
  auto context = Context::parse(body, action == "reset", clock_.unix_ms());
  if (!context) return http::problem_of(context.error());
  if (action == "weight") {
    if (const auto parsed = context->parse_weight(); !parsed) return http::problem_of(parsed.error());
  }
  if (action == "retire" && context->body.value("confirm", json()) != json("retire " + slice)) {
    return http::problem_of(
        invalid_input(fmt::format("there is no way back from retired; confirm it: \"confirm\": \"retire {}\"", slice)));
  }
  const auto change = authority_.change(
      [&](const ControlState& state) { return transform(state, slice, action, *context); }, Order::save_first);
  if (!change) return http::problem_of(change.error());
  log::info("slice {}: {} by {}: {}", slice, action, context->author.by, context->author.reason);
  return done(*change, slice);
}

http::Response PersonActions::kill(const std::string& slice, const std::string& body) {
  const auto context = Context::parse(body, true, clock_.unix_ms());
  if (!context) return http::problem_of(context.error());
  const std::string kill_id = new_kill_id(clock_);
  const auto kill = [&](const ControlState& state) { return kill_slice(state, slice, kill_id, context->author); };
  // What is plainly wrong is refused before any gateway is asked. A state not read yet (no lead so far) refuses
  // nothing.
  const PolicyView before = authority_.view();
  if (before.state.policy.epoch > 0) {
    if (const auto possible = kill(before.state); !possible) return http::problem_of(possible.error());
  }
  const KillOrder order{slice, context->author.reason, context->author.by, kill_id};
  auto direct =
      std::async(std::launch::async, [&] { return kill_gateways(config_.control_gateways, order, kWaitForGateways); });
  const auto change = authority_.change(kill, Order::publish_first);
  std::vector<std::string> killed;
  json reply{{"kill_id", kill_id}, {"notes", json::array()}, {"gateways", json::array()}};
  if (change) {
    for (const auto& entry : change->audit) {
      killed.push_back(entry.slice);
      loop_.count_kill(entry.slice, "person");
    }
    reply["notes"] = change->notes;
    reply["epoch"] = change->next.policy.epoch;
  } else {
    reply["notes"].push_back("the policy could not be changed (" + change.error().message +
                             "); gateways were told directly");
    if (slice != "*") killed.push_back(slice);
  }
  reply["policy_published"] = change.has_value();
  reply["slices"] = killed;
  log::warn("kill of '{}' by {}: {}", slice, context->author.by, context->author.reason);

  const bool live_agree = board_.wait_until(kWaitForGateways, [&](const std::vector<GatewayView>& gateways) {
    return std::all_of(gateways.begin(), gateways.end(),
                       [&](const auto& view) { return !view.live || acknowledged(view.status, killed); });
  });
  std::size_t reported = 0, direct_acks = 0;
  for (const auto& view : board_.gateways()) {
    const bool ack = !killed.empty() && acknowledged(view.status, killed);
    reported += view.live && ack ? 1 : 0;
    reply["gateways"].push_back({{"gateway", view.status.gateway},
                                 {"acknowledged", ack},
                                 {"detail", ack         ? "reports the latch"
                                            : view.live ? "has not reported the latch yet"
                                                        : "does not report"}});
  }
  const auto answers = direct.get();
  for (const auto& answer : answers) {
    direct_acks += answer.acknowledged ? 1 : 0;
    reply["gateways"].push_back(
        {{"gateway", answer.gateway}, {"acknowledged", answer.acknowledged}, {"detail", answer.detail}});
  }
  // Addresses and gateway ids cannot be matched: every configured gateway must have answered one way or the other.
  reply["acknowledged"] = live_agree && std::max(reported, direct_acks) >= std::max<std::size_t>(1, answers.size());
  const bool any = reported + direct_acks > 0;
  if (!change && !any) {
    return http::problem_of(
        unavailable(change.error().message + "; and no gateway acknowledged: use phoenixctl kill --direct"));
  }
  return http::json_text(200, dump(reply));
}

}  // namespace phoenix::orchestrator
