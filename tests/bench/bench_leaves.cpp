// What one exchange costs in the gateway's leaves, each alone:  bench_leaves NAME N  does leaf NAME N times, and
// without arguments prints the names. Meant to be counted by valgrind (leaves.py), not timed: it measures nothing
// itself. Every operation starts as the gateway starts it, with empty strings and vectors, so that allocations are
// counted too.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/events/exchange_event.hpp"
#include "core/model/business_key.hpp"
#include "core/model/exchange_id.hpp"
#include "core/runtime/config.hpp"
#include "gateway/body_capture.hpp"
#include "gateway/chunked_body.hpp"
#include "gateway/exchange.hpp"
#include "gateway/head_writer.hpp"
#include "gateway/message_head.hpp"
#include "gateway/route_table.hpp"
#include "gateway/sequencer.hpp"

namespace phoenix::gateway {
namespace {

// The compiler must take `value` as used, and memory as changed.
template <typename Value>
void keep(const Value& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "bench_leaves: %s\n", what);
  std::exit(1);
}

constexpr std::string_view kExchangeId = "0199aabb-ccdd-7000-8000-000000000001";
constexpr std::string_view kRequest =
    "POST /accounts/4711/deposits HTTP/1.1\r\nHost: bank.example:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux "
    "x86_64)\r\n"
    "Accept: application/json, text/plain, */*\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, br\r\n"
    "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo\r\n"
    "Content-Type: application/json\r\nContent-Length: 300\r\nConnection: keep-alive\r\nX-Account: 4711\r\n\r\n";
constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nServer: core\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n"
    "Content-Length: 200\r\nCache-Control: no-store\r\nConnection: keep-alive\r\nX-Node: core-7\r\n\r\n";
constexpr const char* kConfig = R"(
slices: [{name: bank}]
gateway:
  legacy: {endpoints: ["http://127.0.0.1:1"]}
  modern: {endpoints: ["http://127.0.0.1:2"]}
  routes:
    - {name: a, slice: bank, match: {methods: [GET], path: /health}}
    - {name: b, slice: bank, match: {methods: [GET], path: "/rates/*"}}
    - {name: c, slice: bank, match: {methods: [POST], path: /transfers}, key: {json: [/from, /to]}, shadow: dual}
    - {name: d, slice: bank, match: {methods: [POST], path: /accounts}}
    - {name: e, slice: bank, match: {methods: [POST], path: "/accounts/{account}/withdrawals"}, key: {path: account}, shadow: dual}
    - {name: f, slice: bank, match: {methods: [GET], path: "/accounts/{account}/statement"}, key: {path: account}}
    - {name: g, slice: bank, match: {methods: [POST], path: "/accounts/{account}/deposits"}, key: {path: account}, shadow: dual}
    - {name: h, slice: bank, match: {methods: [POST], path: /cards}, key: {header: X-Account}, shadow: dual}
)";

void request_head(std::uint64_t n) {
  const std::string text(kRequest);
  while (n-- > 0) {
    std::size_t scanned = 0;
    RequestHead head;
    const HeadEnd end = find_head_end(text, scanned);
    if (end.state != HeadEnd::State::complete || parse_request_head(text, head)) die("the request was refused");
    keep(head);
  }
}

void response_head(std::uint64_t n) {
  const std::string text(kResponse);
  while (n-- > 0) {
    std::size_t scanned = 0;
    ResponseHead head;
    const HeadEnd end = find_head_end(text, scanned);
    if (end.state != HeadEnd::State::complete || parse_response_head(text, "GET", head))
      die("the response was refused");
    keep(head);
  }
}

// 4 KiB in four chunks.
void chunked_decode(std::uint64_t n) {
  std::string coded;
  for (int i = 0; i < 4; ++i) append_chunk(coded, std::string(1024, 'x'));
  append_last_chunk(coded);
  while (n-- > 0) {
    ChunkedDecoder decoder;
    std::string body;
    std::string_view input = coded;
    if (decoder.feed(input, body) != ChunkedDecoder::State::done) die("the chunks were refused");
    keep(body);
  }
}

