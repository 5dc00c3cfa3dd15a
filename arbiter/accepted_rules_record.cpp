#include "arbiter/accepted_rules_record.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <nlohmann/json.hpp>

#include "arbiter/accepted_changes.hpp"

namespace phoenix::arbiter {

std::string sha256_of(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw Failure(ErrorCode::internal, "SHA-256 is not available");
  }
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

Result<std::string> encode(const AcceptedRulesRecord& record) {
  if (record.text.size() > AcceptedChanges::kMaxTextBytes) {
    return Error{ErrorCode::limit,
                 fmt::format("{}: longer than {} KiB", record.file, AcceptedChanges::kMaxTextBytes / 1024)};
  }
  const nlohmann::json document{{"v", 1},
                                {"op", "rules"},
                                {"file", record.file},
                                {"text", record.text},
                                {"sha256", sha256_of(record.text)},
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
  if (sha256_of(record.text) != record.sha256) return invalid_input("accepted changes: the text is not the hashed one");
  return record;
}

}  // namespace phoenix::arbiter
