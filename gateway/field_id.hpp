// The field names that the gateway treats in ways of their own. A name is told once, when its line is parsed; whoever
// looks at a head afterwards compares numbers. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace phoenix::gateway {

enum class FieldId : std::uint8_t {
  other,
  authorization,
  connection,
  content_length,
  content_type,
  cookie,
  date,
  expect,
  forwarded,
  host,
  http2_settings,
  keep_alive,
  max_forwards,
  proxy_authenticate,
  proxy_authorization,
  proxy_connection,
  set_cookie,
  te,
  trailer,
  transfer_encoding,
  upgrade,
  via,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_proto,
  x_request_id,
  x_forwarded,  // every other name that begins with `X-Forwarded-`
  x_phoenix,    // every name that begins with `X-Phoenix-` and goes on
};

/// In any case of letters. `name` is a token (is_token).
FieldId field_id(std::string_view name);

class FieldSet {
 public:
  template <class... Ids>
  constexpr explicit FieldSet(Ids... ids) : bits_((0 | ... | bit(ids))) {}
  constexpr void add(FieldId id) { bits_ |= bit(id); }
  [[nodiscard]] constexpr bool has(FieldId id) const { return (bits_ & bit(id)) != 0; }
  [[nodiscard]] constexpr bool has_any(FieldSet of) const { return (bits_ & of.bits_) != 0; }

 private:
  static constexpr std::uint32_t bit(FieldId id) { return std::uint32_t{1} << static_cast<unsigned>(id); }
  std::uint32_t bits_;
};

/// Removed in both directions (RFC 9110, 7.6.1), beside what Connection nominates.
inline constexpr FieldSet kHopByHop(FieldId::connection, FieldId::keep_alive, FieldId::proxy_connection, FieldId::te,
                                    FieldId::transfer_encoding, FieldId::upgrade, FieldId::trailer,
                                    FieldId::http2_settings, FieldId::proxy_authenticate, FieldId::proxy_authorization);

}  // namespace phoenix::gateway
