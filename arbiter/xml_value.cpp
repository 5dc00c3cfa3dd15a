#include "arbiter/xml_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <pugixml.hpp>

namespace phoenix::arbiter {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kBlank) == std::string_view::npos;
}

/// `&…;` of the five names, or the number of a character other than NUL.
bool is_reference(std::string_view name) {
  if (!name.starts_with('#')) return name == "amp" || name == "lt" || name == "gt" || name == "quot" || name == "apos";
  name.remove_prefix(1);
  const bool hex = name.starts_with('x');
  if (hex) name.remove_prefix(1);
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number, hex ? 16 : 10);
  const bool surrogate = number >= 0xd800 && number <= 0xdfff;
  return error == std::errc{} && end == name.data() + name.size() && number > 0 && number <= 0x10ffff && !surrogate;
}

/// The parser takes an ampersand that begins no reference for text, which would make two documents equal that are not.
bool references_are_sound(std::string_view text) {
  for (std::size_t at = 0; (at = text.find_first_of("&<", at)) != std::string_view::npos; ++at) {
    const std::string_view rest = text.substr(at);
    const std::string_view end = rest.starts_with("<![CDATA[") ? "]]>" : rest.starts_with("<!--") ? "-->" : "";
    if (!end.empty()) {
      at = text.find(end, at);
      if (at == std::string_view::npos) return false;
    } else if (rest.front() == '&') {
      const std::size_t stop = rest.find(';');
      if (stop == std::string_view::npos || !is_reference(rest.substr(1, stop - 1))) return false;
    }
  }
  return true;
}

class Builder {
 public:
  Result<JsonValue> build(const pugi::xml_document& document) {
    JsonValue root(JsonValue::Kind::object);
    for (const auto& node : document.children()) {
      if (node.type() == pugi::node_doctype) return invalid_input("a document type definition");
      if (is_text(node) && !is_blank(node.value())) return invalid_input("text outside the root element");
      if (node.type() != pugi::node_element) continue;
      if (!root.members.empty()) return invalid_input("more than one root element");
      root.members.emplace_back(node.name(), element(node, 1));
    }
    if (problem_ != nullptr) return invalid_input(problem_);
    if (root.members.empty()) return invalid_input("no element");
    return root;
  }

 private:
  static bool is_text(const pugi::xml_node& node) {
    return node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata;
  }

  JsonValue element(const pugi::xml_node& node, int depth) {
    JsonValue value(JsonValue::Kind::object);
    if (depth >= kMaxJsonDepth) {
      problem_ = "nested too deeply";
      return value;
    }
    for (const auto& attribute : node.attributes())
      value.members.emplace_back(std::string("@") + attribute.name(), string(attribute.value()));
    std::string text;
    for (const auto& child : node.children()) {
      if (is_text(child)) text += child.value();
      if (child.type() != pugi::node_element) continue;
      value.text += value.text.empty() ? "" : " ";
      value.text += child.name();
      value.members.emplace_back(child.name(), element(child, depth + 1));
    }
    if (value.text.empty()) {
      if (!text.empty()) value.members.emplace_back("#text", string(std::move(text)));
    } else if (!is_blank(text)) {
      problem_ = "text between elements";
    }
    gather(value);
    return value;
  }

  static JsonValue string(std::string text) { return JsonValue(JsonValue::Kind::string, std::move(text)); }

  /// Sorts by name, children of one name in their order, and makes an array of those.
  void gather(JsonValue& value) {
    auto& members = value.members;
    std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::pair<std::string, JsonValue>> gathered;
    for (std::size_t i = 0; i < members.size();) {
      std::size_t end = i + 1;
      while (end < members.size() && members[end].first == members[i].first) ++end;
      if (end == i + 1) {
        gathered.push_back(std::move(members[i]));
      } else {
        if (members[i].first.starts_with('@')) problem_ = "an attribute given twice";
        JsonValue array(JsonValue::Kind::array);
        for (std::size_t k = i; k < end; ++k) array.items.push_back(std::move(members[k].second));
        gathered.emplace_back(std::move(members[i].first), std::move(array));
      }
      i = end;
    }
    members = std::move(gathered);
  }

  const char* problem_ = nullptr;
};

}  // namespace

Result<JsonValue> parse_xml(std::string_view text) {
  // To this parser a NUL byte is the end of a value, so that what stands behind it would not be compared.
  if (text.find('\0') != std::string_view::npos) return invalid_input("a NUL byte");
  if (!references_are_sound(text)) return invalid_input("an undeclared entity or a broken reference");
  pugi::xml_document document;
  // Fragments, so that nothing outside the root element is passed over in silence; Builder wants one root.
  constexpr unsigned kOptions =
      pugi::parse_default | pugi::parse_doctype | pugi::parse_fragment | pugi::parse_ws_pcdata_single;
  const auto parsed = document.load_buffer(text.data(), text.size(), kOptions);
  if (!parsed) return invalid_input(parsed.description());
  return Builder().build(document);
}

}  // namespace phoenix::arbiter
