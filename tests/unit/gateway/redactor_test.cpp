// What is taken out of heads, targets and bodies, what stays as it was, and what a hash may tell.
#include "gateway/redactor.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gateway/json_text.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::gateway;
using Catch::Contains;

namespace {

const std::string kKey = "0123456789abcdef";
const KeyedHash kHash(kKey);

std::string hidden(std::string_view value) {
  return kHash.redacted(value);
}
/// Of a string in a JSON body.
std::string quoted(std::string_view value) {
  return '"' + hidden(value) + '"';
}

Redactor redactor(std::vector<std::string> json, std::vector<std::string> query = {},
                  std::vector<std::string> headers = {}) {
  return Redactor({kKey, std::move(headers), std::move(json), std::move(query)});
}

using Headers = BasicHeaderList<std::string_view>;

struct Published {
  std::string text;
  bool truncated;
  std::uint64_t hash;
};
constexpr std::uint64_t kBodyHash = 77;

Published publish(const Redactor& with, std::string text, bool truncated = false, std::string_view type = "") {
  Published out{std::move(text), truncated, kBodyHash};
  with.body({out.text, out.truncated, out.hash}, type);
  return out;
}
std::string target_of(const Redactor& with, std::string_view target) {
  ReplacedTexts replaced;
  return std::string(with.target(target, replaced));
}
const Redactor kCards =
    redactor({"/pan", "/card/number", "/items/*/pan", "/a~1b/~0", "/list/1", "/*/secret", "/0/pan"});
std::string text_of(std::string body, bool truncated = false) {
  return publish(kCards, std::move(body), truncated).text;
}

}  // namespace

TEST_CASE("the keyed hash is HMAC-SHA256 (RFC 4231, cases 2 and 6)") {
  CHECK(KeyedHash("Jefe").redacted("what do ya want for nothing?") == "(redacted:5bdcc146bf60754e6a042426089575c7)");
  CHECK(KeyedHash(std::string(131, '\xaa')).redacted("Test Using Larger Than Block-Size Key - Hash Key First") ==
        "(redacted:60e431591ee0b67f0d8a26aacbf5b77f)");
  CHECK(kHash.rehashed(0) == 0);
  CHECK(kHash.rehashed(1) != kHash.rehashed(2));
  CHECK(kHash.rehashed(1) != KeyedHash("another key 0123").rehashed(1));
}

TEST_CASE("what was hashed before changes no hash: other texts, another key") {
  const KeyedHash another("another key 0123");
  const auto hex = [](const KeyedHash& hash, const std::string& text) {
    const auto digest = hash.digest(text);
    return fmt::format("(redacted:{:02x})", fmt::join(digest.begin(), digest.begin() + 16, ""));
  };
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 2'000; ++i) {  // more than a thread remembers
      const std::string text = fmt::format("Bearer {}", i);
      REQUIRE(kHash.redacted(text) == hex(kHash, text));
      REQUIRE(kHash.redacted(text) == hex(kHash, text));
      REQUIRE(another.redacted(text) == hex(another, text));
    }
  }
}

TEST_CASE("headers: credentials always, others when they are named; equal values stay equal") {
  RequestHead head;
  const std::string text =
      "GET / HTTP/1.1\r\nHost: a\r\nAUTHORIZATION: Bearer x\r\nCookie: a=1\r\nCookie: a=1\r\nX-Api-Key: k\r\n"
      "Proxy-Authorization: p\r\nSet-Cookie: s\r\nAccept: */*\r\n\r\n";
  REQUIRE_FALSE(parse_request_head(text, head));
  ReplacedTexts replaced;
  Headers headers;
  redactor({}).headers(head, headers, replaced);
  const HeaderList plain(headers.begin(), headers.end());
  const HeaderList expected{
      {"Host", "a"},      {"AUTHORIZATION", hidden("Bearer x")}, {"Cookie", hidden("a=1")},   {"Cookie", hidden("a=1")},
      {"X-Api-Key", "k"}, {"Proxy-Authorization", hidden("p")},  {"Set-Cookie", hidden("s")}, {"Accept", "*/*"}};
  CHECK(plain == expected);
  redactor({}, {}, {"x-api-key"}).headers(head, headers, replaced);
  CHECK(headers.size() == expected.size());
  CHECK(headers[4].second == hidden("k"));
}

