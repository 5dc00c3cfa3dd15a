// What the leaves are given: typical messages and routes of a bank.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/events/exchange_event.hpp"

namespace phoenix::bench {

inline constexpr std::string_view kExchangeId = "0199aabb-ccdd-7000-8000-000000000001";
inline constexpr std::string_view kRequest =
    "POST /accounts/4711/deposits HTTP/1.1\r\nHost: bank.example:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux "
    "x86_64)\r\n"
    "Accept: application/json, text/plain, */*\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, br\r\n"
    "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo\r\n"
    "Content-Type: application/json\r\nContent-Length: 300\r\nConnection: keep-alive\r\nX-Account: 4711\r\n\r\n";
inline constexpr std::string_view kCardRequest =
    "POST /cards HTTP/1.1\r\nHost: bank\r\nAccept: */*\r\nX-Account: 4711\r\n\r\n";
inline constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nServer: core\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n"
    "Content-Length: 200\r\nCache-Control: no-store\r\nConnection: keep-alive\r\nX-Node: core-7\r\n\r\n";
inline constexpr const char* kConfig = R"(
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

inline LegRecord answered_leg(std::int64_t sent_at_us, const HeaderList& headers) {
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
inline ExchangeEvent example_event() {
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

}  // namespace phoenix::bench
