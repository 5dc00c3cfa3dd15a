#include "arbiter/compare_rules.hpp"

#include "arbiter/response_differ.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/exchange_builder.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using config::Normaliser;
using phoenix::test::json_leg;
using Outcome = ResponseDifference::Outcome;
using Kinds = std::vector<std::pair<std::string, std::string>>;  // kind, path

namespace {

ResponseDifference compare(const std::string& legacy, const std::string& modern, const config::CompareConfig& config) {
  return compare_responses(json_leg(200, legacy), json_leg(200, modern), CompareRules::from_config(config));
}

Kinds kinds(const ResponseDifference& result) {
  Kinds list;
  for (const auto& value : result.values) list.emplace_back(to_string(value.kind), value.path);
  return list;
}

bool same(Normaliser normaliser, const std::string& a, const std::string& b) {
  const auto left = normal_form(normaliser, a), right = normal_form(normaliser, b);
  return left && right && *left == *right;
}

}  // namespace

TEST_CASE("a timestamp is its instant, however it is written") {
  const auto equal = [](const char* a, const char* b) { return same(Normaliser::timestamp, a, b); };
  CHECK(equal("2026-03-01T00:30:00+01:00", "2026-02-28T23:30:00Z"));
  CHECK(equal("2026-02-28 23:30:00.500z", "2026-02-28T23:30:00.5-00:00"));
  CHECK(equal("2026-02-28T23:30:00.000Z", "2026-02-28T23:30:00Z"));
  CHECK_FALSE(equal("2026-02-28T23:30:00.0000000001Z", "2026-02-28T23:30:00Z"));
  CHECK_FALSE(equal("2026-02-28T23:30:00Z", "2026-02-28T23:30:01Z"));
  for (const char* text : {"2026-02-28T23:30:00", "2026-02-28", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
                           "2026-02-28T24:00:00Z", "2026-02-28T23:59:60Z", "2026-02-28T23:30:00.Z", "1767225600",
                           "2026-02-28T23:30:00Zx", "2026-02-28T23:30:00+1:00", "2026-02-28T23:30:00+24:00", ""}) {
    INFO(text);
    CHECK_FALSE(normal_form(Normaliser::timestamp, text));
  }
}

TEST_CASE("a UUID is its 128 bits") {
  const std::string plain = "01a1fb81-f1d2-7c59-8aac-c87105e20114";
  for (const char* text : {"01A1FB81-F1D2-7C59-8AAC-C87105E20114", "{01a1fb81-f1d2-7c59-8aac-c87105e20114}",
                           "urn:uuid:01a1fb81-f1d2-7c59-8aac-c87105e20114", "01a1fb81f1d27c598aacc87105e20114"}) {
    INFO(text);
    CHECK(same(Normaliser::uuid, plain, text));
  }
  CHECK_FALSE(same(Normaliser::uuid, plain, "01a1fb81-f1d2-7c59-8aac-c87105e20115"));
  for (const char* text : {"01a1fb81-f1d2-7c59-8aac-c87105e2011", "01a1fb81f-1d2-7c59-8aac-c87105e20114",
                           "g1a1fb81-f1d2-7c59-8aac-c87105e20114", "{01a1fb81f1d27c598aacc87105e20114", ""}) {
    INFO(text);
    CHECK_FALSE(normal_form(Normaliser::uuid, text));
  }
}

TEST_CASE("case is that of ASCII letters, numbers are exact decimals") {
  CHECK(same(Normaliser::letter_case, "Open", "OPEN"));
  CHECK_FALSE(same(Normaliser::letter_case, "\xc3\x84", "\xc3\xa4"));
  CHECK(same(Normaliser::number, "1.10", "1.1"));
  CHECK(same(Normaliser::number, "1e2", "100.0"));
  CHECK_FALSE(same(Normaliser::number, "9007199254740993.01", "9007199254740993.02"));
  CHECK_FALSE(normal_form(Normaliser::number, "1,000.00"));
  CHECK_FALSE(normal_form(Normaliser::number, "NaN"));
}

