// Builds the heads that go on: to a backend, and back to the client. End-to-end fields keep their bytes, order and
// repetition; hop-by-hop fields and what Connection nominates are removed; framing is written anew (RFC 9110, 7.6).
// Pure, but for the clock that Date is read from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/exchange.hpp"

namespace phoenix::gateway {

struct ClientPeer {
  std::string address;  // of the client, for X-Forwarded-For
  std::string_view protocol = "http";
  bool trusted = false;  // a proxy whose X-Forwarded-* fields are believed
};

/// Everything both legs share, without the final empty line. `content_length` nullopt: chunked (a body that is
/// streamed).
void write_forwarded_head(const Exchange& exchange, const ClientPeer& client,
                          std::optional<std::uint64_t> content_length, std::string& out);
/// The lines that differ between the legs, and the empty line.
std::string_view serving_leg_tail();
/// Legacy is asked once more (calibrator.hpp).
std::string_view calibration_leg_tail();
/// A view of `out`, which is overwritten, where it is not always the same.
std::string_view shadow_leg_tail(std::string_view assigned_id, std::string& out);
/// Readies the exchange's head for a shadow leg that leaves at `now_us` (Unix time) and returns its last lines. More
/// than a second behind the serving leg it says when that ended. More than `auth.after` behind it, `auth` stands in the
/// place of the client's credentials: only where the client sent some, and not where the serving side refused them or
/// may have (401, 403, 404, 407), lest the shadow do what legacy would not. May be called again for the same leg. `out`
/// as above.
std::string_view write_shadow_leg(Exchange& exchange, const config::BackendConfig::ShadowAuth& auth,
                                  std::int64_t now_us, std::string& out);
/// The serving leg that asks before the body is sent.
std::string_view expecting_leg_tail();
/// The serving leg of a request to switch to `protocol`.
void write_upgrade_tail(std::string_view protocol, std::string& out);
/// The 101 for the client.
void write_upgrade_head(const Exchange& exchange, const ResponseHead& head, std::string& out);

struct ResponseFraming {
  enum class Kind { none, content_length, chunked, close } kind = Kind::none;
  std::uint64_t length = 0;
};
/// The head for the client. `keep_alive` says whether this connection stays open afterwards.
void write_response_head(const Exchange& exchange, const ResponseHead& head, ResponseFraming framing, bool keep_alive,
                         std::string& out);
/// An interim response (1xx) for the client. Its framing fields, which no such response may have, are left out.
void write_interim_head(const ResponseHead& head, std::string& out);
/// The answer to OPTIONS or TRACE with Max-Forwards: 0, which ends here (RFC 9110, 7.6.2).
std::string last_recipient_response(std::string_view method, bool keep_alive);
/// A complete answer of the gateway itself, as problem+json (RFC 9457). `exchange_id` may be empty.
std::string problem_response(int status, std::string_view title, std::string_view detail, std::string_view exchange_id,
                             bool keep_alive, bool retry_after = false);
std::string_view reason_phrase(int status);

/// The client's X-Request-Id if it is 1..128 visible ASCII characters, else empty.
std::string_view valid_request_id(std::string_view value);

}  // namespace phoenix::gateway
