#include "arbiter/response_differ.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/exchange_builder.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using phoenix::test::json_leg;
using Outcome = ResponseDifference::Outcome;

namespace {

ResponseDifference compare(const std::string& legacy, const std::string& modern,
                           const config::CompareConfig& config = {}) {
  return compare_responses(json_leg(200, legacy), json_leg(200, modern), CompareRules::from_config(config),
                           {"balance_after"});
}

}  // namespace

TEST_CASE("numbers are compared exactly, from their text") {
  CHECK(compare(R"({"a":1.10})", R"({"a":1.1})").outcome == Outcome::equal);
  CHECK(compare(R"({"a":100})", R"({"a":1e2})").outcome == Outcome::equal);
  // Equal as doubles, different as money.
  CHECK(compare(R"({"a":9007199254740993.01})", R"({"a":9007199254740993.02})").outcome == Outcome::different);
  CHECK(compare(R"({"a":0.1})", R"({"a":0.1000000000000000055})").outcome == Outcome::different);
  CHECK(compare(R"({"a":"1.10"})", R"({"a":"1.1"})").outcome == Outcome::different);
  CHECK(compare(R"({"a":1})", R"({"a":"1"})").outcome == Outcome::different);
}

TEST_CASE("members in any order, arrays by position") {
  CHECK(compare(R"({"a":1,"b":[1,2]})", R"({ "b" : [1, 2], "a" : 1 })").outcome == Outcome::equal);
  const auto swapped = compare(R"({"b":[1,2]})", R"({"b":[2,1]})");
  CHECK(swapped.outcome == Outcome::different);
  CHECK(swapped.same_apart_from_order);
  CHECK_FALSE(compare(R"({"b":[1,2]})", R"({"b":[2,2]})").same_apart_from_order);
}

TEST_CASE("differences name their path and both values") {
  const auto result = compare(R"({"fee":0.26,"x":{"y":[true,null]}})", R"({"fee":0.21,"x":{"y":[false,null]},"z":1})");
  REQUIRE(result.values.size() == 3);
  CHECK(result.values[0] == ValueDifference{DifferenceKind::value, "/fee", "0.26", "0.21"});
  CHECK(result.values[1] == ValueDifference{DifferenceKind::value, "/x/y/0", "true", "false"});
  CHECK(result.values[2] == ValueDifference{DifferenceKind::extra, "/z", "absent", "1"});
  CHECK(result.summary() ==
        "/fee: legacy 0.26, modern 0.21; /x/y/0: legacy true, modern false; /z: legacy absent, modern 1");
}

TEST_CASE("many differences are counted, not all listed") {
  std::string legacy = "[0", modern = "[1";
  for (int i = 0; i < 99; ++i) {
    legacy += ",0";
    modern += ",1";
  }
  const auto result = compare(legacy + "]", modern + "]");
  CHECK(result.values.size() == ResponseDifference::kMaxReported);
  CHECK(result.not_reported == 100 - ResponseDifference::kMaxReported);
}

TEST_CASE("ignored paths may hold anything or be absent") {
  const config::CompareConfig ignore{{"/id", "/lines/*/at", "/m~1n"}, ""};
  CHECK(compare(R"({"id":1,"lines":[{"at":1,"v":2}],"m/n":1})", R"({"lines":[{"at":2,"v":2}],"m/n":2})", ignore)
            .outcome == Outcome::equal);
  const auto other = compare(R"({"id":1,"lines":[{"at":1,"v":2}]})", R"({"id":2,"lines":[{"at":2,"v":3}]})", ignore);
  REQUIRE(other.values.size() == 1);
  CHECK(other.values[0].path == "/lines/0/v");
}

TEST_CASE("the balance is handed out instead of compared") {
  const config::CompareConfig rules{{}, "/balance_after"};
  const auto result = compare(R"({"balance_after":10.00})", R"({"balance_after":9.5})", rules);
  CHECK(result.outcome == Outcome::equal);
  CHECK(result.legacy_balance->to_string() == Decimal::parse("10")->to_string());
  CHECK(result.modern_balance->to_string() == Decimal::parse("9.5")->to_string());
  // Stated on one side only: that is a difference.
  CHECK(compare(R"({"balance_after":10.00})", R"({})", rules).outcome == Outcome::different);
  CHECK(compare(R"({"balance_after":null})", R"({"balance_after":9.5})", rules).outcome == Outcome::different);
}

