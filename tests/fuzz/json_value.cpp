#include "arbiter/json_value.hpp"

#include "tests/fuzz/json_reference.hpp"
#include "tests/fuzz/targets.hpp"

namespace phoenix::fuzz {
namespace {

using arbiter::JsonValue;
using nlohmann::json;
using Kind = JsonValue::Kind;

json rebuilt(const JsonValue& value) {
  json result;
  switch (value.kind) {
    case Kind::string:
      return value.text;
    case Kind::array:
      result = json::array();
      for (const auto& item : value.items) result.push_back(rebuilt(item));
      return result;
    case Kind::object:
      result = json::object();
      for (const auto& [name, member] : value.members) result[name] = rebuilt(member);
      return result;
    default:
      return json::parse(value.text);
  }
}

void check_brief(const JsonValue& value) {
  const std::string brief = value.brief();
  const auto starts_character = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  check(std::count_if(brief.begin(), brief.end(), starts_character) <= 90, "a value's short form is short");
  check(std::none_of(brief.begin(), brief.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }),
        "a value's short form is one line");
}

// Every value is found again by its pointer.
void check_found(const JsonValue& root, const JsonValue& at, const json::json_pointer& pointer) {
  check(find(root, arbiter::parse_json_path(pointer.to_string())) == &at, "a pointer leads to its value");
  check_brief(at);
  for (std::size_t i = 0; i < at.items.size(); ++i) check_found(root, at.items[i], pointer / i);
  for (const auto& [name, member] : at.members) check_found(root, member, pointer / name);
}

}  // namespace

void json_value(std::string_view input) {
  const auto value = arbiter::parse_json(input);
  const auto reference = read_json_tree(input);
  const bool acceptable = reference && !reference->has_repeated_member &&
                          reference->deepest <= static_cast<std::size_t>(arbiter::kMaxJsonDepth);
  check(value.has_value() == acceptable, "one JSON document, no member twice, not too deep");
  if (!acceptable) {
    check(!value.error().message.empty(), "a refusal says why");
    return;
  }
  check(rebuilt(*value) == json::parse(input), "the document that the reference reads");
  check_found(*value, *value, json::json_pointer());
}

}  // namespace phoenix::fuzz
