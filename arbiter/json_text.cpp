#include "arbiter/json_text.hpp"

#include <nlohmann/json.hpp>

#include "core/model/byte_scan.hpp"

namespace phoenix::arbiter {
namespace {

constexpr unsigned char kSpace = 0x20, kQuote = '"', kBackslash = '\\', kBeyondAscii = 0x80;

}  // namespace

void append_json(std::string& out, std::string_view text) {
  const char* const end = text.data() + text.size();
  const bool plain = byte_scan::find_if(text.data(), end, [](auto byte) {
                       return (byte < kSpace) | (byte == kQuote) | (byte == kBackslash) | (byte >= kBeyondAscii);
                     }) == end;
  if (!plain) {
    out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

}  // namespace phoenix::arbiter
