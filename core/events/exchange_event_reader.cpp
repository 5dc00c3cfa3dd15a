// Reading the frames of `shadow-requests`. By hand: the arbiter reads twenty thousand a second on one core, and
// building a document of each header first would take most of it.
#include <fmt/format.h>

#include <cstddef>
#include <span>
#include <string>

#include "core/events/exchange_event.hpp"
#include "core/events/json_cursor.hpp"

namespace phoenix {
namespace {

/// What a header says beside the event: how many bytes of each body follow.
struct Header {
  ExchangeEvent event;
  std::uint64_t request_captured = 0, serving_captured = 0, shadow_captured = 0;
  bool bodies_equal = false;
};
struct Leg {
  LegRecord& record;
  std::uint64_t captured = 0;
};

enum class Presence : bool { optional, required };

template <class Object>
struct Member {
  std::string_view name;
  Presence presence;
  void (*read)(JsonCursor&, Object&);
};

/// Reads an object by its table of members. Each is looked for from where the last one stood, since members come in the
/// order in which they were written.
template <class Object>
void read_object(JsonCursor& json, Object& object, std::span<const Member<Object>> members, std::string_view where) {
  std::uint64_t seen = 0;
  std::size_t next = 0;
  std::string name;
  for (json.enter('{'); json.next_member(name);) {
    std::size_t step = 0, at = next;
    while (step < members.size() && members[at].name != name) {
      ++step;
      at = at + 1 < members.size() ? at + 1 : 0;
    }
    if (step == members.size()) {
      json.skip();
      continue;
    }
    members[at].read(json, object);
    seen |= std::uint64_t{1} << at;
    next = at + 1 < members.size() ? at + 1 : 0;
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].presence == Presence::required && (seen & (std::uint64_t{1} << i)) == 0)
      throw Failure(invalid_input(fmt::format("{}{} is missing", where, members[i].name)));
  }
}

template <class T>
void read_name(JsonCursor& json, std::string_view what, std::optional<T> (*from)(std::string_view), T& out) {
  std::string name;
  json.read(name);
  const auto value = from(name);
  if (!value) throw Failure(invalid_input(fmt::format("{} has the unknown value '{}'", what, name)));
  out = *value;
}

/// [[first, second], …]
template <class Pairs, class First, class Second>
void read_pairs(JsonCursor& json, Pairs& pairs, First first, Second second) {
  pairs.clear();
  for (json.enter('['); json.next_element();) {
    auto& pair = pairs.emplace_back();
    json.enter('[');
    if (!json.next_element()) json.fail("a pair is empty");
    json.read(pair.*first);
    if (!json.next_element()) json.fail("a pair has one element");
    json.read(pair.*second);
    if (json.next_element()) json.fail("a pair has three elements");
  }
}

void read_headers(JsonCursor& json, HeaderList& headers) {
  using Pair = HeaderList::value_type;
  constexpr std::size_t kUsual = 8;
  headers.reserve(kUsual);
  read_pairs(json, headers, &Pair::first, &Pair::second);
}

void read_version(JsonCursor& json, Header&) {
  std::int64_t version = 0;
  json.read(version);
  if (version != ExchangeEvent::kVersion)
    throw Failure(invalid_input(fmt::format("schema version {} is unknown", version)));
}

constexpr auto kRequired = Presence::required;
constexpr auto kOptional = Presence::optional;
template <auto Field>
void of_event(JsonCursor& json, Header& header) {
  json.read(header.event.*Field);
}
template <auto Field>
void of_leg(JsonCursor& json, Leg& leg) {
  json.read(leg.record.*Field);
}

using E = ExchangeEvent;
using L = LegRecord;

constexpr Member<Leg> kLeg[] = {
    {"outcome", kRequired,
     [](JsonCursor& json, Leg& leg) { read_name(json, "outcome", leg_outcome_from_string, leg.record.outcome); }},
    {"status", kOptional, of_leg<&L::status>},
    {"uncertain", kOptional, of_leg<&L::uncertain>},
    {"sent_at_us", kRequired, of_leg<&L::sent_at_us>},
    {"duration_us", kRequired, of_leg<&L::duration_us>},
    {"body_bytes", kRequired, of_leg<&L::body_bytes>},
    {"body_hash", kRequired, of_leg<&L::body_hash>},
    {"truncated", kOptional, of_leg<&L::truncated>},
    {"cut", kOptional, of_leg<&L::cut>},
    {"captured", kRequired, [](JsonCursor& json, Leg& leg) { json.read(leg.captured); }},
    {"headers", kOptional, [](JsonCursor& json, Leg& leg) { read_headers(json, leg.record.headers); }},
};

