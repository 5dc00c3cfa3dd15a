#include "arbiter/body_document.hpp"

#include "arbiter/response_differ.hpp"
#include "arbiter/xml_value.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/exchange_builder.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using phoenix::test::json_leg;
using Outcome = ResponseDifference::Outcome;
using Kinds = std::vector<std::pair<std::string, std::string>>;  // kind, path

namespace {

constexpr auto kXml = "text/xml; charset=utf-8";
constexpr auto kForm = "application/x-www-form-urlencoded";

LegRecord leg(const char* type, const std::string& body) {
  LegRecord record = json_leg(200, body);
  record.headers = {{"Content-Type", type}};
  return record;
}

ResponseDifference compare(const char* type, const std::string& legacy, const std::string& modern,
                           const config::CompareConfig& config = {}) {
  return compare_responses(leg(type, legacy), leg(type, modern), CompareRules::from_config(config));
}

Kinds kinds(const ResponseDifference& result) {
  Kinds list;
  for (const auto& value : result.values) list.emplace_back(to_string(value.kind), value.path);
  return list;
}

std::string refusal(const std::string& xml) {
  const auto value = parse_xml(xml);
  return value ? "accepted" : value.error().message;
}

}  // namespace

TEST_CASE("the kind of a body is what its Content-Type says") {
  const auto of = [](const char* type) { return content_of(leg(type, "")); };
  CHECK(of("application/json") == Content::json);
  CHECK(of("Application/Problem+JSON; charset=utf-8") == Content::json);
  CHECK(of("application/soap+xml;action=x") == Content::xml);
  CHECK(of(kXml) == Content::xml);
  CHECK(of(kForm) == Content::form);
  CHECK(of("application/xml-dtd") == Content::other);
  CHECK(of("text/plain") == Content::other);
  CHECK(content_of(LegRecord{}) == Content::other);
}

TEST_CASE("XML is compared by path: attributes, text, repeated elements as arrays, names as written") {
  const std::string legacy =
      "<?xml version=\"1.0\"?>\n<s:Envelope xmlns:s=\"urn:s\">\n  <s:Body>\n    <r id=\"1\" v='2'><fee>0.26</fee>"
      "<line n=\"1\"/><line n=\"2\">x</line></r>\n  </s:Body>\n</s:Envelope>\n";
  const std::string same =
      "<s:Envelope xmlns:s=\"urn:s\"><s:Body><r v=\"2\" id=\"1\"><fee>0.26</fee><line n=\"1\"></line>"
      "<!-- note --><line n=\"2\"><![CDATA[x]]></line></r></s:Body></s:Envelope>";
  CHECK(compare(kXml, legacy, same).outcome == Outcome::equal);
  const std::string other =
      "<s:Envelope xmlns:s=\"urn:s\"><s:Body><r id=\"3\"><fee>0.21</fee><line n=\"1\"/><line n=\"2\">y</line>"
      "<line/></r></s:Body></s:Envelope>";
  CHECK(kinds(compare(kXml, legacy, other)) == Kinds{{"value", "/s:Envelope/s:Body/r/@id"},
                                                     {"missing", "/s:Envelope/s:Body/r/@v"},
                                                     {"value", "/s:Envelope/s:Body/r/fee/#text"},
                                                     {"value", "/s:Envelope/s:Body/r/line/1/#text"},
                                                     {"extra", "/s:Envelope/s:Body/r/line/2"}});
  CHECK(compare(kXml, "<a:x xmlns:a=\"u\"/>", "<b:x xmlns:b=\"u\"/>").outcome == Outcome::different);
  CHECK(compare(kXml, "<a> x</a>", "<a>x</a>").outcome == Outcome::different);
  CHECK(compare(kXml, "<a>1.10</a>", "<a>1.1</a>").outcome == Outcome::different);
}

TEST_CASE("the order of an XML element's children counts, unless the route says otherwise") {
  config::CompareConfig rules;
  CHECK(kinds(compare(kXml, "<r><a/><b/><a/></r>", "<r><a/><a/><b/></r>", rules)) == Kinds{{"order", "/r"}});
  rules.unordered = {"/r"};
  CHECK(compare(kXml, "<r><a/><b/><a/></r>", "<r><a/><a/><b/></r>", rules).outcome == Outcome::equal);
}

