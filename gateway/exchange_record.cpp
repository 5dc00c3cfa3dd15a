#include "gateway/exchange_record.hpp"

#include <array>

#include "gateway/access_log.hpp"
#include "gateway/accounting.hpp"
#include "gateway/byte_codec.hpp"
#include "gateway/side_override.hpp"

namespace phoenix::gateway {
namespace {

enum Flag : std::uint16_t {
  kGated = 1,
  kAnyKey = 2,
  kUnordered = 4,
  kShadow = 8,
  kFellBack = 16,
  kBodyComplete = 32,
  kTls = 64,
  kTrusted = 128,
  kForced = 256,
};

std::uint16_t flag(bool set, Flag value) {
  return set ? value : 0;
}

void put_keys(ByteWriter& out, const std::vector<BusinessKey>& keys) {
  out.put(static_cast<std::uint32_t>(keys.size()));
  for (const auto& key : keys) out.text(key);
}

std::vector<BusinessKey> get_keys(ByteReader& in) {
  std::vector<BusinessKey> keys;
  const auto count = in.get<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) keys.emplace_back(in.text());
  return keys;
}

// A reason of the closed set, whose text outlives every exchange.
std::string_view known_reason(std::string_view text) {
  for (const std::string_view reason : kExcludedReasons) {
    if (reason == text) return reason;
  }
  for (const std::string_view reason : kDroppedReasons) {
    if (reason == text) return reason;
  }
  return {};
}

}  // namespace

void encode_intent(const Exchange& exchange, std::string_view slice, const ClientPeer& peer, std::string& out) {
  out.clear();
  ByteWriter writer(out);
  writer.put('I').put(exchange.id.bytes).put(exchange.received_at_us).put(exchange.policy_epoch);
  writer.put(exchange.slice.rung).put(exchange.slice.stage).put(exchange.choice.target).put(exchange.serving_side());
  const auto flags = static_cast<std::uint16_t>(
      flag(exchange.gated, kGated) | flag(exchange.ticket.any_key, kAnyKey) |
      flag(exchange.ticket.unordered, kUnordered) | flag(exchange.choice.shadow, kShadow) |
      flag(exchange.fell_back, kFellBack) | flag(exchange.body_complete, kBodyComplete) |
      flag(peer.protocol == "https", kTls) | flag(peer.trusted, kTrusted) | flag(exchange.forced, kForced));
  writer.put(flags).put(exchange.body_bytes).put(exchange.body_hash);
  writer.text(slice).text(exchange.route->name).text(exchange.excluded).text(exchange.request_id);
  put_keys(writer, exchange.keys);
  writer.text(peer.address).text(exchange.head_text);
  // Nothing else would ever read the body of a request that gets no shadow leg.
  writer.text(exchange.choice.shadow ? std::string_view(exchange.body) : std::string_view());
}

void encode_served(const Exchange& exchange, std::string& out) {
  out.clear();
  const Leg& leg = exchange.serving;
  ByteWriter writer(out);
  writer.put('S').put(exchange.journaled.intent.value).put(exchange.ticket.completion);
  writer.put(exchange.gated).put(exchange.ticket.overlap).put(leg.outcome).put(leg.truncated).put(leg.cut);
  writer.text(exchange.dropped);
  writer.put(leg.sent_at_us).put(leg.duration_us).put(leg.body_bytes).put(leg.body_hash);
  writer.text(exchange.assigned_id);
  put_keys(writer, exchange.keys);
  writer.put(static_cast<std::uint32_t>(exchange.ticket.sequences.size()));
  for (const auto sequence : exchange.ticket.sequences) writer.put(sequence);
  writer.text(leg.head_text).text(leg.body);
  writer.text(exchange.request.expects_continue ? std::string_view(exchange.body) : std::string_view());
}

bool decode_intent(std::string_view record, IntentRecord& out) {
  ByteReader in(record);
  if (in.get<char>() != 'I') return false;
  out.id.bytes = in.get<std::array<std::uint8_t, 16>>();
  out.received_at_us = in.get<std::int64_t>();
  out.policy_epoch = in.get<std::uint64_t>();
  out.rung = in.get<std::uint64_t>();
  out.stage = in.get<Stage>();
  out.target = in.get<Side>();
  out.serving = in.get<Side>();
  const auto flags = in.get<std::uint16_t>();
  out.gated = (flags & kGated) != 0;
  out.any_key = (flags & kAnyKey) != 0;
  out.unordered = (flags & kUnordered) != 0;
  out.shadow = (flags & kShadow) != 0;
  out.fell_back = (flags & kFellBack) != 0;
  out.forced = (flags & kForced) != 0;
  out.body_complete = (flags & kBodyComplete) != 0;
  out.peer.protocol = (flags & kTls) != 0 ? "https" : "http";
  out.peer.trusted = (flags & kTrusted) != 0;
  out.body_bytes = in.get<std::uint64_t>();
  out.body_hash = in.get<std::uint64_t>();
  out.slice = in.text();
  out.route = in.text();
  out.excluded = in.text();
  out.request_id = in.text();
  out.keys = get_keys(in);
  out.peer.address = in.text();
  out.head = in.text();
  out.body = in.text();
  return in.ok();
}

