#include "gateway/field_syntax.hpp"

#include <algorithm>

#include "core/model/byte_scan.hpp"

namespace phoenix::gateway {
namespace {

constexpr unsigned char kFirstVisible = 0x20;
constexpr unsigned char kDelete = 0x7f;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

constexpr auto kNameCharacter = [] {  // unreserved characters and sub-delims
  auto table = detail::kToken;
  for (const char c : {'#', '%', '^', '`', '|'}) table[static_cast<unsigned char>(c)] = false;
  for (const char c : {'(', ')', ',', ';', '='}) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

constexpr auto kTargetCharacter = [] {
  std::array<bool, 256> table{};
  for (std::size_t c = 0x21; c < table.size(); ++c) table[c] = c != 0x7f && c != '#';
  return table;
}();

// Where the registered name that `text` begins with ends.
std::size_t registered_name_end(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kNameCharacter[static_cast<unsigned char>(text[i])]) continue;
    if (text[i] != '%' || text.size() - i < 3 || !is_hex_digit(text[i + 1]) || !is_hex_digit(text[i + 2])) return i;
    i += 2;
  }
  return text.size();
}

bool is_ipv6(std::string_view text) {
  return text.find(':') != std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_hex_digit(c) || c == ':' || c == '.'; });
}

}  // namespace

bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!is_token_character(c)) return false;
  }
  return !text.empty();
}

const char* field_value_end(const char* at, const char* end) {
  const auto is_control = [](auto byte) { return (byte < kFirstVisible) | (byte == kDelete); };
  while (true) {
    at = byte_scan::find_if(at, end, is_control);
    if (at == end || *at != '\t') return at;
    ++at;
  }
}

bool is_field_value(std::string_view text) {
  return field_value_end(text.data(), text.data() + text.size()) == text.data() + text.size();
}

bool is_target(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return kTargetCharacter[static_cast<unsigned char>(c)]; });
}

bool is_host(std::string_view text) {
  std::size_t end = 0;
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || !is_ipv6(text.substr(1, bracket - 1))) return false;
    end = bracket + 1;
  } else {
    end = registered_name_end(text);
  }
  const std::string_view port = text.substr(end);
  if (port.empty()) return true;
  return port.front() == ':' && std::all_of(port.begin() + 1, port.end(), [](char c) { return is_digit(c); });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace phoenix::gateway
