#include "arbiter/json_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>

namespace phoenix::arbiter {
namespace {

/// Builds the document from parser callbacks; floating point arrives with its text, integers are exact by themselves.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return put(JsonValue(JsonValue::Kind::null, "null")); }
  bool boolean(bool value) override { return put(JsonValue(JsonValue::Kind::boolean, value ? "true" : "false")); }
  bool number_integer(number_integer_t value) override { return put_number(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return put_number(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return put_number(text); }
  bool string(string_t& value) override { return put(JsonValue(JsonValue::Kind::string, std::move(value))); }
  bool binary(binary_t&) override { return fail("binary value"); }
  bool start_object(std::size_t) override { return open(JsonValue::Kind::object); }
  bool start_array(std::size_t) override { return open(JsonValue::Kind::array); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    open_.back().names.push_back(std::move(name));
    return true;
  }
  bool end_object() override {
    auto& members = open_.back().value.members;
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    const auto twice = std::adjacent_find(members.begin(), members.end(),
                                          [](const auto& a, const auto& b) { return a.first == b.first; });
    return twice == members.end() ? close() : fail("member given twice");
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& e) override {
    return fail(e.what());
  }

  JsonValue root;
  std::string error;

 private:
  struct Open {
    JsonValue value;
    std::vector<std::string> names;  // of the member whose value comes next
  };

  bool put_number(std::string text) { return put(JsonValue(JsonValue::Kind::number, std::move(text))); }

  bool put(JsonValue value) {
    if (open_.empty()) {
      root = std::move(value);
    } else if (auto& parent = open_.back(); parent.value.kind == JsonValue::Kind::array) {
      parent.value.items.push_back(std::move(value));
    } else {
      parent.value.members.emplace_back(std::move(parent.names.back()), std::move(value));
      parent.names.pop_back();
    }
    return true;
  }

  bool open(JsonValue::Kind kind) {
    if (open_.size() >= kMaxJsonDepth) return fail("nested too deeply");
    open_.emplace_back();
    open_.back().value.kind = kind;
    return true;
  }

  bool close() {
    JsonValue value = std::move(open_.back().value);
    open_.pop_back();
    return put(std::move(value));
  }

  bool fail(const std::string& why) {
    if (error.empty()) error = why;
    return false;
  }

  std::vector<Open> open_;
};

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
  // To this parser a NUL byte is the end of the input, so that what stands behind it would not be compared.
  if (text.find('\0') != std::string_view::npos) return invalid_input("a NUL byte");
  Builder builder;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) return invalid_input(builder.error);
  return std::move(builder.root);
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