struct Routes {
  config::Config config = config::parse(kConfig, "bench_leaves").value();
  RouteTable table{config.gateway, config.slices};
};

// The seventh of eight routes.
void route_match(std::uint64_t n) {
  const Routes routes;
  const std::string target = "/accounts/4711/deposits";
  while (n-- > 0) {
    keep(target);
    const Route& route = routes.table.match("POST", target);
    if (route.is_unmatched) die("no route matched");
    keep(route);
  }
}

void extract_keys(std::uint64_t n, std::string_view request, std::string_view body) {
  const Routes routes;
  RequestHead head;
  if (parse_request_head(request, head)) die("the request was refused");
  const Route& route = routes.table.match(head.method, head.target);
  while (n-- > 0) {
    const ExtractedKeys extracted = RouteTable::keys_of(route, head, body, 16);
    if (extracted.state != KeyState::available) die("the keys could not be had");
    keep(extracted);
  }
}

void key_from_path(std::uint64_t n) {
  extract_keys(n, kRequest, {});
}
void key_from_header(std::uint64_t n) {
  extract_keys(n, "POST /cards HTTP/1.1\r\nHost: bank\r\nAccept: */*\r\nX-Account: 4711\r\n\r\n", {});
}
// Two keys of a body of 300 bytes.
void keys_from_json(std::uint64_t n) {
  std::string body =
      R"({"reference":"2026-000017","from":"4711","amount":12.50,"currency":"EUR","to":"4712","lines":[{"text":"rent","share":0.5},{"text":"power","share":0.5}],"note":")";
  body += std::string(300 - body.size() - 2, 'n') + "\"}";
  extract_keys(n, "POST /transfers HTTP/1.1\r\nHost: bank\r\n\r\n", body);
}

std::unique_ptr<Exchange> parsed_exchange() {
  auto exchange = std::make_unique<Exchange>();
  exchange->head_text = kRequest;
  if (parse_request_head(exchange->head_text, exchange->request)) die("the request was refused");
  exchange->id_text = kExchangeId;
  exchange->request_id = kExchangeId;
  return exchange;
}

void write_forwarded(std::uint64_t n) {
  const auto exchange = parsed_exchange();
  const ClientPeer peer{"192.0.2.17", "http", false};
  while (n-- > 0) {
    std::string out;
    write_forwarded_head(*exchange, peer, 300, out);
    keep(out);
  }
}

void write_response(std::uint64_t n) {
  const auto exchange = parsed_exchange();
  ResponseHead head;
  if (parse_response_head(kResponse, "POST", head)) die("the response was refused");
  while (n-- > 0) {
    std::string out;
    write_response_head(*exchange, head, {ResponseFraming::Kind::content_length, 200}, true, out);
    keep(out);
  }
}

void exchange_id(std::uint64_t n) {
  while (n-- > 0) {
    const std::string text = make_exchange_id(1'767'225'600'000 + n, n * 0x9e3779b97f4a7c15, n).to_string();
    keep(text);
  }
}

void cohort(std::uint64_t n) {
  const std::vector<BusinessKey> keys{"4711"};
  while (n-- > 0) {
    keep(keys);
    const std::uint32_t bucket = cohort_bucket(keys, "2026");
    keep(bucket);
  }
}

// One write of one key from admission to the end of its shadow leg, alone.
void sequence_write(std::uint64_t n) {
  Sequencer sequencer;
  while (n-- > 0) {
    Ticket ticket;
    ticket.keys = {"4711"};
    ticket.write = true;
    if (sequencer.admit(ticket) != Admission::granted) die("the write had to wait");
    if (!sequencer.complete(ticket, ShadowNeed::send)) die("the shadow leg had to wait");
    sequencer.shadow_done(ticket, ShadowResult::applied);
    keep(ticket);
  }
}

