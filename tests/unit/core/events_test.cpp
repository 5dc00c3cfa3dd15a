#include "core/events/control_events.hpp"
#include "core/events/exchange_event.hpp"
#include "core/runtime/clock.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/event_view.hpp"

using namespace phoenix;

namespace {
ExchangeEvent sample() {
  ExchangeEvent event;
  event.exchange_id = "01a1fb63-d37a-79b2-b7ee-358b0275591e";
  event.request_id = "client \"1\"";
  event.gateway = "gw-1";
  event.incarnation = "i";
  event.sequence = 7;
  event.route = "transfers";
  event.slice = "payments";
  event.method = "POST";
  event.target = "/transfers?x=\x80\xff";
  event.write = true;
  event.keys = {{"12", 3}, {"\xc3\xa9", 1}};
  event.serving_side = Side::modern;
  event.overlap = true;
  event.forced = true;
  event.request_headers = {{"X-Latin", "caf\xe9"}};
  event.request_body = std::string("a\0b\"", 4);
  event.serving = {LegOutcome::ok, 201, false, 10, 20, 3, 42, false, {{"Content-Type", "application/json"}}, "{}\n"};
  event.shadow = {LegOutcome::timeout, 0, true, 11, 21, 0, 0, false, {}, ""};
  return event;
}
}  // namespace

TEST_CASE("an exchange survives the frame byte for byte") {
  const ExchangeEvent event = sample();
  const ExchangeEvent read = decode_exchange_event(encode(event)).value();
  CHECK(read.target == event.target);
  CHECK(read.request_id == event.request_id);
  CHECK(read.keys[1].key == event.keys[1].key);
  CHECK(read.request_headers == event.request_headers);
  CHECK(read.request_body == event.request_body);
  CHECK(read.serving.body == event.serving.body);
  CHECK(read.shadow.outcome == LegOutcome::timeout);
  CHECK(read.shadow.uncertain);
  CHECK(read.overlap);
  CHECK(read.forced);
  CHECK(encode(read) == encode(event));
}

TEST_CASE("a frame is what docs/events.md says, byte for byte") {
  const std::string header =
      R"({"v":1,"exchange_id":"01a1fb63-d37a-79b2-b7ee-358b0275591e","request_id":"client \u00221\u0022",)"
      R"("gateway":"gw-1","incarnation":"i","sequence":7,"received_at_us":0,"completed_at_us":0,"route":"transfers",)"
      R"("slice":"payments","method":"POST","target":"/transfers?x=\u0080\u00ff","write":true,)"
      R"("keys":[["12",3],["\u00c3\u00a9",1]],"target_side":"legacy","serving_side":"modern","stage":"shadow",)"
      R"("policy_epoch":0,"rung":0,"overlap":true,"forced":true,)"
      R"("request":{"body_bytes":0,"body_hash":0,"captured":4,"headers":[["X-Latin","caf\u00e9"]]},)"
      R"("serving":{"outcome":"ok","status":201,"sent_at_us":10,"duration_us":20,"body_bytes":3,"body_hash":42,)"
      R"("captured":3,"headers":[["Content-Type","application/json"]]},)"
      R"("shadow":{"outcome":"timeout","uncertain":true,"sent_at_us":11,"duration_us":21,"body_bytes":0,)"
      R"("body_hash":0,"captured":0}})";
  const auto length = static_cast<char>(header.size() & 255);
  const std::string expected = std::string("\0\0", 2) + static_cast<char>(header.size() >> 8) + length + header +
                               std::string("a\0b\"", 4) + "{}\n";
  CHECK(encode(sample()) == expected);
  std::string kept;
  ExchangeEvent long_event = sample();
  for (int i = 0; i < 300; ++i)
    long_event.request_headers.emplace_back("X-Long", std::string(static_cast<std::size_t>(i), i % 2 ? 'x' : '\xe9'));
  CHECK(test::joined(encode(test::view_of(long_event), kept)) == encode(long_event));
  CHECK(test::joined(encode(test::view_of(sample()), kept)) == expected);  // in memory that held a longer one
}

