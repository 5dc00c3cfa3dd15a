#include "core/events/exchange_event.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

namespace phoenix {
namespace {

constexpr std::string_view kOutcomeNames[] = {"none",  "ok",        "connect_failed", "timeout",
                                              "reset", "malformed", "dropped"};
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
