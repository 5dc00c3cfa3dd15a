#include "arbiter/document_walk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace phoenix::arbiter {
namespace {

using Kind = JsonValue::Kind;
using Outcome = ResponseDifference::Outcome;

bool is_scalar(const JsonValue& value) {
  return value.kind != Kind::object && value.kind != Kind::array;
}

std::string scalar_text(const JsonValue& value) {
  if (value.kind == Kind::number) {
    if (const auto number = Decimal::parse(value.text)) return number->to_string();
  }
  return fmt::format("{}:{}:{}", static_cast<int>(value.kind), value.text.size(), value.text);
}

bool same_scalar(const JsonValue& a, const JsonValue& b) {
  return a.kind == b.kind && (a.text == b.text || (a.kind == Kind::number && scalar_text(a) == scalar_text(b)));
}

std::string spell(const JsonPath& path) {
  std::string text;
  for (const auto& segment : path) {
    text += '/';
    for (const char c : segment) text += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  }
  return text.empty() ? "/" : text;
}

/// One text for all documents that the rules hold equal, tolerances apart. `any_order`: arrays are multisets and the
/// members named in `left_out_names` are left out, so that equal texts mean: the same elements, in whatever order.
class Canonical {
 public:
  Canonical(const CompareRules& rules, bool any_order, const std::vector<std::string>& left_out_names)
      : rules_(rules), any_order_(any_order), left_out_names_(left_out_names) {}

  std::string text(const JsonValue& value, JsonPath path) {
    path_ = std::move(path);
    return text_of(value);
  }
  /// Of each element of the array at `path`, in its order.
  std::vector<std::string> elements(const JsonValue& array, JsonPath path) {
    path_ = std::move(path);
    return element_texts(array);
  }

 private:
  std::string text_of(const JsonValue& value) {
    if (value.kind == Kind::array) return array_text(value);
    if (value.kind == Kind::object) return object_text(value);
    if (const auto form = rules_.normalised(path_, value)) return fmt::format("~{}:{}", form->size(), *form);
    return scalar_text(value);
  }

  bool left_out() const {
    const bool named =
        any_order_ && std::find(left_out_names_.begin(), left_out_names_.end(), path_.back()) != left_out_names_.end();
    return named || rules_.ignores(path_);
  }

  std::vector<std::string> element_texts(const JsonValue& value) {
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      path_.push_back(std::to_string(i));
      parts.push_back(left_out() ? "" : text_of(value.items[i]));
      path_.pop_back();
    }
    return parts;
  }

  std::string array_text(const JsonValue& value) {
    auto parts = element_texts(value);
    if (any_order_ || rules_.is_unordered(path_)) {
      std::erase(parts, "");  // ignored ones leave no gap
      std::sort(parts.begin(), parts.end());
    }
    return fmt::format("[{}]", fmt::join(parts, ","));
  }

  std::string object_text(const JsonValue& value) {
    std::string result = "{";
    for (const auto& [name, member] : value.members) {
      path_.push_back(name);
      if (!left_out()) result += std::to_string(name.size()) + ":" + name + "=" + text_of(member) + ",";
      path_.pop_back();
    }
    if (!any_order_ && !rules_.is_unordered(path_)) result += value.text;  // the order of an XML element's children
    return result + "}";
  }

  const CompareRules& rules_;
  const bool any_order_;
  const std::vector<std::string>& left_out_names_;
  JsonPath path_;
};

const std::vector<std::string> kNoNames;

/// The elements of an array by the member that joins them; nothing when one of them lacks it or two share it.
std::optional<std::map<std::string, const JsonValue*>> by_member(const JsonValue& array, const std::string& member) {
  std::map<std::string, const JsonValue*> elements;
  for (const auto& item : array.items) {
    const JsonValue* value = item.kind == Kind::object ? item.member(member) : nullptr;
    // In XML a child with nothing but text is as good as a value.
    if (value != nullptr && value->kind == Kind::object && value->members.size() == 1) value = value->member("#text");
    if (value == nullptr || !is_scalar(*value)) return std::nullopt;
    const std::string name = value->kind == Kind::number ? scalar_text(*value) : value->text;
    if (!elements.emplace(fmt::format("{}:{}", static_cast<int>(value->kind), name), &item).second) return std::nullopt;
  }
  return elements;
}

/// Walks two documents side by side. Recursion is bounded by kMaxJsonDepth.
class Walk {
 public:
  Walk(const CompareRules& rules, ResponseDifference& result) : rules_(rules), result_(result) {}

  void compare(const JsonValue* legacy, const JsonValue* modern) {
    if (left_out()) return;
    if (legacy == nullptr) return differ(DifferenceKind::extra, nullptr, modern);
    if (modern == nullptr) return differ(DifferenceKind::missing, legacy, nullptr);
    if (legacy->kind == Kind::object && modern->kind == Kind::object) return compare_members(*legacy, *modern);
    if (legacy->kind == Kind::array && modern->kind == Kind::array) return compare_items(*legacy, *modern);
    const bool scalars = is_scalar(*legacy) && is_scalar(*modern);
    if (scalars && (same_scalar(*legacy, *modern) || rules_.excuses(path_, *legacy, *modern))) return;
    differ(legacy->kind == modern->kind ? DifferenceKind::value : DifferenceKind::type, legacy, modern);
  }

