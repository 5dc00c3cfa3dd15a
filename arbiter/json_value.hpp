// A JSON document that keeps every number as the text it was written in, so that money is compared exactly and never
// passes through a double. Pure; values are immutable after parsing.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/result.hpp"

namespace phoenix::arbiter {

struct JsonValue {
  enum class Kind { null, boolean, number, string, array, object };
  JsonValue() = default;
  explicit JsonValue(Kind kind_of_value, std::string text_of_value = {})
      : kind(kind_of_value), text(std::move(text_of_value)) {}

  Kind kind = Kind::null;
  std::string text;  ///< `true`/`false`, the number as written, or the decoded string
  std::vector<JsonValue> items;
  std::vector<std::pair<std::string, JsonValue>> members;  ///< sorted by name

  [[nodiscard]] const JsonValue* member(std::string_view name) const;
  /// One line for people; strings quoted, containers abbreviated, at most about 80 characters.
  [[nodiscard]] std::string brief() const;
};

/// Control characters spelled \u00XX, so that the text is one line.
std::string one_line(std::string_view text);

/// Bound of nesting; deeper documents are refused (they are then compared by hash).
inline constexpr int kMaxJsonDepth = 128;

/// `invalid_input` for anything that is not one JSON document, for a member given twice and for too deep nesting.
Result<JsonValue> parse_json(std::string_view text);

/// A JSON pointer (RFC 6901) split into its unescaped segments; `/a~1b/*` is {"a/b", "*"}.
using JsonPath = std::vector<std::string>;
JsonPath parse_json_path(std::string_view pointer);

/// The value at `path`, or nullptr. No wildcards here.
const JsonValue* find(const JsonValue& root, const JsonPath& path);

}  // namespace phoenix::arbiter
