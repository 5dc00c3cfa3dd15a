// The record by which rules of accepted changes become active: the arbiter publishes the text of the rules file to each
// of its partitions of `db-state-updates`, and a shard takes the rules up when it reads the record. So which rules an
// exchange was judged by follows from the log (docs/events.md). Pure: text in, text out.
#pragma once

#include <string>
#include <string_view>

#include "core/model/result.hpp"

namespace phoenix::arbiter {

/// Key of these records; no account is named so.
inline constexpr const char* kAcceptedRulesKey = "phoenix:accepted-changes";

struct AcceptedRulesRecord {
  std::string file;          ///< name of the rules file, for messages
  std::string text;          ///< whole; empty: no rules any more
  std::string sha256;        ///< of the text, hexadecimal
  std::string activated_by;  ///< which arbiter took the file up
};

/// `limit` for text longer than AcceptedChanges::kMaxTextBytes, `invalid_input` for text that is not UTF-8. Sets the
/// hash itself.
Result<std::string> encode(const AcceptedRulesRecord& record);
/// `invalid_input` for another version or operation, a missing member, or a text that is not the hashed one.
Result<AcceptedRulesRecord> decode_accepted_rules_record(std::string_view value);

}  // namespace phoenix::arbiter
