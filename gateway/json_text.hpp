// Reading JSON that was found valid: what a string says, and one text for all ways to write a value. Pure.
#pragma once

#include <string>
#include <string_view>

namespace phoenix::gateway {

/// What stands between the quotes of a JSON string, without its escapes. Half a surrogate pair stands as its own three
/// bytes.
std::string unescaped(std::string_view text);

/// The same text for values that differ only in white space, order of members, escapes or the notation of numbers.
std::string canonical_json(std::string_view valid_text);

}  // namespace phoenix::gateway
