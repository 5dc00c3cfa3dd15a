#include "core/events/exchange_event.hpp"

#include <fmt/format.h>

#include <iterator>

namespace phoenix {
namespace {

constexpr std::string_view kOutcomeNames[] = {"none",  "ok",        "connect_failed", "timeout",
                                              "reset", "malformed", "dropped"};
constexpr char kHex[] = "0123456789abcdef";

// The header is written by hand: it is on the gateway's path, where building a document first would cost several times
// as much. Strings are bytes: every byte from 0x80 on stands as the code point of the same number, so that any header
// value survives.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void open(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
  }
  void open(std::string_view name, char bracket) {
    key(name);
    out_ += bracket;
    first_ = true;
  }
  void close(char bracket) {
    out_ += bracket;
    first_ = false;
  }
  void field(std::string_view name, std::string_view text) {
    key(name);
    string(text);
  }
  void optional_field(std::string_view name, std::string_view text) {
    if (!text.empty()) field(name, text);
  }
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) void field(std::string_view name, Number number) {
    key(name);
    fmt::format_to(std::back_inserter(out_), "{}", number);
  }
  void flag(std::string_view name, bool value) {
    if (!value) return;  // absent means false
    key(name);
    out_ += "true";
  }
  void element(std::string_view text) {
    separate();
    string(text);
  }
  template <std::integral Number>
  void element(Number number) {
    separate();
    fmt::format_to(std::back_inserter(out_), "{}", number);
  }

 private:
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }
  void key(std::string_view name) {
    separate();
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }
  void string(std::string_view text) {
    out_ += '"';
    std::size_t clean = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') continue;
      out_.append(text, clean, i - clean);
      clean = i + 1;
      out_ += "\\u00";
      out_ += kHex[byte >> 4];
      out_ += kHex[byte & 15];
    }
    out_.append(text, clean);
    out_ += '"';
  }

  std::string& out_;
  bool first_ = true;
};

void write_headers(JsonWriter& json, const HeaderList& headers) {
  if (headers.empty()) return;
  json.open("headers", '[');
  for (const auto& [name, value] : headers) {
    json.open('[');
    json.element(name);
    json.element(value);
    json.close(']');
  }
  json.close(']');
}

void write_leg(JsonWriter& json, std::string_view name, const LegRecord& leg) {
  json.open(name, '{');
  json.field("outcome", to_string(leg.outcome));
  if (leg.status != 0) json.field("status", leg.status);
  json.flag("uncertain", leg.uncertain);
  json.field("sent_at_us", leg.sent_at_us);
  json.field("duration_us", leg.duration_us);
  json.field("body_bytes", leg.body_bytes);
  json.field("body_hash", leg.body_hash);
  json.flag("truncated", leg.truncated);
  json.flag("cut", leg.cut);
  json.field("captured", leg.body.size());
  write_headers(json, leg.headers);
  json.close('}');
}

bool same_body(const ExchangeEvent& event) {
  return event.serving.body_hash == event.shadow.body_hash && event.serving.body == event.shadow.body;
}

void write_header(JsonWriter& json, const ExchangeEvent& event) {
  json.open('{');
  json.field("v", ExchangeEvent::kVersion);
  json.field("exchange_id", event.exchange_id);
  json.field("request_id", event.request_id);
  json.field("gateway", event.gateway);
  json.field("incarnation", event.incarnation);
  json.field("sequence", event.sequence);
  json.field("received_at_us", event.received_at_us);
  json.field("completed_at_us", event.completed_at_us);
  json.field("route", event.route);
  json.field("slice", event.slice);
  json.field("method", event.method);
  json.field("target", event.target);
  json.flag("write", event.write);
  json.open("keys", '[');
  for (const auto& key : event.keys) {
    json.open('[');
    json.element(key.key);
    json.element(key.sequence);
    json.close(']');
  }
  json.close(']');
  json.field("target_side", to_string(event.target_side));
  json.field("serving_side", to_string(event.serving_side));
  json.field("stage", to_string(event.stage));
  json.field("policy_epoch", event.policy_epoch);
  json.field("rung", event.rung);
  json.flag("overlap", event.overlap);
  json.flag("parachute", event.parachute);
  json.flag("forced", event.forced);
  json.flag("calibration", event.calibration);
  json.optional_field("excluded", event.excluded);
  json.optional_field("dropped", event.dropped);
  json.open("request", '{');
  json.field("body_bytes", event.request_body_bytes);
  json.field("body_hash", event.request_body_hash);
  json.flag("truncated", event.request_truncated);
  json.field("captured", event.request_body.size());
  write_headers(json, event.request_headers);
  json.close('}');
  write_leg(json, "serving", event.serving);
  write_leg(json, "shadow", event.shadow);
  json.flag("bodies_equal", same_body(event));
  json.close('}');
}

}  // namespace

std::string_view to_string(LegOutcome outcome) {
  return kOutcomeNames[static_cast<int>(outcome)];
}

std::optional<LegOutcome> leg_outcome_from_string(std::string_view name) {
  for (int i = 0; i < 7; ++i) {
    if (kOutcomeNames[i] == name) return static_cast<LegOutcome>(i);
  }
  return std::nullopt;
}

std::string encode(const ExchangeEvent& event) {
  std::string frame(4, '\0');
  frame.reserve(1536 + event.request_body.size() + event.serving.body.size() + event.shadow.body.size());
  JsonWriter json(frame);
  write_header(json, event);
  const std::size_t length = frame.size() - 4;
  for (std::size_t i = 0; i < 4; ++i) frame[i] = static_cast<char>(length >> (24 - 8 * i));
  frame += event.request_body;
  frame += event.serving.body;
  if (!same_body(event)) frame += event.shadow.body;
  return frame;
}

}  // namespace phoenix
