// One line of the access log: what is in it, and what must never be.
#include <nlohmann/json.hpp>

#include "gateway/access_log.hpp"
#include "gateway/exchange.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::gateway;
using Json = nlohmann::json;
using Catch::Contains;

namespace {

struct Sample {
  explicit Sample(const std::string& target = "/accounts/7?token=secret", const std::string& fields = "") {
    exchange.head_text =
        "POST " + target + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\n" + fields + "\r\n";
    refused = parse_request_head(exchange.head_text, exchange.request);
    exchange.id_text = "01980000-0000-7000-8000-000000000001";
    exchange.request_id = "req-1";
    exchange.client_address = "192.0.2.7";
    exchange.received_at_us = 1'763'733'600'123'456;
    route.name = "account";
    exchange.route = &route;
    exchange.slice.stage = Stage::canary;
    exchange.choice.target = Side::modern;
  }
  [[nodiscard]] std::string text() const { return access_line(exchange, "s"); }
  [[nodiscard]] Json json() const { return Json::parse(text()); }

  Exchange exchange;
  Route route;
  std::optional<HeadError> refused;
};

}  // namespace

TEST_CASE("an access line tells both legs, and no secret") {
  Sample sample;
  Exchange& exchange = sample.exchange;
  exchange.body = "{\"pin\":\"secret\"}";
  exchange.body_bytes = exchange.body.size();
  exchange.serving.outcome = LegOutcome::ok;
  exchange.serving.head.status = 201;
  exchange.serving.body = "secret";
  exchange.serving.body_bytes = 6;
  exchange.serving.duration_us = 12'045;
  exchange.shadow.outcome = LegOutcome::ok;
  exchange.shadow.head.status = 200;
  exchange.shadow.sent_at_us = 1;
  exchange.shadow.duration_us = 999;
  const std::string text = sample.text();
  CHECK(text.back() == '\n');
  CHECK_THAT(text, !Contains("secret"));
  CHECK(Json::parse(text) == Json::parse(R"({"time":"2025-11-21T14:00:00.123Z",
    "exchange_id":"01980000-0000-7000-8000-000000000001","request_id":"req-1","client":"192.0.2.7","method":"POST",
    "path":"/accounts/7","query_bytes":12,"route":"account","slice":"s","stage":"canary","target_side":"modern",
    "serving_side":"modern","status":201,"request_bytes":16,"serving_outcome":"ok","response_bytes":6,
    "serving_ms":12.045,"shadow_outcome":"ok","shadow_status":200,"shadow_ms":0.999})"));
}

TEST_CASE("what does not apply is absent") {
  Sample sample("/x");
  sample.exchange.excluded = "client_aborted";
  const Json json = sample.json();
  for (const char* absent :
       {"query_bytes", "status", "target_side", "serving_side", "serving_ms", "shadow_outcome", "shadow_ms", "dropped"})
    CHECK_FALSE(json.contains(absent));
  CHECK(json["excluded"] == "client_aborted");
  sample.exchange.serving.outcome = LegOutcome::timeout;
  sample.exchange.serving.head.status = 504;
  sample.exchange.excluded = {};
  sample.exchange.dropped = "serving_uncertain";
  sample.exchange.shadow.outcome = LegOutcome::dropped;
  const Json failed = sample.json();
  CHECK(failed["status"] == 504);
  CHECK(failed["serving_outcome"] == "timeout");
  CHECK(failed["dropped"] == "serving_uncertain");
  CHECK(failed["shadow_outcome"] == "dropped");
  CHECK_FALSE(failed.contains("shadow_ms"));  // it was never sent
}

TEST_CASE("any byte of a target makes one valid line of JSON") {
  Sample sample;
  std::string bytes = "/";
  for (int c = 1; c < 256; ++c) {
    if (c != '?') bytes += static_cast<char>(c);
  }
  sample.exchange.request.target = bytes;
  const std::string text = sample.text();
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); }));
  const std::string path = Json::parse(text)["path"];
  std::string back;  // each byte above 0x7f is one code point, two bytes of UTF-8
  for (std::size_t i = 0; i < path.size(); ++i) {
    const auto byte = static_cast<unsigned char>(path[i]);
    back += byte < 0x80 ? path[i] : static_cast<char>(((byte & 3) << 6) | (static_cast<unsigned char>(path[++i]) & 63));
  }
  CHECK(back == bytes);
}

TEST_CASE("a refused request is told as far as it was understood") {
  const auto refused = [](const Sample& sample) {
    REQUIRE(sample.refused);
    return Json::parse(refusal_line(sample.exchange, "192.0.2.7", 0, sample.refused->status, sample.refused->reason));
  };
  const Json bad_field = refused(Sample("/a?b=c", "Bad Field: x\r\n"));
  CHECK(bad_field["time"] == "1970-01-01T00:00:00.000Z");
  CHECK(bad_field["status"] == 400);
  CHECK(bad_field["path"] == "/a");
  CHECK(bad_field["query_bytes"] == 3);
  CHECK(bad_field["refused"].get<std::string>().size() > 5);
  CHECK_FALSE(bad_field.contains("exchange_id"));
  const Json with_password = refused(Sample("http://user:secret@bank.test/x"));
  CHECK_THAT(with_password.dump(), !Contains("secret"));
  const Json nothing = refused(Sample("ftp://user:secret@bank.test/x"));
  CHECK_THAT(nothing.dump(), !Contains("secret"));
  const Json long_one = refused(Sample("/" + std::string(20'000, 'x'), "Bad Field: x\r\n"));
  CHECK(long_one["path"].get<std::string>().size() == 2048);
}

TEST_CASE("the sample is a share of the ids, and the same ones each time") {
  config::GatewayConfig::AccessLog config{"x.log", 0.25};
  int wanted = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = "exchange-" + std::to_string(i);
    wanted += wants_access_line(config, id) ? 1 : 0;
    CHECK(wants_access_line(config, id) == wants_access_line({"y.log", 0.25}, id));
    if (wants_access_line(config, id)) CHECK(wants_access_line({"x.log", 0.5}, id));
  }
  CHECK(wanted > 2'200);
  CHECK(wanted < 2'800);
  CHECK(wants_access_line({"x.log", 1}, "any"));
  CHECK_FALSE(wants_access_line({"x.log", 0}, "any"));
  CHECK_FALSE(wants_access_line({"", 1}, "any"));
}
