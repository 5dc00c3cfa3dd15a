#include "core/events/json_cursor.hpp"

#include <fmt/format.h>

#include "core/model/byte_scan.hpp"
#include "core/model/utf8.hpp"

namespace phoenix {
namespace {

constexpr unsigned char kSpace = 0x20, kQuote = '"', kBackslash = '\\', kBeyondAscii = 0x80;

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

}  // namespace

void JsonCursor::fail(std::string_view what) const {
  throw Failure(invalid_input(fmt::format("{} (at byte {} of the JSON)", what, at_)));
}

char JsonCursor::peek() {
  while (at_ < text_.size()) {
    const char byte = text_[at_];
    if (byte != ' ' && byte != '\n' && byte != '\r' && byte != '\t') return byte;
    ++at_;
  }
  fail("it ends too early");
}

void JsonCursor::expect(char byte) {
  if (peek() != byte) fail(fmt::format("'{}' is missing", byte));
  ++at_;
}

void JsonCursor::enter(char bracket) {
  expect(bracket);
  fresh_ = true;
}

bool JsonCursor::next(char closing) {
  const bool fresh = std::exchange(fresh_, false);
  const char byte = peek();
  if (byte == closing) {
    ++at_;
    return false;
  }
  if (fresh) return true;
  if (byte != ',') fail("',' is missing");
  ++at_;
  return true;
}

bool JsonCursor::next_member(std::string& name) {
  if (!next('}')) return false;
  read(name);
  expect(':');
  return true;
}

bool JsonCursor::next_element() {
  return next(']');
}

void JsonCursor::read(std::string& out) {
  expect('"');
  out.clear();
  while (true) {
    const std::size_t start = at_;
    const char* const end = text_.data() + text_.size();
    const char* const plain_end = byte_scan::find_if(text_.data() + start, end, [](auto byte) {
      return (byte < kSpace) | (byte == kQuote) | (byte == kBackslash) | (byte >= kBeyondAscii);
    });
    at_ = static_cast<std::size_t>(plain_end - text_.data());
    out.append(text_.data() + start, at_ - start);
    if (at_ >= text_.size()) fail("a string does not end");
    const char byte = text_[at_];
    if (byte == '"') {
      ++at_;
      return;
    }
    if (byte == '\\') {
      escaped(out);
    } else if (static_cast<unsigned char>(byte) < 0x20) {
      fail("a control character stands in a string");
    } else {
      raw_utf8(out);
    }
  }
}

void JsonCursor::append(std::string& out, std::uint32_t code) const {
  if (code < 0x80 || (latin_ && code < 0x100)) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

void JsonCursor::escaped(std::string& out) {
  if (at_ + 1 >= text_.size()) fail("a string does not end");
  const char kind = text_[at_ + 1];
  at_ += 2;
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
  if (const auto index = kNames.find(kind); index != std::string_view::npos) {
    out += kBytes[index];
    return;
  }
  if (kind != 'u') fail("an escape is unknown");
  std::uint32_t code = hex4();
  if (code >= 0xdc00 && code < 0xe000) fail("half of a surrogate pair stands alone");
  if (code >= 0xd800 && code < 0xdc00) {
    if (text_.substr(at_, 2) != "\\u") fail("half of a surrogate pair stands alone");
    at_ += 2;
    const std::uint32_t low = hex4();
    if (low < 0xdc00 || low >= 0xe000) fail("half of a surrogate pair stands alone");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  append(out, code);
}

std::uint32_t JsonCursor::hex4() {
  if (text_.size() - at_ < 4) fail("an escape does not end");
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const char byte = text_[at_++];
    const int digit = is_digit(byte)               ? byte - '0'
                      : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                      : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                                   : -1;
    if (digit < 0) fail("an escape is not hexadecimal");
    value = value * 16 + static_cast<std::uint32_t>(digit);
  }
  return value;
}

void JsonCursor::raw_utf8(std::string& out) {
  const std::size_t length = utf8_length(text_.data() + at_, text_.data() + text_.size());
  if (length == 0) fail("a string is not UTF-8");
  std::uint32_t code = static_cast<unsigned char>(text_[at_]) & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) code = (code << 6) | (static_cast<unsigned char>(text_[at_ + i]) & 0x3fu);
  at_ += length;
  append(out, code);
}

void JsonCursor::read(bool& out) {
  const std::string_view value = word();
  if (value == "null") fail("true or false is expected");
  out = value == "true";
}

std::string_view JsonCursor::word() {
  const char first = peek();
  const std::string_view expected = first == 't' ? "true" : first == 'f' ? "false" : "null";
  if (text_.substr(at_, expected.size()) != expected) fail("a value is unknown");
  at_ += expected.size();
  return expected;
}

JsonCursor::Integer JsonCursor::integer() {
  Integer number;
  number.negative = peek() == '-';
  if (number.negative) ++at_;
  const std::size_t start = at_;
  while (at_ < text_.size() && is_digit(text_[at_])) {
    const auto digit = static_cast<std::uint64_t>(text_[at_++] - '0');
    if (__builtin_mul_overflow(number.magnitude, 10, &number.magnitude) ||
        __builtin_add_overflow(number.magnitude, digit, &number.magnitude))
      fail("a number is out of range");
  }
  const bool leading_zero = at_ - start > 1 && text_[start] == '0';
  const char next = at_ < text_.size() ? text_[at_] : '\0';
  if (at_ == start || leading_zero || next == '.' || next == 'e' || next == 'E') fail("an integer is expected");
  return number;
}

std::string_view JsonCursor::number() {
  if (peek() == '\0') fail("a value is unknown");
  const std::size_t begin = at_;
  const auto digits = [&] {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ - start;
  };
  const auto at = [&](char byte) { return at_ < text_.size() && text_[at_] == byte; };
  if (at('-')) ++at_;
  const bool zero = at('0');
  const std::size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) fail("a value is unknown");
  if (at('.')) {
    ++at_;
    if (digits() == 0) fail("a number does not end");
  }
  if (at('e') || at('E')) {
    ++at_;
    if (at('+') || at('-')) ++at_;
    if (digits() == 0) fail("a number does not end");
  }
  return text_.substr(begin, at_ - begin);
}

void JsonCursor::skip() {
  skip_at(0);
}

void JsonCursor::skip_at(int depth) {
  if (depth > kDeepest) fail("it is nested too deeply");
  std::string text;
  switch (peek()) {
    case '{':
      for (enter('{'); next_member(text);) skip_at(depth + 1);
      return;
    case '[':
      for (enter('['); next_element();) skip_at(depth + 1);
      return;
    case '"':
      return read(text);
    case 't':
    case 'f':
    case 'n':
      word();
      return;
    default:
      number();
  }
}

void JsonCursor::finish() {
  for (; at_ < text_.size(); ++at_) {
    if (std::string_view(" \n\r\t").find(text_[at_]) == std::string_view::npos) fail("something follows the value");
  }
}

}  // namespace phoenix
