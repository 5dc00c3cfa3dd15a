// Base64 (RFC 4648, section 4), as Kafka Connect's JSON converter writes bytes. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace phoenix::arbiter {

/// The bytes; nullopt for anything that is not whole, padded base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace phoenix::arbiter
