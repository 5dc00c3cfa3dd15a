// The characters that messages are made of (RFC 9110, 5.5, 5.6.2 and 7.2; RFC 3986, 3.2). Pure.
#pragma once

#include <array>
#include <string_view>

namespace phoenix::gateway {
namespace detail {
constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}
inline constexpr auto kToken = make_token_table();
}  // namespace detail

/// Of a method or a field name.
inline bool is_token_character(char c) {
  return detail::kToken[static_cast<unsigned char>(c)];
}
/// Where the token that begins at `at` ends; `at` where none does. A byte that is in no token must follow.
inline const char* token_end(const char* at) {
  for (;; at += 4) {
    if (!is_token_character(at[0])) return at;
    if (!is_token_character(at[1])) return at + 1;
    if (!is_token_character(at[2])) return at + 2;
    if (!is_token_character(at[3])) return at + 3;
  }
}
bool is_token(std::string_view text);
/// Where the field value that begins at `at` ends, at the latest at `end`. It has visible characters, space, tab and
/// bytes above ASCII; no NUL, CR, LF or other control byte.
const char* field_value_end(const char* at, const char* end);
bool is_field_value(std::string_view text);
/// A request target: as above without white space, and without a fragment, which some readers would cut off.
bool is_target(std::string_view text);
/// uri-host [":" port]: a name, an IPv4 address or an IPv6 address in brackets. Empty is valid.
bool is_host(std::string_view text);
/// Without surrounding spaces and tabs.
std::string_view trim(std::string_view text);

}  // namespace phoenix::gateway