std::uint64_t read_leg(JsonCursor& json, LegRecord& record, std::string_view where) {
  Leg leg{record};
  read_object<Leg>(json, leg, kLeg, where);
  return leg.captured;
}

constexpr Member<Header> kRequest[] = {
    {"body_bytes", kRequired, of_event<&E::request_body_bytes>},
    {"body_hash", kRequired, of_event<&E::request_body_hash>},
    {"truncated", kOptional, of_event<&E::request_truncated>},
    {"captured", kRequired, [](JsonCursor& json, Header& header) { json.read(header.request_captured); }},
    {"headers", kOptional, [](JsonCursor& json, Header& header) { read_headers(json, header.event.request_headers); }},
};

constexpr Member<Header> kHeader[] = {
    {"v", kRequired, read_version},
    {"exchange_id", kRequired, of_event<&E::exchange_id>},
    {"request_id", kRequired, of_event<&E::request_id>},
    {"gateway", kRequired, of_event<&E::gateway>},
    {"incarnation", kRequired, of_event<&E::incarnation>},
    {"sequence", kRequired, of_event<&E::sequence>},
    {"received_at_us", kRequired, of_event<&E::received_at_us>},
    {"completed_at_us", kRequired, of_event<&E::completed_at_us>},
    {"route", kRequired, of_event<&E::route>},
    {"slice", kRequired, of_event<&E::slice>},
    {"method", kRequired, of_event<&E::method>},
    {"target", kRequired, of_event<&E::target>},
    {"write", kOptional, of_event<&E::write>},
    {"keys", kRequired,
     [](JsonCursor& json, Header& header) {
       read_pairs(json, header.event.keys, &KeySequence::key, &KeySequence::sequence);
     }},
    {"target_side", kRequired,
     [](JsonCursor& json, Header& header) {
       read_name(json, "target_side", side_from_string, header.event.target_side);
     }},
    {"serving_side", kRequired,
     [](JsonCursor& json, Header& header) {
       read_name(json, "serving_side", side_from_string, header.event.serving_side);
     }},
    {"stage", kRequired,
     [](JsonCursor& json, Header& header) { read_name(json, "stage", stage_from_string, header.event.stage); }},
    {"policy_epoch", kRequired, of_event<&E::policy_epoch>},
    {"rung", kRequired, of_event<&E::rung>},
    {"overlap", kOptional, of_event<&E::overlap>},
    {"parachute", kOptional, of_event<&E::parachute>},
    {"forced", kOptional, of_event<&E::forced>},
    {"calibration", kOptional, of_event<&E::calibration>},
    {"excluded", kOptional, of_event<&E::excluded>},
    {"dropped", kOptional, of_event<&E::dropped>},
    {"request", kRequired,
     [](JsonCursor& json, Header& header) { read_object<Header>(json, header, kRequest, "request."); }},
    {"serving", kRequired,
     [](JsonCursor& json, Header& header) {
       header.serving_captured = read_leg(json, header.event.serving, "serving.");
     }},
    {"shadow", kRequired,
     [](JsonCursor& json, Header& header) { header.shadow_captured = read_leg(json, header.event.shadow, "shadow."); }},
    {"bodies_equal", kOptional, [](JsonCursor& json, Header& header) { json.read(header.bodies_equal); }},
};

std::string take_body(std::string_view& rest, std::uint64_t size, const char* what) {
  if (size > rest.size()) throw Failure(invalid_input(fmt::format("the {} body is cut short", what)));
  std::string body(rest.substr(0, size));
  rest.remove_prefix(size);
  return body;
}

ExchangeEvent read_frame(std::string_view frame) {
  if (frame.size() < 4) throw Failure(invalid_input("shorter than its length field"));
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < 4; ++i) length = (length << 8) | static_cast<unsigned char>(frame[i]);
  frame.remove_prefix(4);
  if (length > frame.size()) throw Failure(invalid_input("the header is cut short"));
  Header header;
  JsonCursor json(frame.substr(0, length), JsonCursor::Strings::bytes);
  read_object<Header>(json, header, kHeader, "");
  json.finish();
  std::string_view rest = frame.substr(length);
  ExchangeEvent& event = header.event;
  event.request_body = take_body(rest, header.request_captured, "request");
  event.serving.body = take_body(rest, header.serving_captured, "serving");
  event.shadow.body = header.bodies_equal ? event.serving.body : take_body(rest, header.shadow_captured, "shadow");
  if (!rest.empty()) throw Failure(invalid_input("bytes follow the last body"));
  return std::move(header.event);
}

}  // namespace

Result<ExchangeEvent> decode_exchange_event(std::string_view frame) {
  try {
    return read_frame(frame);
  } catch (const Failure& failure) {
    return invalid_input(fmt::format("exchange event: {}", failure.what()));
  }
}

}  // namespace phoenix
