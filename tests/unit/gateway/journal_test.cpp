#include "gateway/journal.hpp"

#include <algorithm>

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace phoenix;
using namespace phoenix::gateway;

namespace {

config::GatewayConfig gateway_config() {
  config::GatewayConfig config;
  config::RouteConfig route;
  route.name = "deposits";
  route.slice = "s";
  route.path = "/accounts/{id}/deposits";
  route.key.path = "id";
  route.shadow = config::ShadowMode::dual;
  config.routes.push_back(route);
  return config;
}

SettingsPtr settings() {
  return std::make_shared<const Settings>(gateway_config(), std::vector<config::SliceConfig>{{"s", Stage::shadow, 0}});
}

struct Written {
  explicit Written(SettingsPtr with, const std::string& body = R"({"amount":5})") {
    exchange.settings = std::move(with);
    exchange.id = make_exchange_id(1'700'000'000'000, 1, 2);
    exchange.id_text = exchange.id.to_string();
    exchange.request_id = "r-1";
    exchange.received_at_us = 42;
    exchange.head_text =
        "POST /accounts/7/deposits HTTP/1.1\r\nHost: bank\r\nAuthorization: Bearer x\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n";
    REQUIRE_FALSE(parse_request_head(exchange.head_text, exchange.request));
    exchange.route = exchange.settings->routes.find("deposits", "s");
    exchange.slice = {Stage::canary, 5000, 9, false};
    exchange.policy_epoch = 9;
    exchange.choice = {Side::modern, true, true, {}};
    exchange.keys = {"7"};
    exchange.gated = true;
    exchange.ticket.side = Side::modern;
    exchange.body = body;
    measure_body(exchange);
  }
  void answer() {
    exchange.serving.outcome = LegOutcome::ok;
    exchange.serving.head_text = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n";
    REQUIRE_FALSE(parse_response_head(exchange.serving.head_text, "POST", exchange.serving.head));
    exchange.serving.body = "{}";
    exchange.serving.body_bytes = 2;
    exchange.serving.body_hash = 99;
    exchange.serving.duration_us = 1234;
    exchange.ticket.completion = 17;
    exchange.ticket.sequences = {3};
    exchange.ticket.overlap = true;
  }
  Exchange exchange;
};

ClientPeer peer() {
  return {"10.1.2.3", "https", false};
}

struct Files {
  test::TempDir dir;
  Journal open(std::uint64_t most = 8 << 20) { return Journal({dir.path() + "/journal", 64 << 10, most}, {"s"}); }
};

}  // namespace

TEST_CASE("an exchange comes back from the journal as it was") {
  Files files;
  Journaled at;
  {
    Journal journal = files.open();
    Written written(settings());
    REQUIRE(journal.intend(written.exchange, peer()));
    written.answer();
    REQUIRE(journal.served(written.exchange));
    at = written.exchange.journaled;
  }
  Journal journal = files.open();
  const auto open = journal.open_exchanges();
  REQUIRE(open.size() == 1);
  CHECK(open[0].at.intent == at.intent);
  CHECK(open[0].at.served == at.served);
  CHECK_FALSE(open[0].sending);
  const StoredExchange stored(journal, open[0].at);
  const SettingsPtr now = settings();
  const ExchangePtr exchange =
      rebuild_exchange(stored.intent, stored.served_record(), now, *now->routes.find("deposits", "s"));
  REQUIRE(exchange);
  const Written original(now);
  CHECK(exchange->id == original.exchange.id);
  CHECK(exchange->request.target == "/accounts/7/deposits");
  CHECK(exchange->request_id == "r-1");
  CHECK(exchange->received_at_us == 42);
  CHECK(exchange->body == original.exchange.body);
  CHECK(exchange->body_hash == original.exchange.body_hash);
  CHECK(exchange->keys == std::vector<BusinessKey>{"7"});
  CHECK(exchange->serving_side() == Side::modern);
  CHECK(exchange->slice.stage == Stage::canary);
  CHECK(exchange->slice.rung == 9);
  CHECK(exchange->choice.shadow);
  CHECK(exchange->excluded.empty());
  CHECK(exchange->ticket.overlap);
  CHECK(exchange->ticket.sequences == std::vector<std::uint64_t>{3});
  CHECK(exchange->serving.status() == 201);
  CHECK(exchange->serving.body == "{}");
  CHECK(exchange->serving.body_hash == 99);
  CHECK(exchange->serving.duration_us == 1234);
  CHECK_THAT(exchange->forwarded_head, Catch::Matchers::Contains("X-Forwarded-For: 10.1.2.3\r\n"));
  CHECK_THAT(exchange->forwarded_head, Catch::Matchers::Contains("X-Forwarded-Proto: https\r\n"));
  CHECK_THAT(exchange->forwarded_head, Catch::Matchers::Contains("Content-Length: 12\r\n"));
}

