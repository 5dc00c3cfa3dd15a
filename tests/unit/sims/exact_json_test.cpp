#include "core/sim/exact_json.hpp"

#include "tests/support/catch.hpp"

using phoenix::ExactJson;
using phoenix::hundredths_to_text;

namespace {

std::int64_t amount_of(const std::string& number) {
  return ExactJson::parse("{\"amount\":" + number + "}").value().hundredths("/amount").value();
}
bool refused(const std::string& number) {
  const auto document = ExactJson::parse("{\"amount\":" + number + "}");
  return !document || !document->hundredths("/amount");
}

}  // namespace

TEST_CASE("money is read from its text, never through a double") {
  CHECK(amount_of("10.00") == 1000);
  CHECK(amount_of("10") == 1000);
  CHECK(amount_of("0.1") == 10);
  CHECK(amount_of("19.99") == 1999);
  CHECK(amount_of("1e2") == 10000);
  CHECK(amount_of("1.10000") == 110);
  CHECK(amount_of("90071992547409.93") == 9007199254740993);  // not representable in a double
  CHECK(amount_of("-3.50") == -350);
}

TEST_CASE("what is finer than a cent, or no number, is refused") {
  CHECK(refused("0.001"));
  CHECK(refused("1.005"));
  CHECK(refused("\"10.00\""));
  CHECK(refused("true"));
  CHECK(refused("null"));
  CHECK(refused("99999999999999999999.00"));
  CHECK(refused("NaN"));
}

TEST_CASE("malformed documents are refused") {
  for (const char* text :
       {"", "{", "[1]", "1", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}", "{\"a\":01}", "{\"a\":1}x"})
    CHECK_FALSE(ExactJson::parse(text).has_value());
  CHECK_FALSE(ExactJson::parse("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}").has_value());
}

TEST_CASE("documents are flattened by JSON pointer") {
  const auto document =
      ExactJson::parse(R"({"a":{"b":[{"c":1.50},{"c":2}],"d/e~f":"x"},"empty":[],"last":false})").value();
  CHECK(document.hundredths("/a/b/0/c").value() == 150);
  CHECK(document.whole("/a/b/1/c").value() == 2);
  CHECK(document.string("/a/d~1e~0f").value() == "x");
  CHECK(document.find("/last")->text == "false");
  CHECK(document.find("/empty") == nullptr);
  CHECK_FALSE(document.whole("/a/b/0/c").has_value());
}

TEST_CASE("money is written with exactly two decimals") {
  CHECK(hundredths_to_text(0) == "0.00");
  CHECK(hundredths_to_text(5) == "0.05");
  CHECK(hundredths_to_text(12050) == "120.50");
  CHECK(hundredths_to_text(-5) == "-0.05");
}