bool decode_served(std::string_view record, ServedRecord& out) {
  ByteReader in(record);
  if (in.get<char>() != 'S') return false;
  out.intent = in.get<std::uint64_t>();
  out.completion = in.get<std::uint64_t>();
  out.gated = in.get<bool>();
  out.overlap = in.get<bool>();
  out.outcome = in.get<LegOutcome>();
  out.truncated = in.get<bool>();
  out.cut = in.get<bool>();
  out.dropped = in.text();
  out.sent_at_us = in.get<std::int64_t>();
  out.duration_us = in.get<std::int64_t>();
  out.body_bytes = in.get<std::uint64_t>();
  out.body_hash = in.get<std::uint64_t>();
  out.assigned_id = in.text();
  out.keys = get_keys(in);
  const auto count = in.get<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) out.sequences.push_back(in.get<std::uint64_t>());
  out.head = in.text();
  out.body = in.text();
  out.request_body = in.text();
  return in.ok();
}

ExchangePtr rebuild_exchange(const IntentRecord& intent, const ServedRecord* served, SettingsPtr settings,
                             const Route& route) {
  auto exchange = make_exchange();
  exchange->id = intent.id;
  exchange->id_text = intent.id.to_string();
  exchange->request_id = intent.request_id;
  exchange->received_at_us = intent.received_at_us;
  exchange->settings = std::move(settings);
  exchange->route = &route;
  exchange->slice.stage = intent.stage;
  exchange->slice.rung = intent.rung;
  exchange->policy_epoch = intent.policy_epoch;
  exchange->choice = {intent.target, intent.shadow, intent.gated, known_reason(intent.excluded)};
  exchange->excluded = exchange->choice.excluded;
  exchange->fell_back = intent.fell_back;
  exchange->forced = intent.forced;
  exchange->keys = intent.keys;
  exchange->gated = intent.gated;
  exchange->key_state = intent.any_key        ? KeyState::unavailable
                        : intent.keys.empty() ? KeyState::none_configured
                                              : KeyState::available;
  exchange->access_logged = wants_access_line(exchange->settings->gateway.access_log, exchange->id_text);
  if (exchange->access_logged) exchange->client_address = intent.peer.address;
  exchange->head_text = intent.head;
  if (parse_request_head(exchange->head_text, exchange->request)) return nullptr;
  static_cast<void>(take_override(exchange->request, exchange->settings->gateway.side_override));  // none of it leaves
  exchange->body = intent.body;
  exchange->body_complete = intent.body_complete && (intent.shadow || intent.body_bytes == 0);  // else it was not kept
  exchange->body_bytes = intent.body_bytes;
  exchange->body_hash = intent.body_hash;
  exchange->ticket.side = intent.serving;
  exchange->ticket.any_key = intent.any_key;
  exchange->ticket.write = true;
  exchange->ticket.unordered = intent.unordered;
  if (served == nullptr) return exchange;
  exchange->assigned_id = served->assigned_id;
  exchange->dropped = known_reason(served->dropped);
  exchange->keys = served->keys;
  exchange->gated = served->gated;
  if (served->gated && !served->keys.empty()) exchange->key_state = KeyState::available;
  exchange->ticket.overlap = served->overlap;
  exchange->ticket.sequences = served->sequences;
  if (exchange->request.expects_continue && !served->request_body.empty()) {
    exchange->body = served->request_body;
    measure_body(*exchange);
  }
  Leg& leg = exchange->serving;
  leg.outcome = served->outcome;
  leg.head_text = served->head;
  if (parse_response_head(leg.head_text, exchange->request.method, leg.head)) return nullptr;
  leg.body = served->body;
  leg.truncated = served->truncated || served->cut;
  leg.cut = served->cut;
  leg.body_bytes = served->body_bytes;
  leg.body_hash = served->body_hash;
  leg.sent_at_us = served->sent_at_us;
  leg.duration_us = served->duration_us;
  write_forwarded_head(*exchange, intent.peer, exchange->body.size(), exchange->forwarded_head);
  return exchange;
}

}  // namespace phoenix::gateway
