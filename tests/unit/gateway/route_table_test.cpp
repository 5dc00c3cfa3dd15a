#include "gateway/route_table.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::gateway;

namespace {
const char* kConfig = R"(
slices: [{name: payments}, {name: cards}]
gateway:
  legacy: {endpoints: ["http://127.0.0.1:1"]}
  modern: {endpoints: ["http://127.0.0.1:2"]}
  routes:
    - {name: transfers, slice: payments, match: {methods: [POST], path: /transfers}, key: {json: [/from, /to/id]}, shadow: dual}
    - {name: account, slice: payments, match: {path: "/accounts/{id}"}, key: {path: id}, shadow: dual}
    - {name: by-query, slice: cards, match: {methods: [GET], path: /cards}, key: {query: no}}
    - {name: by-header, slice: cards, match: {methods: [GET], path: "/pins/*"}, key: {header: X-Card}}
    - {name: write, slice: cards, match: {methods: [POST], path: /cards}}
)";

struct Fixture {
  config::Config config = config::parse(kConfig, "test").value();
  RouteTable table{config.gateway, config.slices};
  std::string text;
  RequestHead head;

  const Route& parse(const std::string& method, const std::string& target, const std::string& fields = "") {
    text = method + " " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    REQUIRE_FALSE(parse_request_head(text, head));
    return table.match(head.method, head.target);
  }
  ExtractedKeys keys(const std::string& method, const std::string& target, const std::string& body,
                     const std::string& fields = "") {
    const Route& route = parse(method, target, fields);
    return RouteTable::keys_of(route, head, body, 16);
  }
};
}  // namespace

TEST_CASE_METHOD(Fixture, "the first route that matches wins; what matches none is unmatched") {
  CHECK(parse("POST", "/transfers").name == "transfers");
  CHECK(parse("POST", "/transfers?x=1").name == "transfers");
  CHECK(parse("GET", "/transfers").is_unmatched);
  CHECK(parse("GET", "/accounts/7").name == "account");
  CHECK(parse("GET", "/accounts/7/x").is_unmatched);
  CHECK(parse("GET", "/accounts/").is_unmatched);
  CHECK(parse("GET", "/accounts").is_unmatched);
  CHECK(parse("GET", "/pins/a/b").name == "by-header");
  CHECK(parse("GET", "/pins").is_unmatched);
  CHECK(table.may_leave_shadow(0));
  CHECK_FALSE(table.may_leave_shadow(1));  // POST /cards is not shadowed
}

TEST_CASE_METHOD(Fixture, "keys come from path, body, header and query") {
  CHECK(keys("GET", "/accounts/7", "").keys == std::vector<BusinessKey>{"7"});
  CHECK(keys("POST", "/transfers", R"({"x":[{"from":9}],"from":1,"to":{"id":"2"}})").keys ==
        std::vector<BusinessKey>{"1", "2"});
  CHECK(keys("POST", "/transfers", R"({"from":1,"to":{"id":1}})").keys == std::vector<BusinessKey>{"1"});
  CHECK(keys("GET", "/cards?a=1&no=5", "").keys == std::vector<BusinessKey>{"5"});
  CHECK(keys("GET", "/pins/x", "", "X-Card: 9\r\n").keys == std::vector<BusinessKey>{"9"});
  CHECK(keys("POST", "/cards", "{}").state == KeyState::none_configured);
  CHECK(keys("GET", "/accounts/%37", "").keys == std::vector<BusinessKey>{"7"});
  CHECK(keys("GET", "/cards?n%6F=%35", "").keys == std::vector<BusinessKey>{"5"});
  CHECK(keys("GET", "/accounts/7%3", "").state == KeyState::unavailable);
}

TEST_CASE_METHOD(Fixture, "a key that is missing, repeated or unreadable makes all of them unavailable") {
  for (const char* body :
       {"", "{}", R"({"from":1})", R"({"from":1,"from":2,"to":{"id":3}})", R"({"from":1,"to":{"id":null}})",
        R"({"from":{},"to":{"id":1}})", R"({"from":1,"to":{"id":2})", "not json", R"({"from":"","to":{"id":2}})",
        R"({"from":1.0,"to":{"id":2}})", R"({"from":"*","to":{"id":2}})", R"({"from":1,"to":{"id":2},"to":{}})",
        R"({"from":1,"to":{},"to":{"id":2}})", R"({"from":1,"to":3,"to":{"id":2}})"}) {
    INFO(body);
    const auto extracted = keys("POST", "/transfers", body);
    CHECK(extracted.state == KeyState::unavailable);
    CHECK(extracted.keys.empty());
  }
  const std::string whole = R"({"from":1,"to":{"id":2}})";
  CHECK(keys("POST", "/transfers", whole).state == KeyState::available);
  CHECK(keys("POST", "/transfers", whole + std::string(1, '\0')).state == KeyState::unavailable);
  for (const char* target : {"/cards?no=1&no=2", "/cards?no=1&n%6f=2", "/cards?no&no=1", "/cards?no=1&no"}) {
    INFO(target);
    CHECK(keys("GET", target, "").state == KeyState::unavailable);
  }
  CHECK(keys("GET", "/pins/x", "", "X-Card: 1\r\nX-Card: 2\r\n").state == KeyState::unavailable);
  std::string deep(100'000, '[');
  CHECK(keys("POST", "/transfers", deep).state == KeyState::unavailable);
}
