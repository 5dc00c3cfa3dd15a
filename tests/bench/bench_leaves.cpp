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
#include "gateway/event_spool.hpp"
#include "gateway/exchange.hpp"
#include "gateway/exchange_publisher.hpp"
#include "gateway/head_writer.hpp"
#include "gateway/message_head.hpp"
#include "gateway/route_table.hpp"
#include "gateway/sequencer.hpp"
#include "gateway/settings.hpp"
#include "tests/bench/leaf_inputs.hpp"
#include "tests/support/event_view.hpp"
#include "tests/support/temp_dir.hpp"

namespace phoenix::gateway {
namespace {

using namespace phoenix::bench;

// The compiler must take `value` as used, and memory as changed.
template <typename Value>
void keep(const Value& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "bench_leaves: %s\n", what);
  std::exit(1);
}

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

// Into memory that is kept, as on an event loop.
void encode_event(std::uint64_t n) {
  const ExchangeEvent event = example_event();
  if (const std::size_t size = encode(event).size(); size < 1400 || size > 1600) die("the event has not about 1.5 kB");
  const ExchangeEventView view = test::view_of(event);
  std::string header;
  while (n-- > 0) {
    const EventFrame frame = encode(view, header);
    keep(frame);
  }
}

// All that the loop does for one event: an exchange of the POST and the answer above, its secret header hashed, in the
// spool with both bodies.
void publish_event(std::uint64_t n) {
  const test::TempDir directory;
  EventSpool spool({directory.path(), 256 << 20});
  AccessLog access_log;
  const std::vector<std::string> slice_names{"bank"};
  ExchangePublisher publisher(spool, "gateway-1", std::string(kExchangeId), slice_names, {0}, access_log);
  const auto config = config::parse(kConfig, "bench_leaves").value();
  const auto exchange = parsed_exchange();
  exchange->settings = std::make_shared<Settings>(config.gateway, config.slices);
  exchange->route = &exchange->settings->routes.match("POST", "/accounts/4711/deposits");
  exchange->keys = {"4711"};
  exchange->body = std::string(300, 'x');
  for (Leg* leg : {&exchange->serving, &exchange->shadow}) {
    leg->outcome = LegOutcome::ok;
    leg->head_text = kResponse;
    if (parse_response_head(leg->head_text, "POST", leg->head)) die("the response was refused");
    capture_whole_body(*leg, std::string(200, 'y'), 64 << 10);
  }
  while (n-- > 0) {
    publisher.publish_lost(*exchange);
    keep(*exchange);
  }
  if (spool.stats().refused > 0) die("the spool refused events");
}

void capture(std::uint64_t n, std::size_t bytes) {
  const std::string body(bytes, 'x');
  while (n-- > 0) {
    Leg leg;
    capture_whole_body(leg, body, 64 << 10);
    keep(leg);
  }
}
// 16 KiB as it streams by, in pieces of 4 KiB.
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
    {"request_head", request_head},
    {"response_head", response_head},
    {"chunked_decode", chunked_decode},
    {"route_match", route_match},
    {"key_from_path", [](std::uint64_t n) { extract_keys(n, kRequest, {}); }},
    {"key_from_header", [](std::uint64_t n) { extract_keys(n, kCardRequest, {}); }},
    {"keys_from_json", keys_from_json},
    {"exchange_id", exchange_id},
    {"cohort_bucket", cohort},
    {"forwarded_head", write_forwarded},
    {"client_head", write_response},
    {"sequencer", sequence_write},
    {"event_encode", encode_event},
    {"event_publish", publish_event},
    {"capture_200", [](std::uint64_t n) { capture(n, 200); }},
    {"capture_16k", [](std::uint64_t n) { capture(n, 16 << 10); }},
    {"capture_16k_streamed", capture_16k_streamed},
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
