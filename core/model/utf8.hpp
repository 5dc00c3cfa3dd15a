// UTF-8 (RFC 3629, section 4). Pure.
#pragma once

#include <cstddef>

namespace phoenix {

/// Bytes of the well-formed character at `at`; 0 where there is none: an overlong form, a surrogate, beyond U+10FFFF, a
/// stray or missing continuation byte, or nothing at all. ASCII, NUL included, is 1.
constexpr std::size_t utf8_length(const char* at, const char* end) {
  if (at == end) return 0;
  const auto byte = [at](std::size_t i) { return static_cast<unsigned char>(at[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (static_cast<std::size_t>(end - at) < length) return 0;
  // Of some first bytes the second one is limited further.
  const unsigned char least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < least || byte(1) > most) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

}  // namespace phoenix
