#include "arbiter/body_document.hpp"

#include <algorithm>
#include <map>

#include "arbiter/xml_value.hpp"

namespace phoenix::arbiter {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Header fields are ASCII; boost's comparisons ask the locale for every letter, which showed in the arbiter's profile.
bool same_letter(char a, char b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return lower(a) == lower(b);
}
bool is_caseless(std::string_view text, std::string_view expected) {
  return text.size() == expected.size() && std::equal(text.begin(), text.end(), expected.begin(), same_letter);
}
bool ends_caseless(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && is_caseless(text.substr(text.size() - end.size()), end);
}
bool contains_caseless(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same_letter) != text.end();
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  const auto first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
}

/// application/x-www-form-urlencoded as in the URL Standard, but strict about `%`.
std::optional<std::string> decode_field(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) return std::nullopt;
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

JsonValue string(std::string text) {
  return JsonValue(JsonValue::Kind::string, std::move(text));
}

}  // namespace

Content content_of(const HeaderList& headers) {
  for (const auto& [name, value] : headers) {
    if (!is_caseless(name, "content-type")) continue;
    const std::string_view type = trimmed(std::string_view(value).substr(0, value.find(';')));
    if (contains_caseless(type, "/json") || contains_caseless(type, "+json")) return Content::json;
    if (ends_caseless(type, "/xml") || ends_caseless(type, "+xml")) return Content::xml;
    if (is_caseless(type, "application/x-www-form-urlencoded")) return Content::form;
    return Content::other;
  }
  return Content::other;
}

Result<JsonValue> parse_body(Content content, std::string_view body) {
  switch (content) {
    case Content::json:
      return parse_json(body);
    case Content::xml:
      return parse_xml(body);
    case Content::form:
      return parse_form(body);
    case Content::other:
      break;
  }
  return invalid_input("not a document");
}

Result<JsonValue> parse_form(std::string_view text) {
  std::map<std::string, JsonValue> fields;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view field = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = field.find('=');
    const auto name = decode_field(field.substr(0, equals));
    const auto value = decode_field(equals == std::string_view::npos ? "" : field.substr(equals + 1));
    if (!name || !value) return invalid_input("a broken percent escape");
    if (name->empty()) return invalid_input("a field without name");
    const auto [at, first] = fields.try_emplace(*name, string(*value));
    if (first) continue;
    if (at->second.kind == JsonValue::Kind::string) {
      JsonValue array(JsonValue::Kind::array);
      array.items.push_back(std::move(at->second));
      at->second = std::move(array);
    }
    at->second.items.push_back(string(*value));
  }
  JsonValue document(JsonValue::Kind::object);
  for (auto& [name, value] : fields) document.members.emplace_back(name, std::move(value));
  return document;
}

}  // namespace phoenix::arbiter
