// How the arbiter learns what the ledgers hold: arbiter.state_source and what belongs to it.
#include "core/runtime/config.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using Catch::Matchers::Contains;

namespace {

Result<config::Config> parsed(const std::string& arbiter, const std::string& rest = "") {
  return config::parse("arbiter:\n" + arbiter + rest, "phoenix.yml");
}

std::string error_of(const std::string& arbiter, const std::string& rest = "") {
  const auto result = parsed(arbiter, rest);
  return result ? "no error" : result.error().message;
}

const std::string kTables = "  legacy_state: {table: accounts}\n  modern_state: {table: bank.ledger, scale: 2}\n";

std::string debezium(const std::string& legacy_topics, const std::string& modern_topics) {
  return "  state_source: debezium\n  legacy_state: {table: a, topics: " + legacy_topics +
         "}\n  modern_state: {table: b, topics: " + modern_topics + "}\n";
}

}  // namespace

TEST_CASE("state: defaults, and all that can be said") {
  const auto none = parsed("  settle: 5s\n").value().arbiter;
  CHECK(none.state_source == config::StateSource::query);
  CHECK(none.legacy_state.table.empty());
  CHECK(none.jobs.empty());
  const auto some = parsed("  state_source: capture\n" + kTables +
                           "  jobs:\n  - {name: interest, accounts: [\"9*\", \"7\"], window: 2h, amount: any}\n"
                           "  - {name: fees}\n")
                        .value()
                        .arbiter;
  CHECK(some.state_source == config::StateSource::capture);
  CHECK(some.legacy_state.table == "public.accounts");
  CHECK(some.legacy_state.account == "id");
  CHECK_FALSE(some.legacy_state.scale);
  CHECK(some.legacy_state.slice == "default");
  CHECK(some.modern_state.table == "bank.ledger");
  CHECK(some.modern_state.scale == 2);
  REQUIRE(some.jobs.size() == 2);
  CHECK(some.jobs[0].accounts == std::vector<std::string>{"9*", "7"});
  CHECK(some.jobs[0].window == std::chrono::hours(2));
  CHECK_FALSE(some.jobs[0].equal_amount);
  CHECK(some.jobs[1].equal_amount);
  CHECK(some.jobs[1].accounts == std::vector<std::string>{"*"});
  const std::string urls = "  legacy_db: {url: u}\n  modern_db: {url: v}\n";
  CHECK(error_of("  state_source: capture\n" + kTables + urls) == "no error");
  CHECK_THAT(error_of(urls), Contains("a url needs a balance_query, because state_source is query"));
  CHECK_THAT(error_of("  legacy_db: {balance_query: $1}\n"), Contains("a balance_query needs a url"));
  CHECK(error_of(debezium("[x, x.message]", "[y]") + "  legacy_db: {url: u, balance_query: $1}\n"
                                                     "  modern_db: {url: v, balance_query: $1}\n",
                 "mode: enterprise\n") == "no error");
}

TEST_CASE("state: what cannot work is refused by line and key") {
  CHECK_THAT(error_of("  state_sorce: capture\n"),
             Contains("phoenix.yml:2: arbiter: unknown key 'state_sorce'; did you mean 'state_source'?"));
  CHECK_THAT(error_of("  state_source: trigger\n"), Contains("none of query, capture, debezium"));
  CHECK_THAT(error_of("  state_source: capture\n"), Contains("capture needs legacy_state with its table"));
  CHECK_THAT(error_of("  legacy_state: {tabel: a}\n"), Contains("did you mean 'table'?"));
  CHECK_THAT(error_of("  legacy_state: {table: a.b.c}\n"), Contains("SCHEMA.TABLE"));
  CHECK_THAT(error_of("  legacy_state: {topics: [x]}\n"), Contains("table is missing"));
  CHECK_THAT(error_of("  legacy_state: {table: a, balance: \"\"}\n"), Contains("must name columns"));
  CHECK_THAT(error_of("  legacy_state: {table: a, scale: 19}\n"), Contains("arbiter.legacy_state.scale"));
  CHECK_THAT(error_of("  legacy_state: {table: a, decimals: base64}\n"), Contains("decimals: base64 needs scale"));
  CHECK_THAT(error_of("  legacy_state: {table: a, decimals: double}\n"), Contains("none of text, base64, number"));
  CHECK_THAT(error_of("  legacy_state: {table: a, topics: [\"a b\"]}\n"), Contains("'a b' is no name of a topic"));
  CHECK_THAT(error_of(kTables, "slices: [{name: a}, {name: b}]\n"), Contains("needs slice"));
  CHECK_THAT(error_of("  legacy_state: {table: a, slice: c}\n", "slices: [{name: a}, {name: b}]\n"),
             Contains("slice 'c' is not declared"));
  CHECK_THAT(error_of("  state_source: capture\n  legacy_state: {table: t, slice: a}\n"
                      "  modern_state: {table: t, slice: b}\n",
                      "slices: [{name: a}, {name: b}]\n"),
             Contains("must name the same slice"));
  CHECK_THAT(
      error_of("  state_source: capture\n" + kTables, "capture:\n  legacy: {url: x, tables: {cards: {key: id}}}\n"),
      Contains("table public.accounts is not captured; capture.legacy.tables has public.cards"));
  CHECK_THAT(error_of("  state_source: capture\n" + kTables, "capture: {topic: changes}\n"),
             Contains("reads db-state-updates, but capture.topic is changes"));
  CHECK_THAT(error_of(debezium("[]", "[y]")), Contains("needs legacy_state.topics, like [legacy.public.a"));
  CHECK_THAT(error_of(debezium("[x]", "[x]")), Contains("its side is not known"));
  CHECK_THAT(error_of(debezium("[x]", "[y]")), Contains("needs mode: enterprise"));
  CHECK_THAT(error_of(debezium("[x]", "[y]"), "mode: enterprise\n"), Contains("writes its markers there"));
  CHECK_THAT(error_of("  jobs: [{window: 1h}]\n"), Contains("needs a name"));
  CHECK_THAT(error_of("  jobs: [{name: a}, {name: a}]\n"), Contains("declared twice"));
  CHECK_THAT(error_of("  jobs: [{name: a, accounts: []}]\n"), Contains("at least one pattern"));
  CHECK_THAT(error_of("  jobs: [{name: a, window: 0s}]\n"), Contains("window must be above zero"));
}

TEST_CASE("routes whose postings come later say how much later") {
  const auto route = [](const std::string& keys) {
    return config::parse(
        "gateway:\n  legacy: {endpoints: [\"http://a:1\"]}\n  modern: {endpoints: [\"http://b:1\"]}\n"
        "  routes:\n  - {name: r, match: {path: /r}" +
            keys + "}\n",
        "phoenix.yml");
  };
  const auto plain = route("").value().gateway.routes.front();
  CHECK(plain.posting == config::Posting::sync);
  const auto late = route(", posting: async, async_max: 5m").value().gateway.routes.front();
  CHECK(late.posting == config::Posting::async);
  CHECK(late.async_max == std::chrono::minutes(5));
  CHECK_THAT(route(", async_max: 5m").error().message, Contains("needs posting: async"));
  CHECK_THAT(route(", posting: later").error().message, Contains("none of sync, async"));
}
