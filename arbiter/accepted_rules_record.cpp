#include "arbiter/accepted_rules_record.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "arbiter/accepted_changes.hpp"
#include "core/runtime/sha256.hpp"

namespace phoenix::arbiter {

Result<std::string> encode(const AcceptedRulesRecord& record) {
  if (record.text.size() > AcceptedChanges::kMaxTextBytes) {
    return Error{ErrorCode::limit,
                 fmt::format("{}: longer than {} KiB", record.file, AcceptedChanges::kMaxTextBytes / 1024)};
  }
  const nlohmann::json document{{"v", 1},
                                {"op", "rules"},
                                {"file", record.file},
                                {"text", record.text},
                                {"sha256", sha256_hex(record.text)},
                                {"activated_by", record.activated_by}};
  try {
    return document.dump();
  } catch (const nlohmann::json::type_error&) {
    return invalid_input(fmt::format("{}: the text is not UTF-8", record.file));
  }
}

Result<AcceptedRulesRecord> decode_accepted_rules_record(std::string_view value) {
  AcceptedRulesRecord record;
  try {
    const auto document = nlohmann::json::parse(value);
    if (document.at("op") != "rules") return invalid_input("accepted changes: op is not rules");
    if (document.at("v") != 1) return invalid_input("accepted changes: unknown version " + document.at("v").dump());
    record.file = document.at("file").get<std::string>();
    record.text = document.at("text").get<std::string>();
    record.sha256 = document.at("sha256").get<std::string>();
    record.activated_by = document.at("activated_by").get<std::string>();
  } catch (const nlohmann::json::exception& e) {
    return invalid_input(fmt::format("accepted changes: {}", e.what()));
  }
  if (record.text.size() > AcceptedChanges::kMaxTextBytes) return invalid_input("accepted changes: text too long");
  if (sha256_hex(record.text) != record.sha256)
    return invalid_input("accepted changes: the text is not the hashed one");
  return record;
}

}  // namespace phoenix::arbiter
