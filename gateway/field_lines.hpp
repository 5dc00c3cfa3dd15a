// The lines of a head behind its first: fields, told by their names, and what they say of the message's framing. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "gateway/message_head.hpp"

namespace phoenix::gateway {

/// `text` is the lines with the empty one at their end. Fills in `out` (cleared before, with its version set) or says
/// what is wrong; a field may decide nothing that another one contradicts (RFC 9112, 6.3).
std::optional<HeadError> parse_fields(std::string_view text, MessageHead& out);

/// Up to 18 decimal digits and nothing else.
std::optional<std::uint64_t> parse_field_number(std::string_view text);

}  // namespace phoenix::gateway
