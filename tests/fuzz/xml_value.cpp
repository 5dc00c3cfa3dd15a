#include "arbiter/xml_value.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "tests/fuzz/targets.hpp"

namespace phoenix::fuzz {
namespace {

using arbiter::JsonValue;
using Kind = JsonValue::Kind;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("&<>\"\t\r\n").find(c) == std::string_view::npos) {
      out += c;
    } else {
      out += "&#" + std::to_string(static_cast<int>(c)) + ";";
    }
  }
  return out;
}

// An element as XML, its children in the order that the value keeps.
std::string written(const std::string& name, const JsonValue& element, int depth) {
  check(element.kind == Kind::object, "an element is an object");
  check(depth <= arbiter::kMaxJsonDepth, "nesting is bounded");
  check(std::is_sorted(element.members.begin(), element.members.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; }),
        "members are sorted");
  std::string head = "<" + name, body;
  std::map<std::string, std::size_t> next;
  for (const auto& [member, value] : element.members) {
    if (member.starts_with('@')) head += " " + member.substr(1) + "=\"" + escaped(value.text) + "\"";
    if (member == "#text") body += escaped(value.text);
  }
  for (std::size_t at = 0; at < element.text.size();) {
    const std::size_t end = std::min(element.text.find(' ', at), element.text.size());
    const std::string child = element.text.substr(at, end - at);
    const JsonValue* value = element.member(child);
    check(value != nullptr, "each child has its place");
    const bool one = value->kind == Kind::object;
    const std::size_t index = next[child]++;
    check(one ? index == 0 : index < value->items.size(), "no more children than were named");
    body += written(child, one ? *value : value->items[index], depth + 1);
    at = end + 1;
  }
  return head + ">" + body + "</" + name + ">";
}

bool equal(const JsonValue& a, const JsonValue& b) {
  return a.kind == b.kind && a.text == b.text &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), equal) &&
         std::equal(a.members.begin(), a.members.end(), b.members.begin(), b.members.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first && equal(x.second, y.second); });
}

}  // namespace

void xml_value(std::string_view input) {
  const auto value = arbiter::parse_xml(input);
  if (!value) return check(!value.error().message.empty(), "a refusal says why");
  check(value->members.size() == 1, "one root element");
  const auto& [name, root] = value->members.front();
  const std::string text = written(name, root, 1);
  const auto again = arbiter::parse_xml(text);
  check(again.has_value() && equal(*again, *value), "written out and read again, it is the same");
}

}  // namespace phoenix::fuzz
