#include "arbiter/clean_text.hpp"

#include <fmt/format.h>

#include "core/model/byte_scan.hpp"
#include "core/model/utf8.hpp"

namespace phoenix::arbiter {
namespace {

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
    const std::size_t length = text.front() == '\0' ? 0 : utf8_length(text.data(), text.data() + text.size());
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