TEST_CASE("a normaliser excuses its own path alone, and only what it can read") {
  config::CompareConfig rules;
  rules.normalise = {{"/at", Normaliser::timestamp}, {"/lines/*/fee", Normaliser::number}};
  CHECK(compare(R"({"at":"2026-01-01T00:00:00Z"})", R"({"at":"2026-01-01T01:00:00+01:00"})", rules).outcome ==
        Outcome::equal);
  CHECK(compare(R"({"lines":[{"fee":"1.10"}]})", R"({"lines":[{"fee":1.1}]})", rules).outcome == Outcome::equal);
  CHECK(kinds(compare(R"({"lines":[{"fee":"1.10"}]})", R"({"lines":[{"fee":1.2}]})", rules)) ==
        Kinds{{"type", "/lines/0/fee"}});
  CHECK(kinds(compare(R"({"at":"yesterday"})", R"({"at":"2026-01-01T00:00:00Z"})", rules)) == Kinds{{"value", "/at"}});
  CHECK(kinds(compare(R"({"at":"2026-01-01T00:00:00Z"})", "{}", rules)) == Kinds{{"missing", "/at"}});
  CHECK(kinds(compare(R"({"at":null})", R"({"at":"2026-01-01T00:00:00Z"})", rules)) == Kinds{{"type", "/at"}});
  CHECK(kinds(compare(R"({"on":"2026-01-01T00:00:00Z"})", R"({"on":"2026-01-01T01:00:00+01:00"})", rules)) ==
        Kinds{{"value", "/on"}});
}

TEST_CASE("a tolerance is an exact bound") {
  config::CompareConfig rules;
  rules.tolerance = {{"/rate", "0.01"}};
  const auto outcome = [&](const std::string& a, const std::string& b) {
    return compare("{\"rate\":" + a + "}", "{\"rate\":" + b + "}", rules).outcome;
  };
  CHECK(outcome("0.29", "0.30") == Outcome::equal);
  CHECK(outcome("-0.005", "0.005") == Outcome::equal);
  CHECK(outcome("0.29", "0.300000000000000001") == Outcome::different);
  CHECK(outcome("\"0.29\"", "\"0.30\"") == Outcome::equal);
  CHECK(outcome("0.29", "\"0.30\"") == Outcome::different);  // another type
  CHECK(outcome("1e300", "1e300") == Outcome::equal);
  CHECK(outcome("1e300", "1e301") == Outcome::different);  // not to be computed: the difference stays
  CHECK(outcome("123456789012345678901234567890123456", "0.000000000000000001") == Outcome::different);
  CHECK(outcome("true", "false") == Outcome::different);
  CHECK(outcome("null", "0") == Outcome::different);
}

TEST_CASE("an unordered array is a multiset of its elements, rules applied") {
  config::CompareConfig rules;
  rules.unordered = {"/tags"};
  rules.ignore = {"/tags/*/at"};
  rules.normalise = {{"/tags/*/id", Normaliser::letter_case}};
  CHECK(compare(R"({"tags":[{"id":"A","at":1},{"id":"b"}]})", R"({"tags":[{"id":"B"},{"id":"a","at":2}]})", rules)
            .outcome == Outcome::equal);
  CHECK(kinds(compare(R"({"tags":[1,1,2]})", R"({"tags":[2,1,2]})", rules)) ==
        Kinds{{"missing", "/tags/0"}, {"extra", "/tags/0"}});
  CHECK(kinds(compare(R"({"tags":[1,2]})", R"({"tags":[2]})", rules)) == Kinds{{"missing", "/tags/0"}});
  CHECK(kinds(compare(R"({"tags":[[1,2]]})", R"({"tags":[[2,1]]})", rules)).size() == 2);  // not the arrays within
  CHECK(kinds(compare(R"({"tags":[1]})", R"({"tags":{}})", rules)) == Kinds{{"type", "/tags"}});
}

