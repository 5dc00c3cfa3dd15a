#include "arbiter/json_span.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "core/model/byte_scan.hpp"

namespace phoenix::arbiter {
namespace {

constexpr unsigned char kSpace = 0x20, kQuote = '"', kBackslash = '\\';

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Four digits that were checked before.
std::uint32_t code_unit(const char* digits) {
  std::uint32_t unit = 0;
  for (int i = 0; i < 4; ++i) unit = unit * 16 + static_cast<std::uint32_t>(hex_digit(digits[i]));
  return unit;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((point >> shift) & 0x3f)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xc0 | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xe0 | (point >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | (point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

std::string unescaped(std::string_view text) {
  constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char name = text[++i];
    if (name != 'u') {
      out += kValues[kNames.find(name)];
      continue;
    }
    std::uint32_t point = code_unit(text.data() + i + 1);
    i += 4;
    const bool high = point >= 0xd800 && point < 0xdc00;
    if (high && i + 6 < text.size() && text[i + 1] == '\\' && text[i + 2] == 'u') {
      const std::uint32_t low = code_unit(text.data() + i + 3);
      if (low >= 0xdc00 && low < 0xe000) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
      }
    }
    append_utf8(out, point >= 0xd800 && point < 0xe000 ? 0xfffd : point);
  }
  return out;
}

}  // namespace

std::string JsonSpan::string() const {
  switch (kind) {
    case Kind::string:
      return escaped ? unescaped(text) : std::string(text);
    case Kind::number:
    case Kind::boolean:
      return std::string(text);
    default:
      return {};
  }
}

std::optional<std::uint64_t> JsonSpan::count() const {
  if (kind != Kind::number && kind != Kind::string) return std::nullopt;
  std::uint64_t value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc{} || end != last) return std::nullopt;
  return value;
}

bool JsonSpan::is(std::string_view expected) const {
  return kind == Kind::string && (escaped ? unescaped(text) == expected : text == expected);
}

JsonWalk::JsonWalk(std::string_view text) : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {
  skip_blanks();
  if (at_ == end_ || (*at_ != '{' && *at_ != '[')) {
    fail("neither an object nor an array");
    return;
  }
  open_ = *at_++;
  close_ = open_ == '{' ? '}' : ']';
}

bool JsonWalk::fail(const char* what) {
  if (error_.empty()) error_ = fmt::format("no JSON: {} at byte {}", what, at_ - begin_);
  close_ = 0;
  return false;
}

void JsonWalk::skip_blanks() {
  while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
}

bool JsonWalk::finish() {
  ++at_;
  close_ = 0;
  skip_blanks();
  return at_ == end_ ? false : fail("something follows the document");
}

bool JsonWalk::next() {
  if (close_ == 0) return false;
  skip_blanks();
  if (at_ == end_) return fail("cut short");
  if (*at_ == close_) return finish();
  if (!first_) {
    if (*at_ != ',') return fail("',' expected");
    ++at_;
    skip_blanks();
  }
  first_ = false;
  if (close_ == '}') {
    if (!pass_string(name_)) return false;
    skip_blanks();
    if (at_ == end_ || *at_ != ':') return fail("':' expected");
    ++at_;
    skip_blanks();
  }
  return pass_value(value_, 1);
}

bool JsonWalk::pass_value(JsonSpan& out, int depth) {
  if (at_ == end_) return fail("cut short");
  const char* const start = at_;
  out.escaped = false;
  bool passed = false;
  switch (*at_) {
    case '"':
      return pass_string(out);
    case '{':
    case '[':
      out.kind = *at_ == '{' ? JsonSpan::Kind::object : JsonSpan::Kind::array;
      passed = pass_container(*at_ == '{' ? '}' : ']', depth + 1);
      break;
    case 't':
      out.kind = JsonSpan::Kind::boolean;
      passed = pass_word("true");
      break;
    case 'f':
      out.kind = JsonSpan::Kind::boolean;
      passed = pass_word("false");
      break;
    case 'n':
      out.kind = JsonSpan::Kind::null;
      passed = pass_word("null");
      break;
    default:
      out.kind = JsonSpan::Kind::number;
      passed = pass_number();
  }
  out.text = {start, static_cast<std::size_t>(at_ - start)};
  return passed;
}

bool JsonWalk::pass_container(char close, int depth) {
  if (depth > kMaxDepth) return fail("nested too deeply");
  JsonSpan ignored;
  ++at_;
  for (bool first = true;; first = false) {
    skip_blanks();
    if (at_ == end_) return fail("cut short");
    if (*at_ == close) break;
    if (!first) {
      if (*at_ != ',') return fail("',' expected");
      ++at_;
      skip_blanks();
    }
    if (close == '}') {
      if (!pass_string(ignored)) return false;
      skip_blanks();
      if (at_ == end_ || *at_ != ':') return fail("':' expected");
      ++at_;
      skip_blanks();
    }
    if (!pass_value(ignored, depth)) return false;
  }
  ++at_;
  return true;
}

bool JsonWalk::pass_string(JsonSpan& out) {
  if (at_ == end_ || *at_ != '"') return fail("'\"' expected");
  const char* const start = ++at_;
  out.kind = JsonSpan::Kind::string;
  out.escaped = false;
  for (;; ++at_) {
    at_ = byte_scan::find_if(at_, end_,
                             [](auto byte) { return (byte < kSpace) | (byte == kQuote) | (byte == kBackslash); });
    if (at_ == end_) return fail("cut short");
    const auto byte = static_cast<unsigned char>(*at_);
    if (byte == '"') break;
    if (byte < 0x20) return fail("a control character in a string");
    out.escaped = true;
    if (!pass_escape()) return false;
  }
  out.text = {start, static_cast<std::size_t>(at_ - start)};
  ++at_;
  return true;
}

/// Leaves the position on the last byte of the escape.
bool JsonWalk::pass_escape() {
  if (++at_ == end_) return fail("cut short");
  if (*at_ != 'u') return std::strchr("\"\\/bfnrt", *at_) != nullptr && *at_ != '\0' ? true : fail("unknown escape");
  for (int i = 0; i < 4; ++i) {
    if (++at_ == end_ || hex_digit(*at_) < 0) return fail("\\u needs four hexadecimal digits");
  }
  return true;
}

bool JsonWalk::pass_number() {
  const auto digits = [&] {
    const char* const start = at_;
    while (at_ != end_ && is_digit(*at_)) ++at_;
    return at_ != start;
  };
  if (at_ != end_ && *at_ == '-') ++at_;
  if (at_ != end_ && *at_ == '0') {
    ++at_;
  } else if (!digits()) {
    return fail("a value expected");
  }
  if (at_ != end_ && *at_ == '.') {
    ++at_;
    if (!digits()) return fail("a digit expected");
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (!digits()) return fail("a digit expected");
  }
  return true;
}

bool JsonWalk::pass_word(std::string_view word) {
  if (static_cast<std::size_t>(end_ - at_) < word.size() || std::string_view(at_, word.size()) != word)
    return fail("a value expected");
  at_ += word.size();
  return true;
}

JsonSpan member_of(const JsonSpan& object, std::string_view name) {
  if (object.kind != JsonSpan::Kind::object) return {};
  JsonWalk walk(object);
  while (walk.next()) {
    if (!walk.name().escaped && walk.name().text == name) return walk.value();
  }
  return {};
}

}  // namespace phoenix::arbiter
