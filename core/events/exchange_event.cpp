#include "core/events/exchange_event.hpp"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

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

// --- reading ---------------------------------------------------------------------------------------------------------

using Json = nlohmann::json;

std::string bytes_of(const std::string& utf8) {
  std::string out;
  out.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if ((byte == 0xc2 || byte == 0xc3) && i + 1 < utf8.size()) {
      out += static_cast<char>(((byte & 3) << 6) | (static_cast<unsigned char>(utf8[++i]) & 0x3f));
    } else {
      out += utf8[i];
    }
  }
  return out;
}

std::string text(const Json& object, const char* name) {
  return bytes_of(object.at(name).get_ref<const std::string&>());
}
std::string optional_text(const Json& object, const char* name) {
  return object.contains(name) ? text(object, name) : std::string();
}
bool flag(const Json& object, const char* name) {
  return object.value(name, false);
}
template <class Number>
Number integer(const Json& value, const char* name) {
  if (!value.is_number_integer()) throw Failure(invalid_input(fmt::format("{} is not an integer", name)));
  const bool fits = value.is_number_unsigned() ? std::in_range<Number>(value.get<std::uint64_t>())
                                               : std::in_range<Number>(value.get<std::int64_t>());
  if (!fits) throw Failure(invalid_input(fmt::format("{} is out of range", name)));
  return value.get<Number>();
}
template <class Number>
Number number(const Json& object, const char* name) {
  return integer<Number>(object.at(name), name);
}

template <class T>
T named(const Json& object, const char* name, std::optional<T> (*from)(std::string_view)) {
  const std::string value = text(object, name);
  if (const auto result = from(value)) return *result;
  throw Failure(invalid_input(fmt::format("{} has the unknown value '{}'", name, value)));
}

HeaderList headers_of(const Json& object) {
  HeaderList headers;
  if (!object.contains("headers")) return headers;
  for (const auto& pair : object["headers"]) {
    headers.emplace_back(bytes_of(pair.at(0).get_ref<const std::string&>()),
                         bytes_of(pair.at(1).get_ref<const std::string&>()));
  }
  return headers;
}

std::string take_body(std::string_view& rest, const Json& object, const char* what) {
  const auto captured = number<std::uint64_t>(object, "captured");
  if (captured > rest.size()) throw Failure(invalid_input(fmt::format("the {} body is cut short", what)));
  std::string body(rest.substr(0, captured));
  rest.remove_prefix(captured);
  return body;
}

LegRecord leg_of(const Json& object) {
  LegRecord leg;
  leg.outcome = named<LegOutcome>(object, "outcome", leg_outcome_from_string);
  if (object.contains("status")) leg.status = number<int>(object, "status");
  leg.uncertain = flag(object, "uncertain");
  leg.sent_at_us = number<std::int64_t>(object, "sent_at_us");
  leg.duration_us = number<std::int64_t>(object, "duration_us");
  leg.body_bytes = number<std::uint64_t>(object, "body_bytes");
  leg.body_hash = number<std::uint64_t>(object, "body_hash");
  leg.truncated = flag(object, "truncated");
  leg.cut = flag(object, "cut");
  leg.headers = headers_of(object);
  return leg;
}

void read_scalars(const Json& header, ExchangeEvent& event) {
  event.exchange_id = text(header, "exchange_id");
  event.request_id = text(header, "request_id");
  event.gateway = text(header, "gateway");
  event.incarnation = text(header, "incarnation");
  event.sequence = number<std::uint64_t>(header, "sequence");
  event.received_at_us = number<std::int64_t>(header, "received_at_us");
  event.completed_at_us = number<std::int64_t>(header, "completed_at_us");
  event.route = text(header, "route");
  event.slice = text(header, "slice");
  event.method = text(header, "method");
  event.target = text(header, "target");
  event.write = flag(header, "write");
  for (const auto& pair : header.at("keys")) {
    event.keys.push_back(
        {bytes_of(pair.at(0).get_ref<const std::string&>()), integer<std::uint64_t>(pair.at(1), "keys")});
  }
  event.target_side = named<Side>(header, "target_side", side_from_string);
  event.serving_side = named<Side>(header, "serving_side", side_from_string);
  event.stage = named<Stage>(header, "stage", stage_from_string);
  event.policy_epoch = number<std::uint64_t>(header, "policy_epoch");
  event.rung = number<std::uint64_t>(header, "rung");
  event.overlap = flag(header, "overlap");
  event.parachute = flag(header, "parachute");
  event.forced = flag(header, "forced");
  event.excluded = optional_text(header, "excluded");
  event.dropped = optional_text(header, "dropped");
}

ExchangeEvent read_frame(std::string_view frame) {
  if (frame.size() < 4) throw Failure(invalid_input("shorter than its length field"));
  std::uint32_t length = 0;
  for (int i = 0; i < 4; ++i) length = (length << 8) | static_cast<unsigned char>(frame[static_cast<std::size_t>(i)]);
  frame.remove_prefix(4);
  if (length > frame.size()) throw Failure(invalid_input("the header is cut short"));
  const Json header = Json::parse(frame.substr(0, length));
  std::string_view rest = frame.substr(length);
  const auto version = number<std::int64_t>(header, "v");
  if (version != ExchangeEvent::kVersion)
    throw Failure(invalid_input(fmt::format("schema version {} is unknown", version)));
  ExchangeEvent event;
  read_scalars(header, event);
  const Json& request = header.at("request");
  event.request_body_bytes = number<std::uint64_t>(request, "body_bytes");
  event.request_body_hash = number<std::uint64_t>(request, "body_hash");
  event.request_truncated = flag(request, "truncated");
  event.request_headers = headers_of(request);
  event.serving = leg_of(header.at("serving"));
  event.shadow = leg_of(header.at("shadow"));
  event.request_body = take_body(rest, request, "request");
  event.serving.body = take_body(rest, header.at("serving"), "serving");
  event.shadow.body =
      flag(header, "bodies_equal") ? event.serving.body : take_body(rest, header.at("shadow"), "shadow");
  if (!rest.empty()) throw Failure(invalid_input("bytes follow the last body"));
  return event;
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

Result<ExchangeEvent> decode_exchange_event(std::string_view frame) {
  try {
    return read_frame(frame);
  } catch (const Failure& failure) {
    return invalid_input(fmt::format("exchange event: {}", failure.what()));
  } catch (const Json::exception& error) {
    return invalid_input(fmt::format("exchange event: {}", error.what()));
  }
}

}  // namespace phoenix