TEST_CASE("query parameters are found as servers find them") {
  const Redactor with = redactor({}, {"token", "a b"});
  CHECK(target_of(with, "/x?a=1&token=abc&b=2") == "/x?a=1&token=" + hidden("abc") + "&b=2");
  CHECK(target_of(with, "/x?tok%65n=a%62c") == "/x?tok%65n=" + hidden("abc"));
  CHECK(target_of(with, "/x?a+b=1+2&a%20b=") == "/x?a+b=" + hidden("1 2") + "&a%20b=" + hidden(""));
  CHECK(target_of(with, "/x?token=1&token=2") == "/x?token=" + hidden("1") + "&token=" + hidden("2"));
  CHECK(target_of(with, "/x?a=1;token=b;c=d&e=f") == "/x?a=1;token=" + hidden("b;c=d") + "&e=f");
  CHECK(target_of(with, "/x?token=a;b") == "/x?token=" + hidden("a;b"));
  CHECK(target_of(with, "/x?token=a=b%zz") == "/x?token=" + hidden("a=b%zz"));
  for (const char* same : {"/x", "/x?", "/x?token", "/x?tokens=1&atoken=2&Token=3", "/token=1", "/x?&&", "*"})
    CHECK(target_of(with, same) == same);
  CHECK(target_of(redactor({"/pan"}), "/x?token=abc") == "/x?token=abc");
}

TEST_CASE("JSON: what stands at a pointer is replaced, every other byte stays") {
  CHECK(text_of(R"( { "pan" :  "4111" , "x":[ 1.50 ] } )") ==
        R"( { "pan" :  )" + quoted("4111") + R"( , "x":[ 1.50 ] } )");
  CHECK(text_of(R"({"card":{"number":"1","cvc":"2"}})") == R"({"card":{"number":)" + quoted("1") + R"(,"cvc":"2"}})");
  CHECK(text_of(R"({"items":[{"pan":"1"},{"pin":"2"},{"pan":"3"}]})") ==
        R"({"items":[{"pan":)" + quoted("1") + R"(},{"pin":"2"},{"pan":)" + quoted("3") + "}]}");
  CHECK(text_of(R"({"a/b":{"~":"x"},"list":["0","1","2"]})") ==
        R"({"a/b":{"~":)" + quoted("x") + R"(},"list":["0",)" + quoted("1") + R"(,"2"]})");
  CHECK(text_of(R"({"any":{"secret":"s"}})") == R"({"any":{"secret":)" + quoted("s") + "}}");
  CHECK(text_of(R"([{"pan":"1"},{"pan":"2"}])") == R"([{"pan":)" + quoted("1") + R"(},{"pan":"2"}])");
  CHECK(text_of("\xef\xbb\xbf{\"pan\":\"1\"}") == "\xef\xbb\xbf{\"pan\":" + quoted("1") + "}");
  for (const char* same : {R"({"card":"4111","items":{"pan":1},"list":{"2":3}})", "[]", "{}", "12", "\"pan\"", "null"})
    CHECK(text_of(same) == same);
}

TEST_CASE("JSON: repeated members and escaped names hide nothing") {
  CHECK(text_of(R"({"pan":"1","pan":"2","p\u0061n":"3"})") ==
        R"({"pan":)" + quoted("1") + R"(,"pan":)" + quoted("2") + R"(,"p\u0061n":)" + quoted("3") + "}");
  CHECK(text_of(R"({"a\/b":{"~":"x"}})") == R"({"a\/b":{"~":)" + quoted("x") + "}}");
  // The hash is that of what the string says, however it is written.
  CHECK(text_of(R"({"pan":"4\u00311\u0031"})") == R"({"pan":)" + quoted("4111") + "}");
  CHECK(text_of(R"({"pan":"\ud83d\ude00\n"})") == R"({"pan":)" + quoted("\xf0\x9f\x98\x80\n") + "}");
}

TEST_CASE("JSON: whatever stands in the place of a field goes as a whole, and equal values stay equal") {
  const auto at_pan = [](const std::string& value) { return text_of("{\"pan\":" + value + "}"); };
  for (const char* value : {"4111", "-0.5e3", "true", "null", "[\"4111\"]", R"({"deep":{"pan":"4111"}})", "[]", "{}"}) {
    CHECK_THAT(at_pan(value), Contains("(redacted:") && !Contains("4111") && !Contains("deep"));
    CHECK(nlohmann::json::accept(at_pan(value)));
  }
  CHECK(at_pan("1.10") == at_pan("1.1"));
  CHECK(at_pan("4111") != at_pan("\"4111\""));
  CHECK(at_pan("null") != at_pan("\"null\""));
  CHECK(at_pan(R"({"a":1,"b":[1,"x"]})") == at_pan(R"({ "b" : [ 1.0 , "\u0078" ] , "a" : 1e0 })"));
  CHECK(at_pan(R"({"a":1,"b":2})") != at_pan(R"({"a":2,"b":1})"));
  CHECK(at_pan("[1,2]") != at_pan("[2,1]"));
  CHECK(at_pan("[12]") != at_pan("[1,2]"));
}

