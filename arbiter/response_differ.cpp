#include "arbiter/response_differ.hpp"

#include <fmt/format.h>

#include <boost/algorithm/string/predicate.hpp>

#include "arbiter/body_document.hpp"
#include "arbiter/document_walk.hpp"

namespace phoenix::arbiter {
namespace {

using Outcome = ResponseDifference::Outcome;

constexpr std::string_view kRedacted = "(redacted)";
constexpr std::string_view kKindNames[] = {"missing", "extra", "type", "value", "order", "header", "status", "body"};

bool is_whole(const LegRecord& leg) {
  return !leg.truncated && !leg.cut;
}

std::optional<Decimal> balance_at(const JsonValue& document, const JsonPath& path) {
  const JsonValue* value = find(document, path);
  // Money as a string ("12.50") is as exact as a number, and common in APIs.
  if (value == nullptr || (value->kind != JsonValue::Kind::number && value->kind != JsonValue::Kind::string)) return {};
  const auto parsed = Decimal::parse(value->text);
  return parsed ? std::optional(*parsed) : std::nullopt;
}

void note(ResponseDifference& result, ValueDifference difference) {
  result.outcome = Outcome::different;
  result.values.push_back(std::move(difference));
}

void compare_status(const LegRecord& legacy, const LegRecord& modern, const CompareRules& rules,
                    ResponseDifference& result) {
  const bool same = rules.status_class ? legacy.status / 100 == modern.status / 100 : legacy.status == modern.status;
  if (same) return;
  note(result, {DifferenceKind::status, "", std::to_string(legacy.status), std::to_string(modern.status)});
}

/// Nothing can be said of a part; a difference that was found already stands.
void leave_undecided(ResponseDifference& result, std::string why) {
  if (result.outcome == Outcome::equal) result.outcome = Outcome::undecided;
  result.note = std::move(why);
}

/// All values of a header, in their order; several lines mean the same as one list (RFC 9110, section 5.3).
std::optional<std::string> header_of(const LegRecord& leg, const std::string& wanted) {
  std::optional<std::string> values;
  for (const auto& [name, value] : leg.headers) {
    if (!boost::algorithm::iequals(name, wanted)) continue;
    values = values ? *values + ", " + value : value;
  }
  return values;
}

void compare_headers(const LegRecord& legacy, const LegRecord& modern, const CompareRules& rules,
                     ResponseDifference& result) {
  for (const auto& name : rules.headers) {
    const auto left = header_of(legacy, name), right = header_of(modern, name);
    if (left == right) {
      // Blotted out by the gateway: that both say so says nothing.
      if (left && left->find(kRedacted) != std::string::npos)
        leave_undecided(result, "header " + name + " is redacted");
      continue;
    }
    const auto shown = [](const auto& value) {
      return value ? JsonValue(JsonValue::Kind::string, *value).brief() : "absent";
    };
    if (result.values.size() >= ResponseDifference::kMaxReported) {
      ++result.not_reported;
    } else {
      note(result, {DifferenceKind::header, name, shown(left), shown(right)});
    }
  }
}

void compare_hashes(const LegRecord& legacy, const LegRecord& modern, bool rules_could_excuse,
                    ResponseDifference& result) {
  if (legacy.cut || modern.cut) {
    return leave_undecided(result,
                           fmt::format("{}'s body was longer than the gateway reads and was not read to its end",
                                       legacy.cut && modern.cut ? "each side"
                                       : legacy.cut             ? "legacy"
                                                                : "modern"));
  }
  if (legacy.body_hash == modern.body_hash && legacy.body_bytes == modern.body_bytes) return;
  const bool in_part = legacy.truncated || modern.truncated;
  if (in_part && rules_could_excuse) {
    return leave_undecided(result,
                           fmt::format("bodies differ (legacy {} bytes, modern {} bytes, captured only in part)",
                                       legacy.body_bytes, modern.body_bytes));
  }
  const auto bytes = [&](const LegRecord& leg) { return fmt::format("{} bytes", leg.body_bytes); };
  if (result.values.size() >= ResponseDifference::kMaxReported) {
    ++result.not_reported;
  } else {
    note(result, {DifferenceKind::body, "", bytes(legacy), bytes(modern)});
  }
}

void compare_bodies(const LegRecord& legacy, const LegRecord& modern, const CompareRules& rules,
                    const std::vector<std::string>& running_balance_names, ResponseDifference& result) {
  const Content content = content_of(legacy);
  const bool documents = content != Content::other && content == content_of(modern);
  if (!documents || !is_whole(legacy) || !is_whole(modern)) {
    return compare_hashes(legacy, modern, documents && rules.could_excuse_a_body(), result);
  }
  const auto legacy_document = parse_body(content, legacy.body);
  const auto modern_document = parse_body(content, modern.body);
  if (!legacy_document || !modern_document) return compare_hashes(legacy, modern, false, result);
  if (rules.balance) {
    result.legacy_balance = balance_at(*legacy_document, *rules.balance);
    result.modern_balance = balance_at(*modern_document, *rules.balance);
  }
  compare_documents(*legacy_document, *modern_document, rules, running_balance_names, result);
}

std::string describe(const ValueDifference& difference) {
  const auto& [kind, path, legacy, modern] = difference;
  switch (kind) {
    case DifferenceKind::status:
      return fmt::format("status: legacy {}, modern {}", legacy, modern);
    case DifferenceKind::header:
      return fmt::format("header {}: legacy {}, modern {}", path, legacy, modern);
    case DifferenceKind::body:
      return fmt::format("bodies differ (legacy {}, modern {})", legacy, modern);
    case DifferenceKind::order:
      return fmt::format("{}: the same elements in another order", path);
    default:
      return fmt::format("{}: legacy {}, modern {}", path, legacy, modern);
  }
}

}  // namespace

std::string_view to_string(DifferenceKind kind) {
  return kKindNames[static_cast<int>(kind)];
}

std::string ResponseDifference::summary() const {
  std::string text;
  const auto add = [&](const std::string& part) {
    if (!text.empty()) text += "; ";
    text += part;
  };
  for (const auto& value : values) add(describe(value));
  if (not_reported > 0) add(fmt::format("and {} more", not_reported));
  if (!note.empty()) add(note);
  return one_line(text);
}

ResponseDifference compare_responses(const LegRecord& legacy, const LegRecord& modern, const CompareRules& rules,
                                     const std::vector<std::string>& running_balance_names) {
  ResponseDifference result;
  compare_status(legacy, modern, rules, result);
  compare_headers(legacy, modern, rules, result);
  const bool differed = result.outcome == Outcome::different;
  compare_bodies(legacy, modern, rules, running_balance_names, result);
  if (differed) result.same_apart_from_order = false;
  return result;
}

}  // namespace phoenix::arbiter