TEST_CASE("a leg that was cut says so; one that says nothing was not") {
  ExchangeEvent event = sample();
  CHECK(encode(event).find("cut") == std::string::npos);
  event.shadow.cut = true;
  const ExchangeEvent read = decode_exchange_event(encode(event)).value();
  CHECK(read.shadow.cut);
  CHECK_FALSE(read.serving.cut);
  CHECK(encode(read) == encode(event));
}

TEST_CASE("equal bodies travel once") {
  ExchangeEvent event = sample();
  event.shadow = event.serving;
  const std::string frame = encode(event);
  CHECK(frame.find("{}\n", frame.find("{}\n") + 1) == std::string::npos);
  CHECK(decode_exchange_event(frame).value().shadow.body == "{}\n");
}

TEST_CASE("a damaged frame is refused by name, wherever it is damaged") {
  const std::string frame = encode(sample());
  for (std::size_t length = 0; length < frame.size(); ++length)
    CHECK(decode_exchange_event(std::string_view(frame).substr(0, length)).has_error());
  CHECK(decode_exchange_event(frame + "x").has_error());
  std::string newer = frame;
  newer.replace(newer.find("\"v\":1"), 5, "\"v\":9");
  CHECK_THAT(decode_exchange_event(newer).error().message, Catch::Contains("schema version 9"));
  for (const auto& [whole, broken] :
       {std::pair("\"v\":1", "\"v\":1e300"), std::pair("\"v\":1", "\"v\":4294967297"),
        std::pair("\"status\":201", "\"status\":1e300"), std::pair("\"sequence\":7", "\"sequence\":-7"),
        std::pair("[\"12\",3]", "[\"12\",-1e300]")}) {
    INFO(broken);
    std::string odd = frame;
    odd.replace(odd.find(whole), std::string_view(whole).size(), broken);
    const std::size_t longer = std::string_view(broken).size() - std::string_view(whole).size();
    std::size_t length = (static_cast<unsigned char>(odd[2]) << 8) + static_cast<unsigned char>(odd[3]) + longer;
    odd[2] = static_cast<char>(length >> 8);
    odd[3] = static_cast<char>(length);
    CHECK(decode_exchange_event(odd).has_error());
  }
  RandomSource random(5);
  for (int i = 0; i < 3000; ++i) {
    std::string garbled = frame;
    garbled[random.next() % garbled.size()] = static_cast<char>(random.next());
    (void)decode_exchange_event(garbled);  // must not crash; may or may not be readable
  }
}

TEST_CASE("a frame's header may come from another writer: any order, unknown members, white space, escapes") {
  const auto framed = [](const std::string& header) {
    std::string frame(4, '\0');
    frame[2] = static_cast<char>(header.size() >> 8);
    frame[3] = static_cast<char>(header.size());
    return frame + header;
  };
  const std::string leg =
      R"({"outcome":"none","sent_at_us":0,"duration_us":0,"body_bytes":0,"body_hash":0,"captured":0})";
  const std::string header = R"({ "shadow": )" + leg + R"(, "new": {"a": [1, -2.5e3, null, "\u20ac"]},
    "target": "/\u00e9\/\ud83d\ude00", "v": 1, "exchange_id": "x", "request_id": "r", "gateway": "g", "incarnation": "i",
    "sequence": 1, "received_at_us": -1, "completed_at_us": 2, "route": "r", "slice": "s", "method": "GET",
    "keys": [ [ "k" , 3 ] ], "target_side": "legacy", "serving_side": "modern", "stage": "shadow", "policy_epoch": 0,
    "rung": 18446744073709551615, "request": {"body_bytes":0,"body_hash":0,"captured":0}, "serving": )" +
                             leg + "}";
  const auto event = decode_exchange_event(framed(header)).value();
  CHECK(event.target == "/\xe9/\xf0\x9f\x98\x80");
  CHECK(event.received_at_us == -1);
  CHECK(event.rung == UINT64_MAX);
  CHECK(event.keys.at(0).sequence == 3);
  for (const auto& [whole, broken, why] :
       {std::tuple(R"("exchange_id": "x",)", "", "exchange_id is missing"),
        std::tuple(R"("v": 1,)", "", "v is missing"),
        std::tuple(R"("outcome":"none",)", "", "shadow.outcome is missing"),
        std::tuple(R"("sequence": 1,)", R"("sequence": "1",)", "an integer is expected"),
        std::tuple(R"("sequence": 1,)", R"("sequence": 01,)", "an integer is expected"),
        std::tuple(R"("stage": "shadow")", R"("stage": "fast")", "unknown value 'fast'"),
        std::tuple(R"(\ude00)", "", "surrogate"), std::tuple(R"([ "k" , 3 ])", R"([ "k" ])", "one element")}) {
    INFO(why);
    std::string odd = header;
    odd.replace(odd.find(whole), std::string_view(whole).size(), broken);
    CHECK_THAT(decode_exchange_event(framed(odd)).error().message, Catch::Contains(why));
  }
}

