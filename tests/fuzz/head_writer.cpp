#include "gateway/head_writer.hpp"

#include "tests/fuzz/head_properties.hpp"

namespace phoenix::fuzz {
namespace {

using gateway::equals_ignoring_case;
using gateway::Exchange;
using gateway::HeaderField;
using gateway::MessageHead;
using gateway::RequestHead;
using gateway::ResponseFraming;
using gateway::ResponseHead;

const std::string kExchangeId = "0190a0b0-c0d0-7e0f-8a0b-0c0d0e0f1011";
const std::string kPeer = "192.0.2.7";

// Nothing may be left over behind what was written, and nothing may end before it.
void check_one_head(const std::string& text) {
  const gateway::HeadEnd end = slow_head_end(text);
  check(end.state == gateway::HeadEnd::State::complete && end.length == text.size(), "one head is written, not two");
}

bool is_among(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view n) { return equals_ignoring_case(n, name); });
}

bool is_ours(std::string_view name) {
  return name.size() > 10 && equals_ignoring_case(name.substr(0, 10), "x-phoenix-");
}

// What goes on unchanged: end-to-end fields that the gateway does not write itself.
std::vector<HeaderField> passed_on(const MessageHead& head, std::initializer_list<std::string_view> written_anew) {
  std::vector<HeaderField> fields;
  for (const auto& field : head.fields) {
    const bool nominated = std::any_of(head.nominated.begin(), head.nominated.end(),
                                       [&](std::string_view name) { return equals_ignoring_case(name, field.name); });
    if (!nominated && !gateway::is_hop_by_hop(field.name) && !is_ours(field.name) &&
        !is_among(field.name, written_anew))
      fields.push_back(field);
  }
  return fields;
}

void check_contains_in_order(const MessageHead& head, const std::vector<HeaderField>& expected) {
  auto next = expected.begin();
  for (const auto& field : head.fields) {
    if (next != expected.end() && field.name == next->name && field.value == next->value) ++next;
  }
  check(next == expected.end(), "end-to-end fields keep their bytes, order and repetition");
}

void check_leg(const Exchange& exchange, const std::string& text, std::optional<std::uint64_t> length,
               std::size_t tail_fields) {
  check_one_head(text);
  RequestHead sent;
  check(!parse_request_head(text, sent), "what is forwarded is a valid request");
  const RequestHead& head = exchange.request;
  check(sent.method == head.method && sent.target == head.target && sent.authority.empty(), "the same request line");
  check(sent.host == (head.authority.empty() ? head.host : head.authority), "the same host");
  check(sent.framing.chunked == !length, "chunked without a length");
  check(sent.framing.content_length.value_or(0) == length.value_or(0), "the length of the body");
  check(!sent.expects_continue && sent.upgrade.empty() && sent.nominated.empty(), "nothing hop-by-hop goes on");
  for (const auto& field : sent.fields)
    check(!gateway::is_hop_by_hop(field.name) || (!length && equals_ignoring_case(field.name, "transfer-encoding")),
          "no field of this connection goes on");
  // Hops are counted down for the methods that count them.
  const std::string_view counted_down = head.method == "OPTIONS" || head.method == "TRACE" ? "max-forwards" : "";
  auto expected = passed_on(head, {counted_down, "host", "content-length", "expect", "x-request-id", "x-forwarded-for",
                                   "x-forwarded-proto", "x-forwarded-host", "via"});
  // A client's word on where it comes from counts for nothing.
  std::erase_if(expected, [](const HeaderField& field) {
    return equals_ignoring_case(field.name, "forwarded") ||
           equals_ignoring_case(field.name.substr(0, 12), "x-forwarded-");
  });
  check_contains_in_order(sent, expected);
  for (const std::string_view once :
       {"host", "x-forwarded-for", "x-forwarded-proto", "via", "x-request-id", "x-phoenix-exchange", "x-phoenix-leg"})
    check(count(sent, once) == 1, "what the gateway writes stands once");
  const std::size_t framing_fields = sent.framing.chunked || sent.framing.content_length ? 1 : 0;
  const std::size_t forwarded_host = head.host.empty() && head.authority.empty() ? 0 : 1;
  const auto hops = static_cast<std::size_t>(count(sent, counted_down));
  check(hops <= 1, "one count of hops");
  check(sent.fields.size() == expected.size() + hops + 6 + forwarded_host + framing_fields + tail_fields,
        "no other field appears");
  check(sent.find("x-phoenix-exchange") == kExchangeId && sent.find("x-forwarded-for") == kPeer,
        "the gateway's own values");
}

std::string shadow_leg_tail(std::string_view assigned_id) {
  std::string memory;
  return std::string(gateway::shadow_leg_tail(assigned_id, memory));
}

void check_forwarded(const Exchange& exchange) {
  if (exchange.request.max_forwards == 0) return;  // the gateway is the last hop: nothing is forwarded
  const auto& framing = exchange.request.framing;
  const gateway::ClientPeer peer{kPeer};
  const std::optional<std::uint64_t> lengths[] = {std::nullopt, std::uint64_t{0}, framing.content_length.value_or(7)};
  for (const auto& length : lengths) {
    std::string head;
    write_forwarded_head(exchange, peer, length, head);
    check_leg(exchange, head + std::string(gateway::serving_leg_tail()), length, 1);
    check_leg(exchange, head + shadow_leg_tail("id-9"), length, 2);
    check_leg(exchange, head + shadow_leg_tail({}), length, 1);
  }
}

