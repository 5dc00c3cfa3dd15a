#include "gateway/json_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/model/decimal.hpp"

namespace phoenix::gateway {
namespace {

std::uint32_t hex4(std::string_view digits) {
  std::uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + 4, value, 16);
  return value;
}

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr int kLead[] = {0, 0xc0, 0xe0, 0xf0};
  out += static_cast<char>(kLead[more] | static_cast<int>(code >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) out += static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3f));
}

char plain_escape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

// Recursion is bounded by whoever found the text valid.
class Canonical {
 public:
  explicit Canonical(std::string_view text) : text_(text) {}

  std::string value() {
    skip_space();
    switch (text_[at_]) {
      case '{':
        return object();
      case '[':
        return array();
      case '"':
        return counted(string());
      default:
        return scalar();
    }
  }

 private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  /// After a member, an element or an opening bracket: whether another follows.
  bool more(char closing) {
    skip_space();
    if (text_[at_] == ',') ++at_;
    skip_space();
    if (text_[at_] != closing) return true;
    ++at_;
    return false;
  }
  static std::string counted(const std::string& text) { return std::to_string(text.size()) + ':' + text; }
  std::string string() {
    const std::size_t start = ++at_;
    while (text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    return unescaped(text_.substr(start, at_++ - start));
  }
  std::string scalar() {
    const std::size_t start = at_;
    at_ = std::min(text_.find_first_of(" \t\r\n,]}", at_), text_.size());
    const std::string_view text = text_.substr(start, at_ - start);
    const auto number = Decimal::parse(text);
    return number ? number->to_string() : std::string(text);
  }
  std::string array() {
    std::string out("[");
    ++at_;
    while (more(']')) out.append(value()).append(",");
    return out += ']';
  }
  std::string object() {
    std::vector<std::pair<std::string, std::string>> members;
    ++at_;
    while (more('}')) {
      std::string name = string();
      skip_space();
      ++at_;  // the colon
      members.emplace_back(std::move(name), value());
    }
    std::sort(members.begin(), members.end());
    std::string out("{");
    for (const auto& [name, text] : members) out.append(counted(name)).append("=").append(text).append(",");
    return out += '}';
  }

  const std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::string unescaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
    } else if (text[++i] != 'u') {
      out += plain_escape(text[i]);
    } else {
      std::uint32_t code = hex4(text.substr(i + 1));
      i += 4;
      const bool pair = code >= 0xd800 && code < 0xdc00 && text.substr(i + 1, 2) == "\\u";
      const std::uint32_t low = pair ? hex4(text.substr(i + 3)) : 0;
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
      }
      append_utf8(out, code);
    }
  }
  return out;
}

std::string canonical_json(std::string_view valid_text) {
  return Canonical(valid_text).value();
}

}  // namespace phoenix::gateway
