// The head of a shadow leg that leaves late, and what is kept of its answer.
#include "gateway/body_capture.hpp"
#include "gateway/head_writer.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::gateway;
using Catch::Contains;

namespace {

constexpr std::int64_t kServedAtUs = 1'767'225'600'123'456;  // 2026-01-01T00:00:00.123456Z
const std::string kHead = "POST /x HTTP/1.1\r\nHost: a\r\n";
const std::string kTail = "X-Phoenix-Leg: shadow\r\n\r\n";

config::BackendConfig::ShadowAuth service_credentials() {
  config::BackendConfig::ShadowAuth auth;
  auth.header = "Authorization";
  auth.value = "Bearer service";
  return auth;
}

struct Leg201 {
  Exchange exchange;
  explicit Leg201(const std::string& fields, int status = 201) {
    exchange.forwarded_head = kHead + fields;
    exchange.serving.head.status = status;
    exchange.serving.sent_at_us = kServedAtUs - 5'000;
    exchange.serving.duration_us = 5'000;
  }
  std::string sent_after(std::int64_t us, const config::BackendConfig::ShadowAuth& auth = service_credentials()) {
    std::string memory;
    const std::string_view tail = write_shadow_leg(exchange, auth, kServedAtUs + us, memory);
    return exchange.forwarded_head + std::string(tail);
  }
};

constexpr std::int64_t kSecond = 1'000'000;
const std::string kClients = "Authorization: Bearer client\r\n";
const std::string kServedAt = "X-Phoenix-Leg: shadow\r\nX-Phoenix-Served-At: 2026-01-01T00:00:00.123Z\r\n\r\n";

}  // namespace

TEST_CASE("a leg that is more than a second late says when the serving side answered") {
  CHECK(Leg201(kClients).sent_after(kSecond) == kHead + kClients + kTail);
  CHECK(Leg201(kClients).sent_after(kSecond + 1) == kHead + kClients + kServedAt);
  CHECK(Leg201(kClients).sent_after(-kSecond) == kHead + kClients + kTail);
  Leg201 named(kClients);
  named.exchange.assigned_id = "id-9";
  CHECK_THAT(named.sent_after(kSecond + 1), Contains("X-Phoenix-Assigned-Id: id-9\r\nX-Phoenix-Served-At: 2026"));
  Leg201 streaming(kClients);
  streaming.exchange.serving.duration_us = 0;
  CHECK(streaming.sent_after(60 * kSecond) == kHead + kClients + kTail);
}

TEST_CASE("credentials that may have expired are replaced, in a head of any shape") {
  CHECK(Leg201(kClients).sent_after(10 * kSecond) == kHead + kClients + kServedAt);
  const std::string replaced = "Authorization: Bearer service\r\n";
  CHECK(Leg201(kClients).sent_after(10 * kSecond + 1) == kHead + replaced + kServedAt);
  CHECK(Leg201("A: 1\r\nAUTHORIZATION: x\r\nB: 2\r\nauthorization: y\r\nAuthorization-Not: z\r\n")
            .sent_after(11 * kSecond) == kHead + "A: 1\r\nB: 2\r\nAuthorization-Not: z\r\n" + replaced + kServedAt);
  Leg201 again(kClients);
  CHECK(again.sent_after(11 * kSecond) == again.sent_after(12 * kSecond));
}

TEST_CASE("nobody gets credentials who had none, or whom the serving side may have refused") {
  CHECK(Leg201("A: Authorization: x\r\n").sent_after(11 * kSecond) == kHead + "A: Authorization: x\r\n" + kServedAt);
  for (const int status : {401, 403, 404, 407}) {
    CHECK(Leg201(kClients, status).sent_after(11 * kSecond) == kHead + kClients + kServedAt);
  }
  CHECK_THAT(Leg201(kClients, 422).sent_after(11 * kSecond), Contains("Bearer service"));
  CHECK_THAT(Leg201(kClients).sent_after(11 * kSecond, {}), Contains("Bearer client"));
}

TEST_CASE("size and hash of a body are those of the body, whatever the other leg answered") {
  const std::string text(300, 'x');
  std::string other_end = text;
  other_end.back() = 'y';
  for (const std::string& serving : {text, other_end, text.substr(1), std::string()}) {
    for (const std::size_t capture_bytes : {std::size_t{100}, std::size_t{1000}}) {
      Leg known, leg, alone;
      capture_whole_body(known, serving, capture_bytes);
      capture_whole_body(leg, text, capture_bytes, &known);
      capture_whole_body(alone, text, capture_bytes);
      CHECK(leg.body == alone.body);
      CHECK(leg.body_hash == alone.body_hash);
      CHECK(leg.body_bytes == text.size());
      CHECK(leg.truncated == (capture_bytes < text.size()));
    }
  }
  Leg streaming, leg, alone;  // as much of it has come so far, and its hash is not known yet
  streaming.cut = true;
  streaming.body = text;
  streaming.body_bytes = text.size();
  capture_whole_body(leg, text, 1000, &streaming);
  capture_whole_body(alone, text, 1000);
  CHECK(leg.body_hash == alone.body_hash);
}
