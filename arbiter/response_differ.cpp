#include "arbiter/response_differ.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/string/predicate.hpp>

namespace phoenix::arbiter {
namespace {

using Outcome = ResponseDifference::Outcome;

bool is_json(const LegRecord& leg) {
  for (const auto& [name, value] : leg.headers) {
    if (boost::algorithm::iequals(name, "content-type")) {
      const auto type = value.substr(0, value.find(';'));
      return boost::algorithm::icontains(type, "/json") || boost::algorithm::icontains(type, "+json");
    }
  }
  return false;
}

bool is_whole(const LegRecord& leg) {
  return !leg.truncated && !leg.cut;
}

bool same_number(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto left = Decimal::parse(a);
  const auto right = Decimal::parse(b);
  return left && right && *left == *right;
}

bool same_scalar(const JsonValue& a, const JsonValue& b) {
  if (a.kind != b.kind) return false;
  return a.kind == JsonValue::Kind::number ? same_number(a.text, b.text) : a.text == b.text;
}

bool covers(const JsonPath& rule, const JsonPath& path) {
  if (rule.size() != path.size()) return false;
  for (std::size_t i = 0; i < rule.size(); ++i) {
    if (rule[i] != "*" && rule[i] != path[i]) return false;
  }
  return true;
}

std::string spell(const JsonPath& path) {
  std::string text;
  for (const auto& segment : path) {
    text += '/';
    for (const char c : segment) text += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  }
  return text.empty() ? "/" : text;
}

/// Walks two documents side by side. Recursion is bounded by kMaxJsonDepth.
class Walk {
 public:
  Walk(const CompareRules& rules, ResponseDifference& result) : rules_(rules), result_(result) {}

  void compare(const JsonValue* legacy, const JsonValue* modern) {
    if (left_out()) return;
    if (legacy == nullptr || modern == nullptr || legacy->kind != modern->kind) return differ(legacy, modern);
    if (legacy->kind == JsonValue::Kind::object) return compare_members(*legacy, *modern);
    if (legacy->kind == JsonValue::Kind::array) return compare_items(*legacy, *modern);
    if (!same_scalar(*legacy, *modern)) differ(legacy, modern);
  }

 private:
  bool left_out() const {
    if (rules_.balance && result_.legacy_balance && result_.modern_balance && path_ == *rules_.balance) return true;
    for (const auto& rule : rules_.ignore) {
      if (covers(rule, path_)) return true;
    }
    return false;
  }

  void step(const std::string& segment, const JsonValue* legacy, const JsonValue* modern) {
    path_.push_back(segment);
    compare(legacy, modern);
    path_.pop_back();
  }

  void compare_members(const JsonValue& legacy, const JsonValue& modern) {
    auto l = legacy.members.begin();
    auto m = modern.members.begin();
    while (l != legacy.members.end() || m != modern.members.end()) {  // both sorted by name
      const bool only_legacy = m == modern.members.end() || (l != legacy.members.end() && l->first < m->first);
      const bool only_modern = l == legacy.members.end() || (m != modern.members.end() && m->first < l->first);
      step(only_modern ? m->first : l->first, only_modern ? nullptr : &l->second, only_legacy ? nullptr : &m->second);
      if (!only_modern) ++l;
      if (!only_legacy) ++m;
    }
  }

  void compare_items(const JsonValue& legacy, const JsonValue& modern) {
    const std::size_t longest = std::max(legacy.items.size(), modern.items.size());
    for (std::size_t i = 0; i < longest; ++i) {
      step(std::to_string(i), i < legacy.items.size() ? &legacy.items[i] : nullptr,
           i < modern.items.size() ? &modern.items[i] : nullptr);
    }
  }

  void differ(const JsonValue* legacy, const JsonValue* modern) {
    result_.outcome = Outcome::different;
    if (result_.values.size() >= ResponseDifference::kMaxReported) {
      ++result_.not_reported;
      return;
    }
    result_.values.push_back({spell(path_), legacy ? legacy->brief() : "absent", modern ? modern->brief() : "absent"});
  }

  const CompareRules& rules_;
  ResponseDifference& result_;
  JsonPath path_;
};

/// A canonical text in which arrays are multisets and ignored fields and running balances are left out: equal texts
/// mean that the same elements are listed, in whatever order.
class Unordered {
 public:
  Unordered(const CompareRules& rules, const std::vector<std::string>& left_out_names)
      : rules_(rules), left_out_names_(left_out_names) {}

  std::string text(const JsonValue& value) {
    if (value.kind == JsonValue::Kind::array) return array_text(value);
    if (value.kind == JsonValue::Kind::object) return object_text(value);
    if (value.kind == JsonValue::Kind::number) {
      if (const auto number = Decimal::parse(value.text)) return number->to_string();
    }
    return std::to_string(static_cast<int>(value.kind)) + ":" + std::to_string(value.text.size()) + ":" + value.text;
  }

