#include "arbiter/cause_classifier.hpp"

#include "arbiter/cause_arithmetic.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/exchange_builder.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using phoenix::test::exchange;
using phoenix::test::json_leg;

namespace {

/// Facts of a write with these bodies, compared as the arbiter does.
MismatchFacts facts(const std::string& request, const std::string& legacy, const std::string& modern) {
  auto event = exchange(1, legacy, modern, {{"7", 1}});
  event.request_headers = {{"Content-Type", "application/json"}};
  event.request_body = request;
  const auto result = compare_responses(event.leg(Side::legacy), event.leg(Side::modern), {});
  return facts_of(event, Verdict::mismatch, result.values);
}

MismatchFacts fee(const std::string& amount, const std::string& legacy, const std::string& modern,
                  const std::string& tier = "") {
  const auto body = [&](const std::string& text) {
    return R"({"posting_id":90017,"amount":)" + amount + R"(,"fee":)" + text +
           (tier.empty() ? "" : R"(,"tier":")" + tier + '"') + R"(,"created_at":"2026-03-04T10:11:12Z"})";
  };
  return facts(R"({"amount":)" + amount + "}", body(legacy), body(modern));
}

/// Interest credited on a balance: only the amount and the balance after it are stated.
MismatchFacts interest(const std::string& days, const std::string& legacy, const std::string& legacy_after,
                       const std::string& modern, const std::string& modern_after) {
  const auto body = [](const std::string& amount, const std::string& after) {
    return R"({"kind":"interest","amount":)" + amount + R"(,"fee":0.00,"balance_after":)" + after + "}";
  };
  auto result = facts(R"({"days":)" + days + "}", body(legacy, legacy_after), body(modern, modern_after));
  std::erase_if(result.differences, [](const auto& d) { return d.path == "/balance_after"; });
  return result;
}

std::string label(const MismatchFacts& of, const RateLookup& rates = {}) {
  return std::string(to_string(classify(of, rates).cause));
}

bool may_be(const CauseFinding& finding, Cause cause) {
  const auto& other = finding.alternatives;
  return finding.cause == cause || std::find(other.begin(), other.end(), cause) != other.end();
}

}  // namespace