LegRecord answered_leg(std::int64_t sent_at_us, const HeaderList& headers) {
  LegRecord leg;
  leg.outcome = LegOutcome::ok;
  leg.status = 200;
  leg.sent_at_us = sent_at_us;
  leg.duration_us = 412;
  leg.body_bytes = 200;
  leg.body_hash = 0x9e3779b97f4a7c15;
  leg.headers = headers;
  leg.body = std::string(200, 'x');
  return leg;
}

// An exchange whose event has about 1.5 kB; both sides gave the same answer.
ExchangeEvent example_event() {
  ExchangeEvent event;
  event.exchange_id = event.request_id = kExchangeId;
  event.gateway = "gateway-1";
  event.incarnation = "0199aabb-ccdd-7000-8000-00000000ffff";
  event.sequence = 1'234'567;
  event.received_at_us = 1'767'225'600'000'000;
  event.completed_at_us = event.received_at_us + 1'234;
  event.route = "deposits";
  event.slice = "bank";
  event.method = "POST";
  event.target = "/accounts/4711/deposits";
  event.write = true;
  event.keys = {{"4711", 17}};
  event.policy_epoch = 12;
  event.request_headers = {{"Host", "bank.example:8080"},        {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"},
                           {"Accept", "application/json, */*"},  {"Authorization", "(redacted)"},
                           {"Content-Type", "application/json"}, {"Content-Length", "100"}};
  event.request_body_bytes = 100;
  event.request_body_hash = 0x123456789abcdef0;
  event.request_body = std::string(100, 'x');
  const HeaderList headers = {{"Content-Type", "application/json"}, {"Content-Length", "200"}};
  event.serving = answered_leg(event.received_at_us + 87, headers);
  event.shadow = answered_leg(event.received_at_us + 640, headers);
  return event;
}

void encode_event(std::uint64_t n) {
  const ExchangeEvent event = example_event();
  if (const std::size_t size = encode(event).size(); size < 1400 || size > 1600) die("the event has not about 1.5 kB");
  while (n-- > 0) {
    const std::string frame = encode(event);
    keep(frame);
  }
}

void capture(std::uint64_t n, std::size_t bytes) {
  const std::string body(bytes, 'x');
  while (n-- > 0) {
    Leg leg;
    capture_whole_body(leg, body, 64 << 10);
    keep(leg);
  }
}
void capture_200(std::uint64_t n) {
  capture(n, 200);
}
void capture_16k(std::uint64_t n) {
  capture(n, 16 << 10);
}
// The same body as it streams by, in pieces of 4 KiB.
void capture_16k_streamed(std::uint64_t n) {
  const std::string piece(4096, 'x');
  while (n-- > 0) {
    Leg leg;
    BodyCapture streamed(leg, 64 << 10);
    for (int i = 0; i < 4; ++i) streamed.add(piece);
    streamed.finish();
    keep(leg);
  }
}

constexpr std::pair<std::string_view, void (*)(std::uint64_t)> kLeaves[] = {
    {"request_head", request_head},     {"response_head", response_head},
    {"chunked_decode", chunked_decode}, {"route_match", route_match},
    {"key_from_path", key_from_path},   {"key_from_header", key_from_header},
    {"keys_from_json", keys_from_json}, {"exchange_id", exchange_id},
    {"cohort_bucket", cohort},          {"forwarded_head", write_forwarded},
    {"client_head", write_response},    {"sequencer", sequence_write},
    {"event_encode", encode_event},     {"capture_200", capture_200},
    {"capture_16k", capture_16k},       {"capture_16k_streamed", capture_16k_streamed},
};

int run(int argc, char** argv) {
  if (argc == 1) {
    for (const auto& leaf : kLeaves) std::printf("%s\n", leaf.first.data());
    return 0;
  }
  if (argc != 3) die("usage: bench_leaves [NAME N]");
  for (const auto& [name, leaf] : kLeaves) {
    if (name != argv[1]) continue;
    leaf(std::strtoull(argv[2], nullptr, 10));
    return 0;
  }
  die("there is no such leaf (without arguments: their names)");
}

}  // namespace
}  // namespace phoenix::gateway

int main(int argc, char** argv) {
  return phoenix::gateway::run(argc, argv);
}
