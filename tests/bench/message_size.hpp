// Where an HTTP/1.1 message ends, for ends that trust their peer: Content-Length only, no chunks.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace phoenix::bench {

/// Value of the first field `name` (given as "\r\nName:") in the head at the front of `bytes`; empty when absent.
inline std::string_view field_value(std::string_view bytes, std::string_view name) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return {};
  for (std::size_t at = bytes.find("\r\n"); at < end; at = bytes.find("\r\n", at + 2)) {
    if (strncasecmp(bytes.data() + at, name.data(), name.size()) != 0) continue;
    std::string_view value = bytes.substr(at + name.size());
    value = value.substr(0, value.find("\r\n"));
    const std::size_t first = value.find_first_not_of(' ');
    return first == std::string_view::npos ? std::string_view() : value.substr(first);
  }
  return {};
}

/// Bytes of the message at the front of `bytes`, 0 when it is not all there.
inline std::size_t message_size(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  const std::string_view length = field_value(bytes, "\r\nContent-Length:");
  const std::size_t body = length.empty() ? 0 : std::strtoull(length.data(), nullptr, 10);
  return bytes.size() >= end + 4 + body ? end + 4 + body : 0;
}

}  // namespace phoenix::bench