TEST_CASE("policies, scores, balances, verdicts and heartbeats survive their JSON") {
  TrafficPolicy policy{7,
                       3,
                       std::chrono::milliseconds(30'000),
                       {{"payments", Stage::canary, 1250, 6}},
                       {{"k", "payments", "r", "b", 5}},
                       {{"k0", "b", "r"}}};
  const auto read = decode_traffic_policy(encode(policy)).value();
  CHECK(read.same_content(policy));
  CHECK(read.renewal == 3);
  const auto put =
      decode_traffic_policy(
          R"({"epoch":7,"ttl":"30s","slices":[{"name":"payments","stage":"canary","weight":25}],"resets":[]})")
          .value();
  CHECK(put.slices[0].weight_basis_points == 2500);
  CHECK(put.slices[0].rung == 7);
  for (const char* bad : {"", "[]", "{}", R"({"epoch":1,"ttl":"30s","slices":[{"name":"a","stage":"fast"}]})",
                          R"({"epoch":1,"ttl":"30","slices":[]})",
                          R"({"epoch":1,"ttl":"30s","slices":[{"name":"a","stage":"canary","weight":101}]})",
                          R"({"epoch":-1,"ttl":"x"})"}) {
    INFO(bad);
    CHECK(decode_traffic_policy(bad).has_error());
  }

  BalanceReading reading{"7", Side::modern, true, -1234, 2, "EUR", 5, "99", 17, 3};
  const auto balance = decode_balance_reading(encode(reading)).value();
  CHECK(balance.balance_minor == -1234);
  CHECK(balance.txn_count == 5);
  CHECK(encode(reading).find("-12.34") != std::string::npos);
  for (const char* scale : {"1.5", "5000000000", "18446744073709551618", "3e103", "true", "\"2\""}) {
    INFO(scale);
    std::string text = encode(reading);
    text.replace(text.find("\"scale\":2"), 9, std::string("\"scale\":") + scale);
    CHECK(decode_balance_reading(text).has_error());
  }
  reading.exists = false;
  CHECK_FALSE(decode_balance_reading(encode(reading)).value().exists);

  ScoreEvent score;
  score.slice = "payments";
  score.reads.units = {10, 1};
  score.drift_minor_units["EUR"] = 5;
  score.split_keys = 3;
  score.foreign_unpaired[1] = {2, {{"EUR", 2150}}};
  score.positions["shadow-requests/0"] = 12;
  CHECK(encode(decode_score_event(encode(score)).value()) == encode(score));
  CHECK(decode_score_event(encode(score)).value().split_keys == 3);
  CHECK(decode_score_event(encode(score)).value().foreign_unpaired == score.foreign_unpaired);

  const SplitKeyNotice split{"payments", "935", {"gw-1", "gw-2"}, {"a", "b"}, 12, 7};
  CHECK(encode(decode_split_key_notice(encode(split)).value()) == encode(split));
  CHECK(decode_split_key_notice(encode(VerdictEvent{})).has_error());
  CHECK(decode_verdict_event(encode(split)).has_error());

  GatewayStatus status;
  status.gateway = "g";
  status.routes = {{"r", "s", 3, 1, 1, {{"overlap", 1}}, {}}};
  status.slices = {{"s", Stage::promoted, 10'000, 4}};
  CHECK(encode(decode_gateway_status(encode(status)).value()) == encode(status));
}