TEST_CASE("a keyed array is joined by a member, or not at all") {
  config::CompareConfig rules;
  rules.keyed = {{"/lines", "sku"}};
  rules.tolerance = {{"/lines/*/rate", "0.1"}};
  CHECK(compare(R"({"lines":[{"sku":"a","rate":1.0},{"sku":"b","rate":2}]})",
                R"({"lines":[{"sku":"b","rate":2.1},{"sku":"a","rate":1}]})", rules)
            .outcome == Outcome::equal);
  CHECK(kinds(compare(R"({"lines":[{"sku":1,"n":1},{"sku":2,"n":2}]})", R"({"lines":[{"sku":3},{"sku":1.0,"n":2}]})",
                      rules)) ==
        Kinds{{"value", "/lines/sku=1/n"}, {"missing", "/lines/sku=2"}, {"extra", "/lines/sku=3"}});
  // Text and number are no one key, two elements of one key are none, and neither is an element without it.
  CHECK(kinds(compare(R"({"lines":[{"sku":"1"}]})", R"({"lines":[{"sku":1}]})", rules)).size() == 2);
  const auto twice = compare(R"({"lines":[{"sku":1,"n":1},{"sku":1,"n":2}]})",
                             R"({"lines":[{"sku":1,"n":3},{"sku":1,"n":4}]})", rules);
  CHECK(kinds(twice) == Kinds{{"value", "/lines/0/n"}, {"value", "/lines/1/n"}});
  CHECK(kinds(compare(R"({"lines":[{"n":1}]})", R"({"lines":[{"n":2}]})", rules)) == Kinds{{"value", "/lines/0/n"}});
}

TEST_CASE("elements in another order are one difference, by name") {
  const auto result = compare(R"({"b":[1,{"x":2},3]})", R"({"b":[3,1,{"x":2.0}]})", {});
  CHECK(kinds(result) == Kinds{{"order", "/b"}});
  CHECK(result.summary() == "/b: the same elements in another order");
  CHECK(result.same_apart_from_order);
  CHECK(kinds(compare(R"([1,2,3])", R"([2,1,4])", {})).size() == 3);
}

TEST_CASE("the headers that matter, and classes of statuses") {
  config::CompareConfig config;
  config.headers = {"Location", "ETag"};
  auto legacy = json_leg(201, "{}"), modern = json_leg(200, "{}");
  legacy.headers.insert(legacy.headers.end(), {{"location", "/a"}, {"X-Other", "1"}});
  modern.headers.insert(modern.headers.end(), {{"LOCATION", "/b"}, {"etag", "\"1\""}});
  const auto result = compare_responses(legacy, modern, CompareRules::from_config(config));
  CHECK(kinds(result) == Kinds{{"status", ""}, {"header", "Location"}, {"header", "ETag"}});
  CHECK(result.summary() ==
        "status: legacy 201, modern 200; header Location: legacy \"/a\", modern \"/b\"; header ETag: legacy absent, "
        "modern \"\"1\"\"");
  config = {};
  config.status_class = true;
  CHECK(compare_responses(legacy, modern, CompareRules::from_config(config)).outcome == Outcome::equal);
  modern.status = 404;
  CHECK(compare_responses(legacy, modern, CompareRules::from_config(config)).outcome == Outcome::different);
}

TEST_CASE("a header that the gateway blotted out proves nothing, unless something else differs") {
  config::CompareConfig config;
  config.headers = {"Set-Cookie"};
  auto legacy = json_leg(200, R"({"a":1})"), modern = legacy;
  legacy.headers.emplace_back("set-cookie", "(redacted)");
  modern.headers.emplace_back("Set-Cookie", "(redacted)");
  const auto result = compare_responses(legacy, modern, CompareRules::from_config(config));
  CHECK(result.outcome == Outcome::undecided);
  CHECK(result.summary() == "header Set-Cookie is redacted");
  modern.body = R"({"a":2})";
  CHECK(compare_responses(legacy, modern, CompareRules::from_config(config)).outcome == Outcome::different);
  CHECK(compare_responses(legacy, legacy, {}).outcome == Outcome::equal);
}

TEST_CASE("a body captured in part is undecided where any rule might excuse it") {
  auto legacy = json_leg(200, R"({"a":1)"), modern = json_leg(200, R"({"a":2)");
  legacy.truncated = modern.truncated = true;
  for (const auto& change :
       std::vector<std::function<void(config::CompareConfig&)>>{[](auto& c) {
                                                                  c.normalise = {{"/a", Normaliser::number}};
                                                                },
                                                                [](auto& c) {
                                                                  c.tolerance = {{"/a", "1"}};
                                                                },
                                                                [](auto& c) { c.unordered = {"/a"}; },
                                                                [](auto& c) {
                                                                  c.keyed = {{"/a", "id"}};
                                                                }}) {
    config::CompareConfig config;
    change(config);
    CHECK(compare_responses(legacy, modern, CompareRules::from_config(config)).outcome == Outcome::undecided);
  }
  config::CompareConfig config;
  config.headers = {"ETag"};
  CHECK(compare_responses(legacy, modern, CompareRules::from_config(config)).outcome == Outcome::different);
}
