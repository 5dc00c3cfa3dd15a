// What the journal keeps of a write: its intent, before its first byte goes to a backend, and, once the serving side
// has answered, all that is needed to send its shadow leg later and to publish it. Pure; the format is this program's
// own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/exchange.hpp"
#include "gateway/head_writer.hpp"

namespace phoenix::gateway {

/// Views point into the record.
struct IntentRecord {
  ExchangeId id;
  std::int64_t received_at_us = 0;
  std::uint64_t policy_epoch = 0;
  std::uint64_t rung = 0;
  Stage stage = Stage::shadow;
  Side target = Side::legacy;
  Side serving = Side::legacy;
  bool gated = false, any_key = false, unordered = false, shadow = false, fell_back = false, forced = false;
  bool body_complete = true;
  std::uint64_t body_bytes = 0;
  std::uint64_t body_hash = 0;
  std::string_view slice, route, excluded, request_id;
  std::vector<BusinessKey> keys;
  ClientPeer peer;
  std::string_view head, body;
};

struct ServedRecord {
  std::uint64_t intent = 0;      // LogPosition of the exchange
  std::uint64_t completion = 0;  // Ticket::completion
  bool gated = false, overlap = false;
  LegOutcome outcome = LegOutcome::ok;
  bool truncated = false, cut = false;
  std::string_view dropped;
  std::int64_t sent_at_us = 0, duration_us = 0;
  std::uint64_t body_bytes = 0, body_hash = 0;
  std::string_view assigned_id;
  std::vector<BusinessKey> keys;  // as they are since then
  std::vector<std::uint64_t> sequences;
  std::string_view head, body;
  std::string_view request_body;  // of a request whose body came after its intent
};

void encode_intent(const Exchange& exchange, std::string_view slice, const ClientPeer& peer, std::string& out);
void encode_served(const Exchange& exchange, std::string& out);
/// False for what is no such record.
bool decode_intent(std::string_view record, IntentRecord& out);
bool decode_served(std::string_view record, ServedRecord& out);

/// The exchange as it was when its serving leg ended, without its place in the order of its keys. `settings` has
/// `route`. Null when the request no longer parses, which no record of this version has.
ExchangePtr rebuild_exchange(const IntentRecord& intent, const ServedRecord* served, SettingsPtr settings,
                             const Route& route);

}  // namespace phoenix::gateway
