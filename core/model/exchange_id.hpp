// The identity of one exchange: a UUIDv7 (RFC 9562) minted by the gateway. Time-ordered, so that logs and indexes stay
// local. A client's X-Request-Id is never an identity (semantics: one client may reuse an id for five payments).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/model/result.hpp"

namespace phoenix {

struct ExchangeId {
  std::array<std::uint8_t, 16> bytes{};

  static Result<ExchangeId> parse(std::string_view text);
  /// Lower-case 8-4-4-4-12 form, 36 characters.
  [[nodiscard]] std::string to_string() const;
  void format_to(char* out36) const;

  friend auto operator<=>(const ExchangeId&, const ExchangeId&) = default;
};

/// Builds version 7 from its parts; `random` supplies 74 bits (the upper ones of `low` are replaced by the variant).
ExchangeId make_exchange_id(std::uint64_t unix_ms, std::uint64_t random_high, std::uint64_t random_low);

}  // namespace phoenix