TEST_CASE("a capture that was cut loses the field that the cut went through, at every byte") {
  const std::string body = R"({"id":"é","items":[{"pan":"4111"},{"pan":[{"x":5500}]}],"pan":42424242,"t":true})";
  const std::string whole = text_of(body);
  for (std::size_t cut = 0; cut <= body.size(); ++cut) {
    INFO(cut);
    const Published out = publish(kCards, body.substr(0, cut), true);
    CHECK(whole.starts_with(out.text));
    CHECK(out.truncated);
    CHECK(out.hash == kHash.rehashed(kBodyHash));
  }
  CHECK(text_of(R"({"x":1,"pan":41)", true) == R"({"x":1,"pan":)");
  CHECK(text_of(R"({"x":1,"pan":"41)", true) == R"({"x":1,"pan":)");
  CHECK(text_of(R"({"x":"41)", true) == R"({"x":"41)");
}

TEST_CASE("of a body that is not JSON nothing is left where there are rules for JSON") {
  const std::string deep = std::string(129, '[') + std::string(129, ']');
  for (const std::string& body :
       {std::string("pan=4111"), std::string("{\"pan\":\"4111\"} x"), std::string("{\"pan\":\"4111\""),
        std::string("{'pan':'4111'}"), std::string("{\"pan\":4111,}"), std::string("\x1f\x8b\x08 4111"),
        std::string("{\"a\":\"\n\",\"pan\":4111}"), std::string("{\"pan\":04111}"), std::string("[1,,2]"),
        std::string("{\"a\":\"\\x\"}"), std::string("{\"a\":1}\0{\"pan\":1}", 17), std::string(" "), deep,
        std::string("{\"a\":tru}"), std::string("{\"a\":-}"), std::string("{\"a\":1.}"),
        std::string("{\"a\":\"\\u12\"}")}) {
    INFO(body);
    for (const char* type : {"", "application/json", "text/html", "application/x-www-form-urlencoded"}) {
      const Published out = publish(kCards, body, false, type);
      CHECK(out.text.empty());
      CHECK(out.truncated);
      CHECK(out.hash == kHash.rehashed(kBodyHash));
    }
  }
  CHECK(publish(kCards, "pan=4111", true).text.empty());  // also where it was cut
  const Published empty = publish(kCards, "");
  CHECK((empty.text.empty() && !empty.truncated && empty.hash == kBodyHash));
}

TEST_CASE("a hash that anybody can compute is published only for a body that is shown as a whole") {
  CHECK(publish(kCards, R"({"amount":1})").hash == kBodyHash);
  CHECK(publish(kCards, R"({"amount":1})", true).hash != kBodyHash);  // who knows what followed
  CHECK(publish(kCards, R"({"pan":1})").hash != kBodyHash);
  CHECK(publish(kCards, R"({"pan":1})").hash == publish(kCards, R"({"pan":2})").hash);  // of equal hashes
  CHECK(publish(redactor({}), "anything", true).hash == kBodyHash);
  CHECK(publish(redactor({}), "anything", true).text == "anything");
}

TEST_CASE("forms: the fields that `query` names") {
  const std::string form = "application/x-www-form-urlencoded; charset=utf-8";
  const Redactor fields = redactor({}, {"token"});
  const Redactor both = redactor({"/pan"}, {"token"});
  for (const Redactor* with : {&fields, &both}) {
    CHECK(publish(*with, "a=1&token=s&b=2", false, form).text == "a=1&token=" + hidden("s") + "&b=2");
    CHECK(publish(*with, "a=1&token=s&b=2", false, form).hash == kHash.rehashed(kBodyHash));
    CHECK(publish(*with, "a=1", false, form).text == "a=1");
    CHECK(publish(*with, "a=1", false, form).hash == kBodyHash);
    CHECK(publish(*with, "a=1&token=se", true, form).text == "a=1&token=");
    CHECK(publish(*with, "token=s&a=1", true, form).text == "token=" + hidden("s") + "&a=1");
    CHECK(publish(*with, "token=s", false, "text/plain").text == (with == &both ? "" : "token=s"));
  }
  // What calls itself a form and is JSON is JSON; what is neither goes.
  CHECK(publish(both, R"({"pan":"1"})", false, form).text == R"({"pan":)" + quoted("1") + "}");
  CHECK(publish(both,
                R"({"pan":"1"} )"
                "x",
                false, form)
            .text.empty());
  CHECK(publish(fields, R"({"pan":"1"})", false, "application/json").text == R"({"pan":"1"})");
}
