#include "core/events/exchange_event.hpp"

#include <tuple>

#include "tests/fuzz/targets.hpp"
#include "tests/support/event_view.hpp"

namespace phoenix::fuzz {
namespace {

/// Deals out the input as the fields of an event: any bytes, any number.
class Dealer {
 public:
  explicit Dealer(std::string_view input) : left_(input) {}

  std::uint8_t byte() { return static_cast<std::uint8_t>(take(1).empty() ? 0 : last_); }
  bool flag() { return (byte() & 1) != 0; }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int bytes = byte() % 9; bytes > 0; --bytes) value = (value << 8) | byte();
    return value;
  }
  std::int64_t time() { return static_cast<std::int64_t>(number()); }
  std::string text() { return std::string(take(byte() % 24)); }
  HeaderList headers() {
    HeaderList list(byte() % 4);
    for (auto& [name, value] : list) {
      name = text();
      value = text();
    }
    return list;
  }

 private:
  std::string_view take(std::size_t size) {
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(taken.size());
    if (!taken.empty()) last_ = static_cast<unsigned char>(taken.back());
    return taken;
  }
  std::string_view left_;
  unsigned char last_ = 0;
};

LegRecord deal_leg(Dealer& dealer) {
  LegRecord leg;
  leg.outcome = static_cast<LegOutcome>(dealer.byte() % 7);
  leg.status = dealer.byte() * 4;
  leg.uncertain = dealer.flag();
  leg.sent_at_us = dealer.time();
  leg.duration_us = dealer.time();
  leg.body_bytes = dealer.number();
  leg.body_hash = dealer.number();
  leg.truncated = dealer.flag();
  leg.headers = dealer.headers();
  leg.body = dealer.text();
  return leg;
}

ExchangeEvent deal_event(std::string_view input) {
  Dealer dealer(input);
  ExchangeEvent event;
  for (std::string* text : {&event.exchange_id, &event.request_id, &event.gateway, &event.incarnation, &event.route,
                            &event.slice, &event.method, &event.target, &event.excluded, &event.dropped})
    *text = dealer.text();
  for (std::uint64_t* number :
       {&event.sequence, &event.policy_epoch, &event.rung, &event.request_body_bytes, &event.request_body_hash})
    *number = dealer.number();
  event.received_at_us = dealer.time();
  event.completed_at_us = dealer.time();
  for (bool* flag : {&event.write, &event.overlap, &event.parachute, &event.forced, &event.request_truncated})
    *flag = dealer.flag();
  event.keys.resize(dealer.byte() % 4);
  for (auto& key : event.keys) key = {dealer.text(), dealer.number()};
  event.target_side = static_cast<Side>(dealer.byte() % 2);
  event.serving_side = static_cast<Side>(dealer.byte() % 2);
  event.stage = static_cast<Stage>(dealer.byte() % 5);
  event.request_headers = dealer.headers();
  event.request_body = dealer.text();
  event.serving = deal_leg(dealer);
  event.shadow = deal_leg(dealer);
  if (dealer.flag()) {  // the shadow's body is left out of the frame
    event.shadow.body = event.serving.body;
    event.shadow.body_hash = event.serving.body_hash;
  }
  return event;
}

auto leg_fields(const LegRecord& l) {
  return std::tie(l.outcome, l.status, l.uncertain, l.sent_at_us, l.duration_us, l.body_bytes, l.body_hash, l.truncated,
                  l.headers, l.body);
}

auto event_fields(const ExchangeEvent& e) {
  return std::tie(e.exchange_id, e.request_id, e.gateway, e.incarnation, e.sequence, e.received_at_us,
                  e.completed_at_us, e.route, e.slice, e.method, e.target, e.write, e.target_side, e.serving_side,
                  e.stage, e.policy_epoch, e.rung, e.overlap, e.parachute, e.forced, e.excluded, e.dropped,
                  e.request_headers, e.request_body_bytes, e.request_body_hash, e.request_truncated, e.request_body);
}

void check_round_trip(const ExchangeEvent& event) {
  const std::string frame = encode(event);
  const auto decoded = decode_exchange_event(frame);
  check(decoded.has_value(), "what is encoded decodes");
  check(event_fields(*decoded) == event_fields(event), "an event's fields survive");
  const auto same_key = [](const KeySequence& a, const KeySequence& b) {
    return a.key == b.key && a.sequence == b.sequence;
  };
  check(std::equal(event.keys.begin(), event.keys.end(), decoded->keys.begin(), decoded->keys.end(), same_key),
        "keys survive");
  check(leg_fields(decoded->serving) == leg_fields(event.serving), "the serving leg survives");
  check(leg_fields(decoded->shadow) == leg_fields(event.shadow), "the shadow leg survives");
  check(encode(*decoded) == frame, "encoding is canonical");
  static std::string kept;
  check(test::joined(encode(test::view_of(event), kept)) == frame, "views are encoded alike");
  const std::size_t stride = 1 + frame.size() / 8;
  for (std::size_t cut = 0; cut < frame.size(); cut += stride)
    check(!decode_exchange_event(std::string_view(frame).substr(0, cut)), "a frame that is cut short is refused");
  check(!decode_exchange_event(frame + "x"), "bytes behind a frame are refused");
}

void check_frame(std::string_view frame) {
  const auto event = decode_exchange_event(frame);
  if (event) {
    check_round_trip(*event);
  } else {
    check(!event.error().message.empty(), "a refusal says why");
  }
}

}  // namespace

void exchange_event(std::string_view input) {
  check_frame(input);
  const std::size_t line = input.find('\n');
  if (line != std::string_view::npos) {
    std::string frame(4, '\0');
    for (std::size_t i = 0; i < 4; ++i) frame[i] = static_cast<char>(line >> (24 - 8 * i));
    check_frame(frame.append(input.substr(0, line)).append(input.substr(line + 1)));
  }
  check_round_trip(deal_event(input));
}

}  // namespace phoenix::fuzz