 private:
  bool left_out() const {
    if (rules_.balance && result_.legacy_balance && result_.modern_balance && path_ == *rules_.balance) return true;
    return rules_.ignores(path_);
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
    compare_children(legacy.text, modern.text);
  }

  /// The order of an XML element's children, where both have the same ones: others have been named already.
  void compare_children(const std::string& legacy, const std::string& modern) {
    if (legacy == modern || rules_.is_unordered(path_)) return;
    if (sorted_words(legacy) == sorted_words(modern)) note({DifferenceKind::order, spell(path_), legacy, modern});
  }

  static std::vector<std::string> sorted_words(const std::string& text) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find(' ', at), text.size());
      words.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    std::sort(words.begin(), words.end());
    return words;
  }

  void compare_items(const JsonValue& legacy, const JsonValue& modern) {
    if (rules_.is_unordered(path_)) return compare_unordered(legacy, modern);
    if (const std::string member = rules_.joined_by(path_); !member.empty()) {
      const auto l = by_member(legacy, member), m = by_member(modern, member);
      if (l && m) return compare_joined(*l, *m, member);
    }
    compare_positions(legacy, modern);
  }

  void compare_positions(const JsonValue& legacy, const JsonValue& modern) {
    const std::size_t listed = result_.values.size(), unlisted = result_.not_reported;
    const std::size_t longest = std::max(legacy.items.size(), modern.items.size());
    for (std::size_t i = 0; i < longest; ++i) {
      step(std::to_string(i), i < legacy.items.size() ? &legacy.items[i] : nullptr,
           i < modern.items.size() ? &modern.items[i] : nullptr);
    }
    const bool differ_here = result_.values.size() != listed || result_.not_reported != unlisted;
    if (!differ_here || legacy.items.size() != modern.items.size() || !same_elements(legacy, modern)) return;
    // The same elements in another order: that says it better than each of them.
    result_.values.resize(listed);
    result_.not_reported = unlisted;
    differ(DifferenceKind::order, &legacy, &modern);
  }

  bool same_elements(const JsonValue& legacy, const JsonValue& modern) {
    Canonical canonical(rules_, false, kNoNames);
    auto l = canonical.elements(legacy, path_), m = canonical.elements(modern, path_);
    std::sort(l.begin(), l.end());
    std::sort(m.begin(), m.end());
    return l == m;
  }

  void compare_unordered(const JsonValue& legacy, const JsonValue& modern) {
    Canonical canonical(rules_, false, kNoNames);
    const auto l = canonical.elements(legacy, path_), m = canonical.elements(modern, path_);
    std::map<std::string, int> surplus;  // legacy's less modern's
    for (const auto& text : l) ++surplus[text];
    for (const auto& text : m) --surplus[text];
    surplus.erase("");  // ignored
    for (std::size_t i = 0; i < l.size(); ++i) {
      if (const auto at = surplus.find(l[i]); at != surplus.end() && at->second > 0) {
        --at->second;
        step(std::to_string(i), &legacy.items[i], nullptr);
      }
    }
    for (std::size_t i = 0; i < m.size(); ++i) {
      if (const auto at = surplus.find(m[i]); at != surplus.end() && at->second < 0) {
        ++at->second;
        step(std::to_string(i), nullptr, &modern.items[i]);
      }
    }
  }

  using Joined = std::map<std::string, const JsonValue*>;
  void compare_joined(const Joined& legacy, const Joined& modern, const std::string& member) {
    const auto segment = [&](const std::string& key) { return member + "=" + key.substr(key.find(':') + 1); };
    Joined keys = legacy;
    keys.insert(modern.begin(), modern.end());
    const auto in = [](const Joined& side, const std::string& key) {
      const auto at = side.find(key);
      return at == side.end() ? nullptr : at->second;
    };
    for (const auto& [key, element] : keys) step(segment(key), in(legacy, key), in(modern, key));
  }

  void differ(DifferenceKind kind, const JsonValue* legacy, const JsonValue* modern) {
    note({kind, spell(path_), legacy ? legacy->brief() : "absent", modern ? modern->brief() : "absent"});
  }

  void note(ValueDifference difference) {
    result_.outcome = Outcome::different;
    if (result_.values.size() < ResponseDifference::kMaxReported) {
      result_.values.push_back(std::move(difference));
    } else {
      ++result_.not_reported;
    }
  }

  const CompareRules& rules_;
  ResponseDifference& result_;
  JsonPath path_;
};

}  // namespace

void compare_documents(const JsonValue& legacy, const JsonValue& modern, const CompareRules& rules,
                       const std::vector<std::string>& running_balance_names, ResponseDifference& result) {
  Walk(rules, result).compare(&legacy, &modern);
  if (result.outcome != Outcome::different) return;
  Canonical any_order(rules, true, running_balance_names);
  result.same_apart_from_order = any_order.text(legacy, {}) == any_order.text(modern, {});
}

}  // namespace phoenix::arbiter