TEST_CASE("rules and the balance work on XML and forms as they do on JSON") {
  config::CompareConfig rules;
  rules.ignore = {"/r/@id"};
  rules.balance = "/r/balance/#text";
  rules.normalise = {{"/r/fee/#text", config::Normaliser::number}};
  rules.keyed = {{"/r/line", "@n"}};
  const auto result = compare(kXml, "<r id=\"1\"><fee>1.10</fee><balance>10.00</balance><line n='1'/><line n='2'/></r>",
                              "<r id=\"2\"><fee>1.1</fee><balance>9.5</balance><line n='2'/><line n='1'/></r>", rules);
  CHECK(result.outcome == Outcome::equal);
  REQUIRE(result.legacy_balance);
  CHECK(result.legacy_balance->to_string() == "10");
  CHECK(result.modern_balance->to_string() == "9.5");
  rules = {};
  rules.balance = "/balance";
  const auto form = compare(kForm, "fee=0.10&balance=10.00", "balance=9.50&fee=0.10", rules);
  CHECK(form.outcome == Outcome::equal);
  CHECK(form.modern_balance->to_string() == "9.5");
}

TEST_CASE("XML that has no such shape is refused, and then compared by its bytes") {
  CHECK_THAT(refusal("<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><r>&b;</r>"),
             Catch::Contains("undeclared entity"));
  CHECK_THAT(refusal("<!DOCTYPE r [<!ENTITY a \"aaaa\">]><r/>"), Catch::Contains("document type"));
  CHECK_THAT(refusal("<r>&other;</r>"), Catch::Contains("entity"));
  CHECK_THAT(refusal("<r>&#0;</r>"), Catch::Contains("reference"));
  CHECK_THAT(refusal("<r>a & b</r>"), Catch::Contains("reference"));
  CHECK_THAT(refusal("<r a='1' a='2'/>"), Catch::Contains("twice"));
  CHECK_THAT(refusal("<r>a<b/>c</r>"), Catch::Contains("text between"));
  CHECK_THAT(refusal("<a/><b/>"), Catch::Contains("more than one root"));
  CHECK_THAT(refusal("<a/>rest"), Catch::Contains("outside"));
  CHECK_THAT(refusal(std::string("<a>x\0y</a>", 10)), Catch::Contains("NUL"));
  CHECK(refusal("<a><b></a>") != "accepted");
  CHECK(refusal("") != "accepted");
  CHECK(refusal("plain") != "accepted");
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  CHECK(refusal(deep) != "accepted");
  std::string closed = deep;
  for (int i = 0; i < 100'000; ++i) closed += "</a>";
  CHECK_THAT(refusal(closed), Catch::Contains("too deeply"));
  CHECK(compare(kXml, "<r>a<b/>c</r>", "<r>a<b/>c</r>").outcome == Outcome::equal);
  CHECK(kinds(compare(kXml, "<r>a<b/>c</r>", "<r><b/>ac</r>")) == Kinds{{"body", ""}});
  CHECK(compare(kXml, "<a/>one", "<a/>two").outcome == Outcome::different);
}

TEST_CASE("forms are compared by field") {
  CHECK(compare(kForm, "a=1&b=x+y%21", "b=x%20y!&a=1").outcome == Outcome::equal);
  CHECK(kinds(compare(kForm, "a=1&a=2&b=1", "a=1&a=3&c")) ==
        Kinds{{"value", "/a/1"}, {"missing", "/b"}, {"extra", "/c"}});
  CHECK(kinds(compare(kForm, "a=%zz", "a=%zy")) == Kinds{{"body", ""}});
  CHECK(parse_form("a=%4").has_error());
  CHECK(parse_form("=1").has_error());
  CHECK(parse_form("a=%41")->member("a")->text == "A");
  CHECK(parse_form("")->members.empty());
}

TEST_CASE("bytes that are no UTF-8 are shown in one short line") {
  const auto result = compare(kForm, "a=" + std::string(200, '\x80'), "a=1");
  REQUIRE(result.values.size() == 1);
  CHECK(result.values[0].legacy.size() < 90);
}
