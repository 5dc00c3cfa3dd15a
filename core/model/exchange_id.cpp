#include "core/model/exchange_id.hpp"

#include <fmt/format.h>

#include <cstring>

namespace phoenix {
namespace {

// Both digits of every byte.
constexpr std::array<std::array<char, 2>, 256> kHex = [] {
  constexpr char kDigits[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = {kDigits[i >> 4], kDigits[i & 15]};
  return all;
}();

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_dash_position(std::size_t i) {
  return i == 8 || i == 13 || i == 18 || i == 23;
}

}  // namespace

ExchangeId make_exchange_id(std::uint64_t unix_ms, std::uint64_t random_high, std::uint64_t random_low) {
  ExchangeId id;
  for (std::size_t i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(unix_ms >> (40 - 8 * i));
  id.bytes[6] = static_cast<std::uint8_t>(0x70 | ((random_high >> 8) & 0x0f));  // version 7
  id.bytes[7] = static_cast<std::uint8_t>(random_high);
  for (std::size_t i = 0; i < 8; ++i) id.bytes[8 + i] = static_cast<std::uint8_t>(random_low >> (56 - 8 * i));
  id.bytes[8] = static_cast<std::uint8_t>(0x80 | (id.bytes[8] & 0x3f));  // variant of RFC 9562
  return id;
}

void ExchangeId::format_to(char* out36) const {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out36++ = '-';
    std::memcpy(out36, kHex[bytes[i]].data(), 2);
    out36 += 2;
  }
}

std::string ExchangeId::to_string() const {
  std::string text(36, '\0');
  format_to(text.data());
  return text;
}

Result<ExchangeId> ExchangeId::parse(std::string_view text) {
  const auto bad = [&] { return invalid_input(fmt::format("'{}' is not an exchange id", text.substr(0, 64))); };
  if (text.size() != 36) return bad();
  ExchangeId id;
  std::size_t nibble = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_dash_position(i)) {
      if (text[i] != '-') return bad();
      continue;
    }
    const int value = hex_value(text[i]);
    if (value < 0) return bad();
    id.bytes[nibble / 2] = static_cast<std::uint8_t>((id.bytes[nibble / 2] << 4) | value);
    ++nibble;
  }
  return id;
}

}  // namespace phoenix