TEST_CASE("statuses must agree") {
  const auto result = compare_responses(json_leg(200, "{}"), json_leg(422, "{}"), {});
  CHECK(result.outcome == Outcome::different);
  CHECK(result.summary() == "status: legacy 200, modern 422");
}

TEST_CASE("what is not JSON on both sides is compared by the whole body's hash") {
  auto legacy = json_leg(200, "plain 1.10"), modern = json_leg(200, "plain 1.1");
  legacy.headers = modern.headers = {{"content-type", "text/plain"}};
  CHECK(compare_responses(legacy, modern, {}).outcome == Outcome::different);
  CHECK(compare_responses(legacy, legacy, {}).outcome == Outcome::equal);
  CHECK(compare("{\"a\":1", "{\"a\":1").outcome == Outcome::equal);  // broken alike
  CHECK(compare("{\"a\":1", "{\"a\":1}").outcome == Outcome::different);
  CHECK(compare(R"({"a":1,"a":2})", R"({"a":2})").outcome == Outcome::different);  // a member twice is no document
}

TEST_CASE("bodies cut short: equal by hash, otherwise undecided where a rule could excuse it") {
  auto legacy = json_leg(200, R"({"id":1,"lo)"), modern = json_leg(200, R"({"id":2,"lo)");
  legacy.truncated = modern.truncated = true;
  CHECK(compare_responses(legacy, modern, {}).outcome == Outcome::different);
  CHECK(compare_responses(legacy, modern, CompareRules::from_config({{"/id"}, ""})).outcome == Outcome::undecided);
  CHECK(compare_responses(legacy, modern, CompareRules::from_config({{}, "/b"})).outcome == Outcome::undecided);
  modern.body_hash = legacy.body_hash;
  modern.body_bytes = legacy.body_bytes;
  CHECK(compare_responses(legacy, modern, CompareRules::from_config({{"/id"}, ""})).outcome == Outcome::equal);
}

TEST_CASE("a body that was not read to its end proves nothing, whatever its hash; statuses still count") {
  for (const bool same : {true, false}) {
    for (const std::string type : {"application/json", "text/plain"}) {
      auto legacy = json_leg(200, R"({"a":1})");
      auto modern = json_leg(200, same ? legacy.body : R"({"a":2})");
      legacy.headers = modern.headers = {{"Content-Type", type}};
      modern.cut = true;
      const auto result = compare_responses(legacy, modern, {});
      CHECK(result.outcome == Outcome::undecided);
      CHECK_THAT(result.summary(), Catch::Contains("modern's body was longer than the gateway reads"));
      modern.status = 500;
      CHECK(compare_responses(legacy, modern, {}).outcome == Outcome::different);
    }
  }
}

TEST_CASE("what stands behind a NUL byte is compared too") {
  const std::string first("{\"a\":1}\0one", 11), second("{\"a\":1}\0two", 11);
  CHECK(compare(first, second).outcome == Outcome::different);
  CHECK(compare(first, first).outcome == Outcome::equal);
}

TEST_CASE("a summary is one line, whatever names and values hold") {
  const auto result = compare(R"({"a\nb":"x\ny"})", R"({"a\nb":"\u007f"})");
  CHECK(result.summary() == R"(/a\u000ab: legacy "x\u000ay", modern "\u007f")");
  std::string accents;
  for (int i = 0; i < 60; ++i) accents += "\xc3\xa9";
  CHECK(compare("\"" + accents + "\"", "1").values.at(0).legacy.ends_with("\xc3\xa9...\""));
}

TEST_CASE("hostile documents do not exhaust the stack") {
  const std::string deep(100'000, '[');
  CHECK(compare(deep, deep + "1").outcome == Outcome::different);
  std::string huge = "1" + std::string(5'000, '0');
  CHECK(compare("[" + huge + "]", "[" + huge + "]").outcome == Outcome::equal);
  CHECK(compare("[" + huge + "]", "[1e5000]").outcome == Outcome::different);
}

TEST_CASE("a statement listed in another order is the same apart from order and running balances") {
  const config::CompareConfig rules{{"/lines/*/id"}, ""};
  const auto result =
      compare(R"({"lines":[{"id":1,"amount":1.0,"balance_after":11},{"id":2,"amount":2,"balance_after":13}]})",
              R"({"lines":[{"id":8,"amount":2,"balance_after":12},{"id":9,"amount":1,"balance_after":13}]})", rules);
  CHECK(result.outcome == Outcome::different);
  CHECK(result.same_apart_from_order);
}
