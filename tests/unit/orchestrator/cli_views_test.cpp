#include <nlohmann/json.hpp>

#include "orchestrator/cli/cause_view.hpp"
#include "orchestrator/cli/explain_view.hpp"
#include "orchestrator/cli/status_view.hpp"
#include "orchestrator/cli/sweep_view.hpp"
#include "orchestrator/cli/table.hpp"
#include "orchestrator/status_document.hpp"
#include "rollout_fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::orchestrator;
using namespace phoenix::orchestrator::cli;

TEST_CASE("tables align by what is seen, and nothing from outside steers the terminal") {
  Table table({"NAME", "VALUE", "LAST"});
  table.add({"a", "≥ 99 %", "x"});
  table.add({"long name", "1", "y\x1b[2J\nz"});
  CHECK(table.render() ==
        "NAME       VALUE   LAST\n"
        "a          ≥ 99 %  x\n"
        "long name  1       y?[2J?z\n");
}

TEST_CASE("numbers and times as people read them") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1'234'567) == "1,234,567");
  CHECK(share_text(1) == "100 %");
  CHECK(share_text(0.999999) == "99.99 %");  // never rounded up to a claim
  CHECK(utc_time(1'767'225'600'000) == "2026-01-01 00:00:00");
  CHECK(age_text(2'100) == "2.1 s");
  CHECK(age_text(180'000) == "3 min");
}

TEST_CASE("the status page shows every slice with why it does not rise, latches and gateways") {
  RaisableSlice fixture;
  fixture.set_score(100, 0);
  fixture.evidence.score->split_keys = 2;
  fixture.evidence.score->foreign_unpaired[0] = {3, {{"EUR", 2150}}};
  fixture.state.policy.slices.push_back({"cards", Stage::shadow, 0, 6});
  fixture.state.policy.latches.push_back({"k", "cards", "fire", "oncall", 1'000});
  config::Config config;
  config.migration_name = "core-banking";
  config.orchestrator.ramp = fixture.ramp;
  StatusInput input;
  input.policy = {true, "", fixture.state, std::chrono::seconds(5)};
  input.now = std::chrono::seconds(7);
  input.decisions["payments"] = fixture.decide();
  input.evidence["payments"] = fixture.evidence;
  input.gateways.push_back({fixture.gateway("gw-1"), std::chrono::milliseconds(300), true});
  const std::string page = render_status(status_document(config, input), 121'000);
  CHECK_THAT(page, Catch::Contains("migration core-banking   epoch 7   leading   policy renewed 2.0 s ago"));
  CHECK_THAT(page, Catch::Contains("at this rung 2 keys were written through two gateways"));
  CHECK_THAT(page, Catch::Contains("split   2 keys written through two gateways within 60 s"));
  CHECK_THAT(page, Catch::Contains("foreign 3 changes on legacy alone  EUR 21.50"));
  CHECK_THAT(page, Catch::Contains("shadow ✔  1 ✔  [5 %]  10  25  50  75  100  promoted"));
  CHECK_THAT(page, Catch::Contains("✖ latched 2 min ago by oncall: fire"));
  CHECK_THAT(page, Catch::Contains("gw-1"));
  CHECK_THAT(page, Catch::Contains("0 / 3"));

  input.policy.leading = false;
  input.policy.standby_reason = "another orchestrator leads";
  CHECK_THAT(render_status(status_document(config, input), 0), Catch::Contains("NOT LEADING"));
  CHECK(slice_document(config, input, "nope").empty());
  CHECK_THAT(render_status("[]", 0), Catch::Contains("not a status document"));
}

TEST_CASE("JSON is flattened with its numbers as written") {
  const auto pairs = flatten_json(R"({"a":{"b":[0.10,-1,"x"]},"e":{},"n":null})");
  const std::vector<std::pair<std::string, std::string>> expected{
      {"/a/b/0", "0.10"}, {"/a/b/1", "-1"}, {"/a/b/2", "\"x\""}, {"/e", "{}"}, {"/n", "null"}};
  CHECK(pairs == expected);
  CHECK(flatten_json("not json").empty());
  CHECK(path_matches("/items/3/created_at", "/items/*/created_at"));
  CHECK(path_matches("/meta/x", "/meta"));
  CHECK_FALSE(path_matches("/metadata", "/meta"));
}

TEST_CASE("explain shows both sides and marks what differs") {
  const nlohmann::json document{{"exchange",
                                 {{"exchange_id", "0190"},
                                  {"header",
                                   {{"method", "POST"},
                                    {"target", "/transfers"},
                                    {"route", "transfers"},
                                    {"slice", "payments"},
                                    {"serving_side", "modern"},
                                    {"differences",
                                     {{{"kind", "value"}, {"path", "/fee"}, {"legacy", "0.26"}, {"modern", "0.21"}},
                                      {{"kind", "status"}, {"path", ""}, {"legacy", "200"}, {"modern", "201"}}}},
                                    {"modern", {{"status", 201}, {"duration_us", 1500}, {"outcome", "ok"}}},
                                    {"legacy", {{"status", 200}, {"duration_us", 2500}, {"outcome", "ok"}}}}},
                                  {"request_body", R"({"amount":10.00})"},
                                  {"legacy_body", R"({"fee":0.26,"at":"1","same":1})"},
                                  {"modern_body", R"({"fee":0.21,"at":"2","same":1,"extra":true})"},
                                  {"legacy_balance", "89.74"},
                                  {"modern_balance", "89.79"}}},
                                {"verdicts", {{{"verdict", "mismatch"}, {"detail", "/fee: legacy 0.26, modern 0.21"}}}},
                                {"split_keys",
                                 {{{"slice", "payments"},
                                   {"rung", 7},
                                   {"key", "935"},
                                   {"first_gateway", "gw-1"},
                                   {"first_exchange", "0190"},
                                   {"second_gateway", "gw-2"},
                                   {"second_exchange", "0191"}}}}};
  const std::string page = render_exchange(document.dump(), {"/at"});
  CHECK_THAT(page, Catch::Contains("verdict mismatch: /fee: legacy 0.26, modern 0.21"));
  CHECK_THAT(page, Catch::Contains("value       /fee  0.26    0.21"));
  CHECK_THAT(page, Catch::Contains("status      -     200     201"));
  CHECK_THAT(page, Catch::Contains("split key 935: written through gw-1 (0190) and gw-2 (0191)"));
  CHECK_THAT(page, Catch::Contains("≠  /fee    0.26      0.21"));
  CHECK_THAT(page, Catch::Contains("~  /at"));
  CHECK_THAT(page, Catch::Contains("   /same   1         1"));
  CHECK_THAT(page, Catch::Contains("/extra  (absent)  true"));
  CHECK_THAT(page, Catch::Contains("status   200     201"));
  CHECK_THAT(page, Catch::Contains("time     2.5 ms  1.5 ms"));
  CHECK_THAT(page, Catch::Contains("89.74   89.79"));
  CHECK_THAT(page, Catch::Contains("/amount  10.00"));
}

TEST_CASE("explain says what was posted, why it differs and how common that is, where it is known") {
  using nlohmann::json;
  const std::string group = "97 % of 212 mismatches on `transfers` (/fee, fee_tier) have tier = vip";
  const json legacy{
      {"transactions", 1}, {"delta", "-10.26"}, {"before", "100.00"}, {"after", "89.74"}, {"position", {7, 1}}};
  const json modern{{"transactions", 2}, {"delta", "-20.42"}, {"before", "100.00"}, {"after", "79.58"}};
  const json document{
      {"exchange",
       {{"exchange_id", "0190"},
        {"header",
         {{"postings",
           {{{"account", "935"}, {"gap", "-10.16"}, {"accepted", "0.00"}, {"legacy", legacy}, {"modern", modern}}}},
          {"rule", "vip-fee: predicts 0.05, found 0.10"}}}}},
      {"verdicts",
       {{{"verdict", "duplicate"}, {"cause", "duplicate_posting"}, {"cause_detail", "modern posted it 2 times\x1b[2J"}},
        {{"verdict", "unknown"}, {"cause", ""}}}},
      {"groups",
       {{{"cause", "duplicate_posting"}, {"sentence", group}}, {{"cause", "cut_off"}, {"sentence", "another"}}}}};
  const std::string page = render_exchange(document.dump(), {});
  CHECK_THAT(page, Catch::Contains("cause duplicate_posting: modern posted it 2 times?[2J\n"));
  CHECK_THAT(page, Catch::Contains("group " + group));
  CHECK_THAT(page, !Catch::Contains("another"));
  CHECK_THAT(page, Catch::Contains("POSTED TO 935  LEGACY  MODERN"));
  CHECK_THAT(page, Catch::Contains("amount         -10.26  -20.42 in 2 transactions"));
  CHECK_THAT(page, Catch::Contains("position       [7,1]   -"));
  CHECK_THAT(page, Catch::Contains("gap -10.16, of which accepted 0.00"));
  CHECK_THAT(page, Catch::Contains("rule vip-fee: predicts 0.05, found 0.10"));
  // An arbiter of an older version knows none of this.
  const std::string bare =
      render_exchange(R"({"exchange":{"exchange_id":"0190"},"verdicts":[{"verdict":"mismatch"}]})", {});
  for (const char* word : {"cause", "group", "POSTED", "rule", "gap"}) CHECK_THAT(bare, !Catch::Contains(word));
}

TEST_CASE("noise is a table of fields with the rule that would excuse each") {
  const std::string page = render_noise(
      R"({"noise":[{"slice":"payments","route":"account","repeats":40,"fields":[{"path":"/as_of","kind":"value","differing":40,"first":"\"1\"","second":"\"2\"","proposal":"compare: {ignore: [/as_of]}"},{"path":"/x","differing":1,"first":"1","second":"2","proposal":""}]}]})");
  CHECK_THAT(page,
             Catch::Contains("/as_of") && Catch::Contains("compare: {ignore: [/as_of]}") && Catch::Contains("40"));
  CHECK_THAT(render_noise(R"({"noise":[]})"), Catch::Contains("alike"));
}

TEST_CASE("groups are sentences, each with an exchange to look at") {
  const nlohmann::json group{{"slice", "payments"},
                             {"sentence", "5 mismatches on `a` (status)"},
                             {"first_time", "2026-01-01T00:00:00.5+00:00"},
                             {"last_time", "2026-01-02T00:00:00+00:00"},
                             {"last_exchange", "0190"}};
  CHECK(render_groups(nlohmann::json{{"groups", {group}}}.dump()) ==
        "5 mismatches on `a` (status)\n    slice payments, 2026-01-01T00:00:00 to 2026-01-02T00:00:00, for example "
        "0190\n");
  CHECK(render_groups(R"({"groups":[]})") == "no mismatches\n");
  CHECK(render_groups("[]") == "no mismatches\n");
}

TEST_CASE("a sweep shows how far it is, what it cost and what it found") {
  const std::string sweep =
      R"({"id":3,"slice":"payments","state":"running","problem":"","progress":{"scanned":false,"chunks":2,)"
      R"("estimated_rows":1000,"rows":[200,199],"sums":["10.5","10.4"],"database_us":[250000,0],"found":{"busy":1}}})";
  CHECK(render_sweep_line(sweep) == "sweep 3: running, 200 of about 1000 rows; found 1 busy");
  const std::string all = render_sweep(
      R"({"sweep":)" + sweep +
      R"(,"accounts":[{"account":"a\u001b","state":"busy","legacy_balance":"1","legacy_currency":"EUR","tries":3}]})");
  CHECK_THAT(all, Catch::Contains("legacy  200 rows, sum of balances 10.5") &&
                      Catch::Contains("0.25 s of its database") && Catch::Contains("1 EUR") &&
                      Catch::Contains("no account") && !Catch::Contains("\x1b"));
  CHECK(render_sweeps(R"({"sweeps":[]})") == "no sweeps\n");
  CHECK_THAT(render_resync(R"({"key":"7","slice":"p","from":"legacy","legacy":"1","modern":"2","equal":false,)"
                           R"("at_rest":true,"applied":false})"),
             Catch::Contains("nothing was changed; --apply brings it over"));
}
