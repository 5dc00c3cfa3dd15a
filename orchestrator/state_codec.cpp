#include "orchestrator/state_codec.hpp"

#include <nlohmann/json.hpp>

namespace phoenix::orchestrator {

using nlohmann::json;

std::string encode_state(const ControlState& state) {
  json slices = json::object();
  for (const auto& [name, control] : state.slices) {
    json slice{{"changed_at_unix_ms", control.changed_at_unix_ms}};
    if (control.pause) {
      slice["pause"] = {{"by", control.pause->by},
                        {"reason", control.pause->reason},
                        {"by_system", control.pause->by_system},
                        {"at_unix_ms", control.pause->at_unix_ms}};
    }
    if (!control.approved_by.empty()) slice["approved_by"] = control.approved_by;
    slices[name] = std::move(slice);
  }
  return json{{"v", 1}, {"policy", json::parse(encode(state.policy))}, {"slices", std::move(slices)}}.dump();
}

Result<ControlState> decode_state(const std::string& text) {
  try {
    const json document = json::parse(text);
    if (document.at("v") != 1)
      return invalid_input("stored state has version " + document.at("v").dump() + ", this program reads 1");
    auto policy = decode_traffic_policy(document.at("policy").dump());
    if (!policy) return invalid_input("stored policy: " + policy.error().message);
    ControlState state{std::move(*policy), {}};
    for (const auto& [name, slice] : document.at("slices").items()) {
      SliceControl control;
      control.changed_at_unix_ms = slice.at("changed_at_unix_ms");
      control.approved_by = slice.value("approved_by", "");
      if (slice.contains("pause")) {
        const json& pause = slice.at("pause");
        control.pause = Pause{pause.at("by"), pause.at("reason"), pause.at("by_system"), pause.at("at_unix_ms")};
      }
      state.slices[name] = std::move(control);
    }
    return state;
  } catch (const json::exception& e) {
    return invalid_input(std::string("stored state: ") + e.what());
  }
}

}  // namespace phoenix::orchestrator