 private:
  bool left_out() const {
    for (const auto& name : left_out_names_) {
      if (path_.back() == name) return true;
    }
    for (const auto& rule : rules_.ignore) {
      if (covers(rule, path_)) return true;
    }
    return false;
  }

  std::string array_text(const JsonValue& value) {
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      path_.push_back(std::to_string(i));
      if (!left_out()) parts.push_back(text(value.items[i]));
      path_.pop_back();
    }
    std::sort(parts.begin(), parts.end());
    return fmt::format("[{}]", fmt::join(parts, ","));
  }

  std::string object_text(const JsonValue& value) {
    std::string result = "{";
    for (const auto& [name, member] : value.members) {
      path_.push_back(name);
      if (!left_out()) result += std::to_string(name.size()) + ":" + name + "=" + text(member) + ",";
      path_.pop_back();
    }
    return result + "}";
  }

  const CompareRules& rules_;
  const std::vector<std::string>& left_out_names_;
  JsonPath path_;
};

std::optional<Decimal> balance_at(const JsonValue& document, const JsonPath& path) {
  const JsonValue* value = find(document, path);
  // Money as a string ("12.50") is as exact as a number, and common in APIs.
  if (value == nullptr || (value->kind != JsonValue::Kind::number && value->kind != JsonValue::Kind::string)) return {};
  const auto parsed = Decimal::parse(value->text);
  return parsed ? std::optional(*parsed) : std::nullopt;
}

void compare_hashes(const LegRecord& legacy, const LegRecord& modern, bool rules_could_excuse,
                    ResponseDifference& result) {
  if (legacy.cut || modern.cut) {
    result.outcome = Outcome::undecided;
    result.note = fmt::format("{}'s body was longer than the gateway reads and was not read to its end",
                              legacy.cut && modern.cut ? "each side"
                              : legacy.cut             ? "legacy"
                                                       : "modern");
    return;
  }
  if (legacy.body_hash == modern.body_hash && legacy.body_bytes == modern.body_bytes) return;
  const bool cut = legacy.truncated || modern.truncated;
  result.outcome = cut && rules_could_excuse ? Outcome::undecided : Outcome::different;
  result.note = fmt::format("bodies differ (legacy {} bytes, modern {} bytes{})", legacy.body_bytes, modern.body_bytes,
                            cut ? ", captured only in part" : "");
}

void compare_documents(const JsonValue& legacy, const JsonValue& modern, const CompareRules& rules,
                       const std::vector<std::string>& running_balance_names, ResponseDifference& result) {
  if (rules.balance) {
    result.legacy_balance = balance_at(legacy, *rules.balance);
    result.modern_balance = balance_at(modern, *rules.balance);
  }
  Walk(rules, result).compare(&legacy, &modern);
  if (result.outcome == Outcome::different) {
    Unordered unordered(rules, running_balance_names);
    result.same_apart_from_order = unordered.text(legacy) == unordered.text(modern);
  }
}

}  // namespace

CompareRules CompareRules::from_config(const config::CompareConfig& compare) {
  CompareRules rules;
  for (const auto& pointer : compare.ignore) rules.ignore.push_back(parse_json_path(pointer));
  if (!compare.balance.empty()) rules.balance = parse_json_path(compare.balance);
  return rules;
}

std::string ResponseDifference::summary() const {
  std::string text = note;
  for (const auto& value : values) {
    if (!text.empty()) text += "; ";
    text += fmt::format("{}: legacy {}, modern {}", value.path, value.legacy, value.modern);
  }
  if (not_reported > 0) text += fmt::format("; and {} more", not_reported);
  return one_line(text);
}

ResponseDifference compare_responses(const LegRecord& legacy, const LegRecord& modern, const CompareRules& rules,
                                     const std::vector<std::string>& running_balance_names) {
  ResponseDifference result;
  const bool json = is_json(legacy) && is_json(modern);
  if (json && is_whole(legacy) && is_whole(modern)) {
    const auto legacy_document = parse_json(legacy.body);
    const auto modern_document = parse_json(modern.body);
    if (legacy_document && modern_document) {
      compare_documents(*legacy_document, *modern_document, rules, running_balance_names, result);
    } else {
      compare_hashes(legacy, modern, false, result);
    }
  } else {
    compare_hashes(legacy, modern, json && (!rules.ignore.empty() || rules.balance), result);
  }
  if (legacy.status != modern.status) {
    result.outcome = Outcome::different;
    result.same_apart_from_order = false;
    const std::string statuses = fmt::format("status: legacy {}, modern {}", legacy.status, modern.status);
    result.note = result.note.empty() ? statuses : statuses + "; " + result.note;
  }
  return result;
}

}  // namespace phoenix::arbiter
