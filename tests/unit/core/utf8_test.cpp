// What is one character of UTF-8, and every way not to be one.
#include "core/model/utf8.hpp"

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/support/catch.hpp"

using namespace phoenix;

namespace {

std::size_t length(std::string_view text) {
  return utf8_length(text.data(), text.data() + text.size());
}

/// Whatever the code point, in so many bytes.
std::string encoded(std::uint32_t code, int bytes) {
  if (bytes == 1) return std::string(1, static_cast<char>(code));
  std::string text;
  for (int i = bytes - 1; i > 0; --i) {
    text.insert(text.begin(), static_cast<char>(0x80 | (code & 0x3f)));
    code >>= 6;
  }
  const unsigned lead = bytes == 2 ? 0xc0 : bytes == 3 ? 0xe0 : 0xf0;
  text.insert(text.begin(), static_cast<char>(lead | code));
  return text;
}

}  // namespace

TEST_CASE("UTF-8: every code point in its shortest form, and no other, is a character") {
  std::size_t wrong = 0;
  for (std::uint32_t code = 0; code < 0x200000; ++code) {
    const int shortest = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    const bool character = code < 0x110000 && !(code >= 0xd800 && code < 0xe000);
    for (int bytes = shortest; bytes <= 4; ++bytes) {
      const bool expected = character && bytes == shortest;
      if (length(encoded(code, bytes)) != (expected ? static_cast<std::size_t>(bytes) : 0)) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("UTF-8: overlong forms, surrogates, what is beyond, and sequences cut short") {
  for (const std::string_view bad : {"",
                                     "\x80",
                                     "\xbf",
                                     "\xc0\x80",
                                     "\xc0\xaf",
                                     "\xc1\xbf",
                                     "\xe0\x80\x80",
                                     "\xe0\x9f\xbf",
                                     "\xf0\x80\x80\x80",
                                     "\xf0\x8f\xbf\xbf",
                                     "\xed\xa0\x80",
                                     "\xed\xbf\xbf",
                                     "\xf4\x90\x80\x80",
                                     "\xf5\x80\x80\x80",
                                     "\xf8\x88\x80\x80\x80",
                                     "\xfe",
                                     "\xff",
                                     "\xc3",
                                     "\xe2\x82",
                                     "\xf0\x9f\x92",
                                     "\xc3(",
                                     "\xe2(\xa1",
                                     "\xe2\x82(",
                                     "\xf0(\x8c\xbc",
                                     "\xf0\x90(\xbc",
                                     "\xf0\x9f\x92("}) {
    CAPTURE(std::string(bad));
    CHECK(length(bad) == 0);
  }
  CHECK(length(std::string_view("\0", 1)) == 1);
  CHECK(length("a\xff") == 1);
  CHECK(length("\xc3\xa9z") == 2);
  CHECK(length("\xed\x9f\xbf") == 3);
  CHECK(length("\xee\x80\x80") == 3);
  CHECK(length("\xf4\x8f\xbf\xbf") == 4);
}
