#include "arbiter/accepted_active_rules.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace phoenix::arbiter {

std::optional<std::string> ActiveRules::activate(std::string_view record_value) {
  auto record = decode_accepted_rules_record(record_value);
  if (!record) return record.error().message;
  if (record->sha256 == record_.sha256) return std::nullopt;
  auto changes = AcceptedChanges::parse(record->text, record->file);
  if (!changes) return changes.error().message;
  changes->restore(changes_.counts());
  changes_ = std::move(*changes);
  record_ = std::move(*record);
  return std::nullopt;
}

std::string ActiveRules::stored() const {
  if (record_.sha256.empty()) return {};
  const nlohmann::json state{{"record", encode(record_).value()}, {"counts", encode(changes_.counts())}};
  return state.dump();
}

Result<ActiveRules> ActiveRules::restored(std::string_view text) {
  ActiveRules active;
  if (text.empty()) return active;
  try {
    const auto state = nlohmann::json::parse(text);
    if (auto why = active.activate(state.at("record").get<std::string>())) return invalid_input(*why);
    const auto counts = decode_accepted_counts(state.at("counts").get<std::string>());
    if (!counts) return counts.error();
    active.changes_.restore(*counts);
  } catch (const nlohmann::json::exception& e) {
    return invalid_input(fmt::format("stored rules of accepted changes: {}", e.what()));
  }
  return active;
}

}  // namespace phoenix::arbiter