TEST_CASE("an amount is recomputed exactly under each rounding") {
  const Formula tie{1'900, 2, 1'500, 1, 1};  // 1.5 % of 19.00 is 0.285
  CHECK(is_tie(tie));
  CHECK(half_up(tie) == 29);
  CHECK(half_even(tie) == 28);
  CHECK(truncated(tie) == 28);
  CHECK(in_doubles(tie).rounded.front() == 28);
  const Formula interest{1'000'000, 2, 5'000, 31, 365};
  CHECK(half_up(interest) == 4'247);
  CHECK(in_doubles({1'999, 2, kRateUnit, 1, 1}).cut.front() == 1'998);  // int(19.99 * 100)
  CHECK(half_up({kMostBase, 2, kRateUnit, 366, 360}) == 1'016'666'666'666'667);
  CHECK(rate_text(2'500) == "2.5 %");
  CHECK(simplest_rates({1'900, 2, 0, 1, 1}, 29, 1, true).front() == 1'500);
}

TEST_CASE("float tie: 1.5 % of 19.00") {
  const auto found = classify(fee("19.00", "0.28", "0.29"));
  CHECK(found.cause == Cause::float_tie);
  CHECK(found.path == "/fee");
  CHECK(found.evidence == "1.5 % of /amount 19.00: half up 0.29 (modern), binary floating point 0.28 (legacy)");
  CHECK(may_be(found, Cause::rounding_mode));  // 28 is even: this amount alone cannot tell
  // 1.5 % of 69.00 is 1.035 and of 85.00 1.275: to even that is 1.04 and 1.28, as half up.
  for (const auto& [amount, low, high] : {std::tuple{"69.00", "1.03", "1.04"}, {"85.00", "1.27", "1.28"}}) {
    const auto sure = classify(fee(amount, low, high));
    CHECK(sure.cause == Cause::float_tie);
    CHECK_FALSE(may_be(sure, Cause::rounding_mode));
  }
}

TEST_CASE("rounding mode: half even, where doubles would have rounded up") {
  // 2.5 % of 5.00 is 0.125, a double exactly, and 2.5 % of 13.00 is 0.325, whose double lies above.
  const auto found = classify(fee("13.00", "0.33", "0.32"));
  CHECK(found.cause == Cause::rounding_mode);
  CHECK_THAT(found.evidence, Catch::Contains("half up 0.33 (legacy), half even 0.32 (modern)"));
}

TEST_CASE("truncation: cut below the tie, and int(19.99 * 100)") {
  CHECK(label(fee("10.30", "0.26", "0.25")) == "truncation");  // 0.2575
  const auto found = classify(facts(R"({"amount":19.99})", R"({"booked":19.98})", R"({"booked":19.99})"));
  CHECK(found.cause == Cause::truncation);
  CHECK_THAT(found.evidence, Catch::Contains("cut after binary floating point 19.98 (legacy)"));
  CHECK(label(interest("31", "42.46", "10042.46", "42.47", "10042.47")) == "truncation");
}

TEST_CASE("fee tier: another rate, and a discount taken after rounding") {
  const auto rate = classify(fee("100.00", "2.50", "2.00", "vip"));
  CHECK(rate.cause == Cause::fee_tier);
  CHECK(rate.evidence == "of /amount 100.00 legacy takes 2.5 %: 2.50, modern 2 %: 2.00 (tier vip)");
  REQUIRE(rate.amount);
  CHECK(rate.amount->legacy_minus_modern == 50);
  CHECK(rate.amount->base == 10'000);
  CHECK(rate.amount->base_name == "amount");
  const auto order = classify(fee("10.20", "0.21", "0.20", "vip"));
  CHECK(order.cause == Cause::fee_tier);
  CHECK(order.evidence ==
        "legacy takes 2.5 % of /amount 10.20, rounds to 0.26, then 20 % off: 0.21; modern takes 2 %: 0.20 (tier vip)");
  CHECK(may_be(order, Cause::intermediate_precision));
  CHECK(label(fee("1000.00", "0.00", "25.00")) == "fee_tier");  // a threshold: > on one side, >= on the other
}

TEST_CASE("day count: 10,000 at 5 % over a month") {
  CHECK(label(interest("31", "42.47", "10042.47", "41.67", "10041.67")) == "day_count");
  CHECK(label(interest("31", "42.47", "10042.47", "43.06", "10043.06")) == "day_count");
  const auto found = classify(interest("31", "42.47", "10042.47", "42.35", "10042.35"));
  CHECK(found.cause == Cause::day_count);
  CHECK(found.evidence == "5 % of balance before 10000.00: 31/365 gives 42.47 (legacy), 31/366 gives 42.35 (modern)");
  CHECK(may_be(found, Cause::intermediate_precision));  // 31 times 1.37 is 42.47, too
  CHECK(label(interest("31", "41.67", "10041.67", "43.06", "10043.06")) == "day_count");
}

TEST_CASE("intermediate precision: rounded daily and rounded once") {
  const auto found = classify(interest("30", "0.30", "100.30", "0.41", "100.41"));
  CHECK(found.cause == Cause::intermediate_precision);
  CHECK(found.evidence ==
        "5 % of balance before 100.00 for 30/365: rounded once 0.41 (modern), rounded 30 times 0.01 = 0.30 (legacy)");
  CHECK(label(facts("{}", R"({"rate":0.5,"interest":42.4657534})", R"({"rate":0.5,"interest":42.47})")) ==
        "intermediate_precision");
}

TEST_CASE("the same rule on balances that differed before is no new cause") {
  CHECK(label(interest("31", "42.47", "10042.47", "43.32", "10243.32")) == "carried");
}

TEST_CASE("duplicate and missing postings, from transactions, deltas or balances") {
  auto twice =
      facts(R"({"amount":5.00})", R"({"amount":5.00,"balance":105.00})", R"({"amount":5.00,"balance":110.00})");
  twice.differences.clear();  // the balance is judged apart
  twice.balance_moved = 500;
  CHECK(label(twice) == "duplicate_posting");
  CHECK(may_be(classify(twice), Cause::missing_posting));  // one side twice, or the other not at all
  twice.posted[0] = {10'000, 500, std::nullopt};
  twice.posted[1] = {10'000, 1'000, std::nullopt};
  const auto sure = classify(twice);
  CHECK(sure.cause == Cause::duplicate_posting);
  CHECK(sure.alternatives.empty());
  CHECK(sure.evidence == "legacy posted 5.00, modern 10.00: 2 times as much on modern");
  twice.posted[1].delta = 0;
  CHECK(label(twice) == "missing_posting");
  twice.posted[0].transactions = 1;
  twice.posted[1] = {10'000, 1'000, 2};
  CHECK(classify(twice).evidence == "modern posted the exchange 2 times: 10.00 (legacy: 5.00)");
  twice.posted = {};
  twice.verdict = Verdict::missing_modern;
  CHECK(label(twice) == "missing_posting");
  auto hidden = facts(R"({"amount":100.00})", R"({"amount":100.00})", R"({"amount":100.00})");
  hidden.posted[0].delta = -10'250;
  hidden.posted[1].delta = -10'200;
  CHECK(label(hidden) == "fee_tier");  // charged, but stated nowhere
}

TEST_CASE("cut-off: the value date of a late evening") {
  auto late = facts("{}", R"({"value_date":"2023-11-14"})", R"({"value_date":"2023-11-15"})");
  late.event_time_us = 1'700'002'800'000'000;  // 2023-11-14 23:00 UTC
  CHECK(label(late) == "cut_off");
  CHECK_THAT(classify(late).evidence, Catch::Contains("at 23:00 UTC"));
  late.event_time_us -= 40 * 86'400'000'000;
  CHECK(label(late) == "unexplained");
  CHECK(may_be(classify(late), Cause::cut_off));
  CHECK(label(facts("{}", R"({"at":"2026-03-29T01:30:00Z"})", R"({"at":"2026-03-29T02:30:00Z"})")) == "cut_off");
  CHECK(label(facts("{}", R"({"at":"2026-03-29T01:30:00Z"})", R"({"at":"2026-03-29T01:30:07Z"})")) == "unexplained");
}

TEST_CASE("type and format: the same value in another spelling") {
  const std::vector<std::pair<const char*, const char*>> same{
      {"12.50", R"("12.50")"},
      {R"("EUR")", R"("eur")"},
      {R"("2026-03-04")", R"("04.03.2026")"},
      {R"("2026-03-04T10:00:00Z")", R"("2026-03-04T11:00:00+01:00")"},
      {"true", R"("true")"},
      {"null", R"("")"},
      {R"("1.10")", R"("1.1")"}};
  for (const auto& [legacy, modern] : same) {
    INFO(legacy << " and " << modern);
    CHECK(label(facts("{}", std::string(R"({"x":)") + legacy + "}", std::string(R"({"x":)") + modern + "}")) ==
          "type_format");
  }
  CHECK(label(facts("{}", R"({"x":null})", "{}")) == "type_format");
  CHECK(label(facts("{}", R"({"x":"a"})", R"({"x":"b"})")) == "unexplained");
}

TEST_CASE("statuses and orders") {
  auto split = facts("{}", R"({"fee":1.00})", R"({"title":"insufficient funds"})");
  split.differences.insert(split.differences.begin(), {DifferenceKind::status, "", "201", "422"});
  split.legacy_status = 201;
  split.modern_status = 422;
  CHECK(label(split) == "status");
  CHECK(classify(split).evidence == "legacy accepted with 201 what modern refused with 422");
  auto order = fee("19.00", "0.28", "0.29");
  order.overlap = true;
  CHECK(label(order) == "float_tie");  // overlapping explains nothing that arithmetic explains
  order.order_proof = "other predecessors: 3 and 4";
  CHECK(label(order) == "ordering");
  auto overlapped = fee("19.00", "0.28", "5.31");
  overlapped.overlap = true;
  CHECK(label(overlapped) == "unexplained");  // an order without proof is a guess
  CHECK(may_be(classify(overlapped), Cause::ordering));
}

TEST_CASE("what no rule gives stays unexplained") {
  CHECK(label(fee("103.70", "2.59", "2.71")) == "unexplained");
  CHECK(label(fee("103.70", "2.59", "2.60")) == "unexplained");  // a cent too much: no rounding of 2.5925 gives 2.60
  CHECK(label(facts(R"({"reference":"a"})", R"({"text":"x"})", R"({"text":"y"})")) == "unexplained");
  CHECK(label(facts("{}", "{}", "{}")) == "unexplained");
}

TEST_CASE("a rate that other exchanges proved keeps a wrong cent from looking like a rounding") {
  // 26 and 27 of 10.20 are 2.6 % cut and rounded, or 2.625 %; but the rate is 2.5 %.
  RateVotes votes;
  for (const auto amount : {10'000, 40'400, 77'700, 1'020, 99'900, 12'340, 500, 20'000, 31'900})
    votes.observe(amount, half_up({amount, 2, 2'500, 1, 1}));
  CHECK(votes.settled());
  CHECK(votes.supported().front() == 2'500);
  RateLookup known;
  known.votes = [&](Side, const std::string&, const std::string& base) -> const RateVotes* {
    return base == "/amount" ? &votes : nullptr;
  };
  CHECK(label(fee("10.00", "0.27", "0.28"), known) == "unexplained");  // 2.75 % cut, were 2.5 % not known
  CHECK(label(fee("10.00", "0.27", "0.28")) == "truncation");
  CHECK(label(fee("41.40", "1.04", "1.03"), known) == "float_tie");  // 1.035
  CHECK(label(fee("41.40", "1.04", "1.02"), known) == "unexplained");
  RateVotes restored;
  restored.restore(votes.total(), votes.votes());
  CHECK(restored.supported() == votes.supported());
}