TEST_CASE("what a crash leaves says how far each write had come") {
  Files files;
  const SettingsPtr now = settings();
  {
    Journal journal = files.open();
    Written intended(now), served(now), sent(now), over(now);
    for (Written* written : {&intended, &served, &sent, &over}) REQUIRE(journal.intend(written->exchange, peer()));
    for (Written* written : {&served, &sent, &over}) {
      written->answer();
      REQUIRE(journal.served(written->exchange));
    }
    for (Written* written : {&sent, &over}) REQUIRE(journal.sending(written->exchange));
    journal.done(over.exchange.journaled);
    CHECK_FALSE(over.exchange.journaled.intent);
  }
  Journal journal = files.open();
  const auto open = journal.open_exchanges();
  REQUIRE(open.size() == 3);
  CHECK_FALSE(open[0].at.served);
  CHECK(open[1].at.served);
  CHECK_FALSE(open[1].sending);
  CHECK(open[2].sending);
}

TEST_CASE("incomplete keys stay on record, through segments that go, until somebody says otherwise") {
  Files files;
  const SettingsPtr now = settings();
  const auto known = [](Journal& journal) {
    std::vector<std::string> keys;
    for (const auto& key : journal.incomplete_keys()) keys.push_back(std::string(to_string(key.side)) + key.key);
    std::sort(keys.begin(), keys.end());
    return keys;
  };
  {
    Journal journal = files.open();
    REQUIRE(journal.incomplete("s", Side::modern, {"1", "2"}));
    REQUIRE(journal.incomplete("s", Side::legacy, {"3"}));
    REQUIRE(journal.complete("s", Side::modern, {"2"}));
    for (int i = 0; i < 1000; ++i) {
      Written written(now, std::string(500, 'b'));
      REQUIRE(journal.intend(written.exchange, peer()));
      journal.done(written.exchange.journaled);
      if (i % 50 == 0) journal.maintain();
    }
    journal.maintain();
    CHECK(journal.bytes() <= 4 * (64 << 10));
    CHECK(known(journal) == std::vector<std::string>{"legacy3", "modern1"});
  }
  Journal journal = files.open();
  CHECK(known(journal) == std::vector<std::string>{"legacy3", "modern1"});
  CHECK(journal.open_exchanges().empty());
  REQUIRE(journal.complete("s", Side::modern, {BusinessKey(kUnknownKey)}));
  CHECK(known(journal) == std::vector<std::string>{"legacy3"});
}

TEST_CASE("an exchange that is not done keeps its records, and a full journal refuses intents before anything else") {
  Files files;
  const SettingsPtr now = settings();
  Journal journal = files.open(512 << 10);
  Written kept(now);
  REQUIRE(journal.intend(kept.exchange, peer()));
  int taken = 0;
  for (bool room = true; room; ++taken) {
    Written written(now, std::string(500, 'b'));
    room = journal.intend(written.exchange, peer());
    journal.maintain();
    if (room) journal.done(written.exchange.journaled);
  }
  CHECK(taken > 300);
  kept.answer();
  CHECK(journal.served(kept.exchange));
  CHECK(journal.sending(kept.exchange));
  CHECK(journal.incomplete("s", Side::modern, {"9"}));
  CHECK(StoredExchange(journal, kept.exchange.journaled).served.completion == 17);
  journal.done(kept.exchange.journaled);
  journal.maintain();
  Written next(now);
  CHECK(journal.intend(next.exchange, peer()));
}

TEST_CASE("a key whose record was moved stands there once, and goes when it is said to be complete") {
  Files files;
  {
    Journal journal = files.open();
    for (int i = 0; i < 2; ++i) REQUIRE(journal.incomplete("s", Side::modern, {"1"}));
  }
  {
    // As if the process had died between moving a key and dropping its old segment.
    MappedLog log({files.dir.path() + "/journal", 64 << 10, 8 << 20});
    std::string record;
    log.for_each([&](LogPosition, std::string_view bytes) { record = bytes; });
    REQUIRE(log.append({record}));
  }
  {
    Journal journal = files.open();
    CHECK(journal.incomplete_keys().size() == 1);
    REQUIRE(journal.complete("s", Side::modern, {"1"}));
    CHECK(journal.incomplete_keys().empty());
  }
  Journal journal = files.open();
  CHECK(journal.incomplete_keys().empty());
}
