// One exchange, as the gateway publishes it on `shadow-requests` and the arbiter reads it. The frame: a 4-byte
// big-endian length, a JSON header of that length, then the raw bounded bodies (request, serving response, shadow
// response; the shadow's is left out when equal to the serving one), in this order. Nothing is escaped; any bytes may
// appear. docs/events.md is the public description.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/result.hpp"
#include "core/model/traffic_policy.hpp"

namespace phoenix {

/// How a leg ended. Only `ok` has a status. `uncertain` means the backend may or may not have applied the request.
enum class LegOutcome : std::uint8_t { none, ok, connect_failed, timeout, reset, malformed, dropped };
std::string_view to_string(LegOutcome outcome);
std::optional<LegOutcome> leg_outcome_from_string(std::string_view text);

/// `Text` is std::string, or std::string_view of what stands elsewhere: then nothing is copied before the frame.
template <class Text>
using BasicHeaderList = std::vector<std::pair<Text, Text>>;
using HeaderList = BasicHeaderList<std::string>;

template <class Text>
struct BasicLegRecord {
  LegOutcome outcome = LegOutcome::none;
  int status = 0;
  bool uncertain = false;         ///< a write that ended in time-out, reset or 5xx
  std::int64_t sent_at_us = 0;    ///< Unix time, microseconds, first byte of the request
  std::int64_t duration_us = 0;   ///< to the last byte of the response
  std::uint64_t body_bytes = 0;   ///< whole body
  std::uint64_t body_hash = 0;    ///< XXH3-64 of the whole body
  bool truncated = false;         ///< `body` holds only the first capture_bytes
  BasicHeaderList<Text> headers;  ///< of the response; content-type and the like
  Text body;
  /// The answer was longer than limits.shadow_response_bytes and was not read to its end: `body_hash` and `body_bytes`
  /// do not stand for the whole body.
  bool cut = false;
};

using LegRecord = BasicLegRecord<std::string>;

/// `ExchangeEvent::dropped` of an exchange that was in flight when its gateway died: what became of its legs is not
/// known, whatever they say.
inline constexpr std::string_view kLostWithGateway = "lost";

template <class Text>
struct BasicKeySequence {
  Text key;
  std::uint64_t sequence =
      0;  ///< position among this key's exchanges as completed on the serving side, per incarnation
};

using KeySequence = BasicKeySequence<std::string>;

template <class Text>
struct BasicExchangeEvent {
  static constexpr int kVersion = 1;

  Text exchange_id;
  Text request_id;
  Text gateway;
  Text incarnation;            ///< of the gateway process
  std::uint64_t sequence = 0;  ///< of the event within the incarnation, contiguous from 1
  std::int64_t received_at_us = 0;
  std::int64_t completed_at_us = 0;

  Text route;
  Text slice;
  Text method;
  Text target;
  bool write = false;
  std::vector<BasicKeySequence<Text>> keys;
  Side target_side = Side::legacy;
  Side serving_side = Side::legacy;
  Stage stage = Stage::shadow;
  std::uint64_t policy_epoch = 0;
  std::uint64_t rung = 0;
  bool overlap = false;  ///< another write of one of its keys was in flight on the serving side at the same time
  bool parachute = false;
  /// No exchange of a client: a compared read was sent to legacy once more. `serving` is legacy's answer to the
  /// client's request (or to its shadow leg), `shadow` its answer to the repeat.
  bool calibration = false;
  bool forced = false;  ///< a person forced the target side, to try it by hand
  Text excluded;  ///< reason decided before the outcome (overlap, key_unavailable, body_too_large, …); else empty
  Text dropped;   ///< reason for a shadow leg that was lost through us; else empty

  BasicHeaderList<Text> request_headers;
  std::uint64_t request_body_bytes = 0;
  std::uint64_t request_body_hash = 0;
  bool request_truncated = false;
  Text request_body;
  BasicLegRecord<Text> serving;
  BasicLegRecord<Text> shadow;

  [[nodiscard]] const BasicLegRecord<Text>& leg(Side side) const { return side == serving_side ? serving : shadow; }
};

using ExchangeEvent = BasicExchangeEvent<std::string>;
using ExchangeEventView = BasicExchangeEvent<std::string_view>;

/// A frame in its parts, which follow each other without anything between them.
struct EventFrame {
  std::string_view header;  ///< with its length
  std::string_view request_body, serving_body, shadow_body;
  [[nodiscard]] std::size_t size() const {
    return header.size() + request_body.size() + serving_body.size() + shadow_body.size();
  }
};

/// The bodies are views of the event's; the header stands in `kept`, whose memory is used again, until its next use.
EventFrame encode(const ExchangeEventView& event, std::string& kept);
std::string encode(const ExchangeEvent& event);
/// Errors name the field; `invalid_input` for a malformed frame or an unknown version.
Result<ExchangeEvent> decode_exchange_event(std::string_view frame);

}  // namespace phoenix
