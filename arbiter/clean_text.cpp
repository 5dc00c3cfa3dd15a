#include "arbiter/clean_text.hpp"

#include <fmt/format.h>

#include "core/model/byte_scan.hpp"

namespace phoenix::arbiter {
namespace {

/// Length of the well-formed sequence at the start of `text`, or 0 (RFC 3629: no surrogates, no overlong forms).
std::size_t sequence_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  if (lead == 0) return 0;
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = at(1);
  const bool bad = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
                   (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
  return bad ? 0 : length;
}

/// ASCII without NUL.
constexpr unsigned char kNul = 0, kBeyondAscii = 0x80;
bool is_plain(std::string_view text) {
  const char* const end = text.data() + text.size();
  return byte_scan::find_if(text.data(), end, [](auto byte) { return (byte == kNul) | (byte >= kBeyondAscii); }) == end;
}

}  // namespace

void clean(std::string& text) {
  if (!is_plain(text)) text = clean_text(text);
}

std::string clean_text(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) {
      result += fmt::format("\\x{:02X}", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
    } else {
      result.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return result;
}

}  // namespace phoenix::arbiter
