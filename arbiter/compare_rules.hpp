// What a route's configuration excuses when two answers are compared. Pure. A rule excuses only what it names: where it
// cannot be applied (no timestamp, no number, elements without the joining member) the difference stays.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arbiter/json_value.hpp"
#include "core/model/decimal.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

struct CompareRules {
  std::vector<JsonPath> ignore;  ///< a segment `*` matches every array element or member
  std::optional<JsonPath> balance;
  std::vector<std::pair<JsonPath, config::Normaliser>> normalise;
  std::vector<std::pair<JsonPath, Decimal>> tolerance;
  std::vector<JsonPath> unordered;
  std::vector<std::pair<JsonPath, std::string>> keyed;  ///< path of an array, member that joins its elements
  std::vector<std::string> headers;
  bool status_class = false;

  static CompareRules from_config(const config::CompareConfig& compare);

  [[nodiscard]] bool ignores(const JsonPath& path) const;
  [[nodiscard]] bool is_unordered(const JsonPath& path) const;
  /// Empty: the array at `path` is compared by position.
  [[nodiscard]] std::string joined_by(const JsonPath& path) const;
  /// What is compared instead of the scalar at `path`; nothing when no normaliser applies.
  [[nodiscard]] std::optional<std::string> normalised(const JsonPath& path, const JsonValue& value) const;
  /// Whether two different scalars at `path` count as equal.
  [[nodiscard]] bool excuses(const JsonPath& path, const JsonValue& legacy, const JsonValue& modern) const;
  /// Whether a body that could not be read might differ by nothing but what is excused.
  [[nodiscard]] bool could_excuse_a_body() const;
};

/// One text for every spelling of the same value; nothing when `text` is not of that kind.
std::optional<std::string> normal_form(config::Normaliser normaliser, const std::string& text);

}  // namespace phoenix::arbiter