std::vector<std::pair<std::string_view, std::string_view>> fields_but(
    const MessageHead& head, std::initializer_list<std::string_view> left_out) {
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  for (const auto& field : head.fields) {
    if (!is_among(field.name, left_out)) fields.emplace_back(field.name, field.value);
  }
  return fields;
}

// The client's credentials are replaced where it had some, and nothing else is.
void check_late_leg(Exchange& exchange) {
  if (exchange.request.max_forwards == 0) return;
  config::BackendConfig::ShadowAuth auth;
  auth.header = "Authorization";
  auth.value = "Bearer late";
  exchange.serving.sent_at_us = exchange.serving.duration_us = 1;
  write_forwarded_head(exchange, {kPeer}, 0, exchange.forwarded_head);
  const std::string in_time = exchange.forwarded_head + shadow_leg_tail({});
  std::string memory;
  const std::string tail(write_shadow_leg(exchange, auth, 60'000'000, memory));
  const std::string late = exchange.forwarded_head + tail;
  check_one_head(late);
  RequestHead before;
  RequestHead after;
  check(!parse_request_head(in_time, before) && !parse_request_head(late, after), "a late leg is a valid request");
  const bool had_credentials = count(before, auth.header) > 0;
  check(count(after, auth.header) == (had_credentials ? 1 : 0), "credentials once, where there were some");
  check(!had_credentials || after.find(auth.header) == auth.value, "the client's credentials are gone");
  check(count(after, "x-phoenix-served-at") == 1, "it says when it was served");
  check(fields_but(before, {auth.header}) == fields_but(after, {auth.header, "x-phoenix-served-at"}),
        "every other field stays");
}

void check_response(const Exchange& exchange, const ResponseHead& head, ResponseFraming framing, bool keep_alive) {
  using Kind = ResponseFraming::Kind;
  std::string text;
  write_response_head(exchange, head, framing, keep_alive, text);
  check_one_head(text);
  ResponseHead sent;
  check(!parse_response_head(text, "GET", sent), "what is answered is a valid response");
  check(sent.status == head.status && sent.reason == head.reason, "the same status line");
  check(sent.framing.chunked == (framing.kind == Kind::chunked), "chunked where it was asked for");
  if (framing.kind == Kind::content_length) check(sent.framing.content_length == framing.length, "the length");
  if (framing.kind == Kind::chunked || framing.kind == Kind::close)
    check(!sent.framing.content_length, "no second framing");
  check(sent.connection_close == !keep_alive && sent.nominated.empty(), "the connection's fate is ours to say");
  for (const auto& field : sent.fields)
    check(!gateway::is_hop_by_hop(field.name) || is_among(field.name, {"connection", "transfer-encoding"}),
          "no field of the backend's connection goes on");
  check_contains_in_order(sent, passed_on(head, {"content-length"}));
  check(count(sent, "x-phoenix-exchange") == 1 && count(sent, "x-request-id") >= 1, "the exchange is named");
}

void check_interim(const ResponseHead& head) {
  std::string text;
  write_interim_head(head, text);
  check_one_head(text);
  ResponseHead sent;
  check(!parse_response_head(text, "GET", sent), "what is passed on before the answer is a valid response");
  check(sent.status == head.status && sent.reason == head.reason, "the same interim status line");
  check(!sent.framing.chunked && !sent.framing.content_length, "an interim response has no body");
  check_contains_in_order(sent, passed_on(head, {"content-length"}));
}

}  // namespace

void head_writer(std::string_view input) {
  const gateway::HeadEnd end = slow_head_end(input);
  Exchange exchange;
  if (end.state != gateway::HeadEnd::State::complete ||
      parse_request_head(input.substr(0, end.length), exchange.request))
    return;
  exchange.id_text = kExchangeId;
  const std::string_view request_id = gateway::valid_request_id(exchange.request.find("x-request-id"));
  check(is_clean(request_id) && request_id.size() <= 128, "a request id is short and clean");
  exchange.request_id = request_id.empty() ? kExchangeId : std::string(request_id);
  check_forwarded(exchange);
  check_late_leg(exchange);

  const std::string_view answer = input.substr(end.length);
  const gateway::HeadEnd answer_end = slow_head_end(answer);
  ResponseHead head;
  if (answer_end.state != gateway::HeadEnd::State::complete ||
      parse_response_head(answer.substr(0, answer_end.length), exchange.request.method, head))
    return;
  if (head.status < 200) return check_interim(head);
  using Kind = ResponseFraming::Kind;
  for (const Kind kind : {Kind::none, Kind::content_length, Kind::chunked, Kind::close}) {
    for (const bool keep_alive : {true, false}) check_response(exchange, head, {kind, 42}, keep_alive);
  }
}

}  // namespace phoenix::fuzz
