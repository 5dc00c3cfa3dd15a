// What a rules file may not say although Lua allows it: anything that makes a binary floating point number. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace phoenix::arbiter {

/// The first place in a Lua 5.4 text that would make a float, as one line (`rules.lua:12: …`): the operators `/` and
/// `^`, numerals with a point, an exponent or more than 64 bits, and loops that count from or by anything but integers
/// (Lua reads text as a number there, and nowhere else once strings have no arithmetic). Text that is not Lua is left
/// to Lua to refuse.
std::optional<std::string> find_float_syntax(std::string_view text, std::string_view name);

}  // namespace phoenix::arbiter
