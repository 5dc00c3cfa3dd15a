#include "gateway/json_scanner.hpp"

#include <cmath>
#include <cstdlib>
#include <string>

#include "core/model/byte_scan.hpp"
#include "core/model/utf8.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr unsigned char kSpace = ' ';
constexpr unsigned char kQuote = '"';
constexpr unsigned char kBackslash = '\\';
constexpr unsigned char kBeyondAscii = 0x80;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Numbers this long, or with an exponent, may be too large. Others are not.
constexpr std::size_t kSurelyFinite = 300;
bool is_finite(std::string_view number) {
  return std::isfinite(std::strtod(std::string(number).c_str(), nullptr));
}

}  // namespace

JsonScanner::JsonScanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {
  if (text.starts_with(kByteOrderMark)) at_ += kByteOrderMark.size();
}

bool JsonScanner::string(String& out) {
  const auto is_special = [](auto byte) {
    return (byte < kSpace) | (byte == kQuote) | (byte == kBackslash) | (byte >= kBeyondAscii);
  };
  const char* const begin = ++at_;
  out.escaped = false;
  while (true) {
    at_ = byte_scan::find_if(at_, end_, is_special);
    if (at_ == end_) return false;
    if (*at_ == '"') break;
    if (*at_ == '\\') {
      out.escaped = true;
      if (!escape()) return false;
    } else if (static_cast<unsigned char>(*at_) < kSpace || !multibyte()) {
      return false;
    }
  }
  out.text = {begin, static_cast<std::size_t>(at_ - begin)};
  ++at_;
  return true;
}

bool JsonScanner::escape() {
  if (end_ - at_ < 2) return false;
  const char kind = at_[1];
  if (kind != 'u') {
    at_ += 2;
    return std::string_view("\"\\/bfnrt").find(kind) != std::string_view::npos;
  }
  // Half a surrogate pair is no character.
  unsigned unit = 0;
  if (!escaped_unit(unit) || (unit >= 0xdc00 && unit < 0xe000)) return false;
  if (unit < 0xd800 || unit >= 0xdc00) return true;
  unsigned low = 0;
  return end_ - at_ >= 2 && at_[0] == '\\' && at_[1] == 'u' && escaped_unit(low) && low >= 0xdc00 && low < 0xe000;
}

bool JsonScanner::escaped_unit(unsigned& unit) {
  constexpr std::ptrdiff_t kBytes = 6;  // \uXXXX
  if (end_ - at_ < kBytes) return false;
  for (std::ptrdiff_t i = 2; i < kBytes; ++i) {
    const int digit = hex_value(at_[i]);
    if (digit < 0) return false;
    unit = unit * 16 + static_cast<unsigned>(digit);
  }
  at_ += kBytes;
  return true;
}

bool JsonScanner::multibyte() {
  const std::size_t length = utf8_length(at_, end_);
  at_ += length;
  return length != 0;
}

bool JsonScanner::digits() {
  const char* const begin = at_;
  while (at_ != end_ && is_digit(*at_)) ++at_;
  return at_ != begin;
}

bool JsonScanner::number(Number& out) {
  const char* const begin = at_;
  if (*at_ == '-') ++at_;
  const bool zero = at_ != end_ && *at_ == '0';
  if (zero) {
    ++at_;
  } else if (!digits()) {
    return false;
  }
  out.integer = true;
  if (at_ != end_ && *at_ == '.') {
    out.integer = false;
    ++at_;
    if (!digits()) return false;
  }
  bool may_be_too_large = false;
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    out.integer = false;
    may_be_too_large = true;
    ++at_;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (!digits()) return false;
  }
  out.text = {begin, static_cast<std::size_t>(at_ - begin)};
  return !(may_be_too_large || out.text.size() > kSurelyFinite) || is_finite(out.text);
}

bool JsonScanner::literal() {
  const std::string_view rest(at_, static_cast<std::size_t>(end_ - at_));
  for (const std::string_view word : {"true", "false", "null"}) {
    if (!rest.starts_with(word)) continue;
    at_ += word.size();
    return true;
  }
  return false;
}

}  // namespace phoenix::gateway
