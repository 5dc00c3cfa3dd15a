#include "arbiter/json_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <numeric>
#include <utility>

#include "core/events/json_cursor.hpp"

namespace phoenix::arbiter {
namespace {

/// A number that no binary floating point holds is one that most readers of JSON refuse.
bool is_beyond_doubles(const std::string& number) {
  constexpr std::size_t kAlwaysFits = 300;  // digits
  if (number.size() <= kAlwaysFits && number.find_first_of("eE") == std::string::npos) return false;
  return std::isinf(std::strtod(number.c_str(), nullptr));
}

// Recursion is bounded by kMaxJsonDepth.
void read_value(JsonCursor& json, JsonValue& value, int depth);

/// By name; sorted by their places first, because a member is big and moves more than once in a sort.
void sort_members(std::vector<std::pair<std::string, JsonValue>>& members) {
  std::vector<std::uint32_t> from(members.size());  // where the member stands that belongs here
  std::iota(from.begin(), from.end(), 0);
  std::sort(from.begin(), from.end(),
            [&](std::uint32_t a, std::uint32_t b) { return members[a].first < members[b].first; });
  for (std::uint32_t start = 0; start < from.size(); ++start) {
    if (from[start] == start) continue;
    auto displaced = std::move(members[start]);
    std::uint32_t hole = start;
    for (; from[hole] != start; hole = std::exchange(from[hole], hole)) members[hole] = std::move(members[from[hole]]);
    members[hole] = std::move(displaced);
    from[hole] = hole;
  }
}

void read_object(JsonCursor& json, JsonValue& object, int depth) {
  constexpr std::size_t kUsualMembers = 12;
  object.kind = JsonValue::Kind::object;
  if (depth == 1) object.members.reserve(kUsualMembers);  // an answer may have thousands of small ones further down
  std::string name;
  bool sorted = true;
  for (json.enter('{'); json.next_member(name);) {
    sorted = sorted && (object.members.empty() || object.members.back().first < name);
    read_value(json, object.members.emplace_back(std::move(name), JsonValue()).second, depth);
  }
  if (sorted) return;
  auto& members = object.members;
  sort_members(members);
  const auto twice = std::adjacent_find(members.begin(), members.end(),
                                        [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twice != members.end()) json.fail("a member is given twice");
}

void read_value(JsonCursor& json, JsonValue& value, int depth) {
  switch (json.peek()) {
    case '{':
    case '[':
      if (depth == kMaxJsonDepth) json.fail("it is nested too deeply");
      if (json.peek() == '{') return read_object(json, value, depth + 1);
      value.kind = JsonValue::Kind::array;
      for (json.enter('['); json.next_element();) read_value(json, value.items.emplace_back(), depth + 1);
      return;
    case '"':
      value.kind = JsonValue::Kind::string;
      return json.read(value.text);
    case 't':
    case 'f':
    case 'n':
      value.text = json.word();
      value.kind = value.text == "null" ? JsonValue::Kind::null : JsonValue::Kind::boolean;
      return;
    default:
      value.kind = JsonValue::Kind::number;
      value.text = json.number();
      if (is_beyond_doubles(value.text)) json.fail("a number is out of range");
  }
}

std::string shortened(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  std::string line = one_line(text);
  if (line.size() <= kLongest) return line;
  std::size_t end = kLongest - 3;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;  // not within a character of UTF-8
  line.resize(end);
  return line + "...";
}

}  // namespace

const JsonValue* JsonValue::member(std::string_view name) const {
  const auto at = std::lower_bound(members.begin(), members.end(), name,
                                   [](const auto& m, std::string_view n) { return m.first < n; });
  return at != members.end() && at->first == name ? &at->second : nullptr;
}

std::string JsonValue::brief() const {
  switch (kind) {
    case Kind::string:
      return fmt::format("\"{}\"", shortened(text));
    case Kind::array:
      return fmt::format("[{} elements]", items.size());
    case Kind::object:
      return fmt::format("{{{} members}}", members.size());
    default:
      return shortened(text);
  }
}

std::string one_line(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(line), "\\u{:04x}", byte);
    } else {
      line += c;
    }
  }
  return line;
}

Result<JsonValue> parse_json(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // not JSON, but common; RFC 8259 lets readers pass it
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  JsonCursor json(text);
  JsonValue root;
  try {
    read_value(json, root, 0);
    json.finish();
  } catch (const Failure& failure) {
    return invalid_input(failure.what());
  }
  return root;
}

JsonPath parse_json_path(std::string_view pointer) {
  JsonPath path;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);  // the slash; configuration has checked that it is there
    const auto end = std::min(pointer.find('/'), pointer.size());
    std::string segment;
    for (std::size_t i = 0; i < end; ++i) {
      const bool escape = pointer[i] == '~' && i + 1 < end;
      if (escape) ++i;
      segment += escape ? (pointer[i] == '1' ? '/' : '~') : pointer[i];
    }
    path.push_back(std::move(segment));
    pointer.remove_prefix(end);
  }
  return path;
}

const JsonValue* find(const JsonValue& root, const JsonPath& path) {
  const JsonValue* at = &root;
  for (const auto& segment : path) {
    if (at->kind == JsonValue::Kind::object) {
      at = at->member(segment);
    } else if (at->kind == JsonValue::Kind::array) {
      std::size_t position = 0;
      const auto [end, error] = std::from_chars(segment.data(), segment.data() + segment.size(), position);
      const bool valid = error == std::errc{} && end == segment.data() + segment.size() && position < at->items.size();
      at = valid ? &at->items[position] : nullptr;
    } else {
      at = nullptr;
    }
    if (at == nullptr) return nullptr;
  }
  return at;
}

}  // namespace phoenix::arbiter
