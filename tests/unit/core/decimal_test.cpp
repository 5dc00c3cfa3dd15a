#include "core/model/decimal.hpp"

#include "tests/support/catch.hpp"

using phoenix::Decimal;

TEST_CASE("decimals are exact and compare by value") {
  CHECK(Decimal::parse("1.10").value() == Decimal::parse("1.1").value());
  CHECK(Decimal::parse("-0.00").value() == Decimal::parse("0").value());
  CHECK(Decimal::parse("1e3").value() == Decimal::parse("1000").value());
  CHECK(Decimal::parse("12.5E-1").value() == Decimal::parse("1.25").value());
  CHECK(Decimal::parse("0.1").value().to_string() == "0.1");
  CHECK(Decimal::parse("-12.50").value().to_string() == "-12.5");
  CHECK(Decimal::parse("0.05").value().to_string() == "0.05");
  // A double could not tell these apart.
  CHECK_FALSE(Decimal::parse("9007199254740993").value() == Decimal::parse("9007199254740992").value());
}

TEST_CASE("what is no exact decimal is refused") {
  for (const char* text : {"", "-", ".5", "5.", "1.2.3", "NaN", "Infinity", "0x10", "1e", "1e+", "1 ", " 1", "1e9999",
                           "1234567890123456789012345678901234567", "0.0000000000000000001"}) {
    INFO(text);
    CHECK(Decimal::parse(text).has_error());
  }
}

TEST_CASE("minor units lose nothing") {
  CHECK(Decimal::parse("12.34").value().to_minor(2).value() == 1234);
  CHECK(Decimal::parse("12").value().to_minor(2).value() == 1200);
  CHECK(Decimal::parse("0.001").value().to_minor(2).has_error());
  CHECK(Decimal::parse("92233720368547758.08").value().to_minor(2).has_error());
  CHECK(Decimal::from_minor(-5, 2).to_string() == "-0.05");
  CHECK(phoenix::format_minor(-5, 2) == "-0.05");
  CHECK(phoenix::format_minor(123456, 2) == "1234.56");
  CHECK(phoenix::format_minor(7, 0) == "7");
  CHECK(phoenix::format_minor(INT64_MIN, 2) == "-92233720368547758.08");
}

TEST_CASE("a difference is compared with its bound exactly, or not at all") {
  const auto within = [](const char* a, const char* b, const char* most) {
    return Decimal::within(Decimal::parse(a).value(), Decimal::parse(b).value(), Decimal::parse(most).value());
  };
  CHECK(within("0.1", "0.3", "0.2"));
  CHECK(within("0.3", "0.1", "0.2"));
  CHECK(within("-0.1", "0.1", "0.20"));
  CHECK_FALSE(within("0.1", "0.300000000000000001", "0.2"));
  CHECK(within("100000000000000000000", "100000000000000000001", "1"));
  CHECK_FALSE(within("999999999999999999999999999999999999", "-999999999999999999999999999999999999", "0.1"));
  CHECK_FALSE(within("999999999999999999999999999999999999", "0.000000000000000001", "1"));
}
