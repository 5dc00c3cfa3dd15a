#include "core/sim/command_line.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix;

namespace {
const std::vector<OptionSpec> kSpecs{
    {"count", "N", "how many", "3"}, {"name", "TEXT", "a name", ""}, {"fast", "", "a flag", ""}};
}

TEST_CASE("options are read in both spellings, with defaults") {
  const auto options = parse_options({"--name=a=b", "--fast", "--count", "5"}, kSpecs).value();
  CHECK(options.at("name") == "a=b");
  CHECK(options.at("count") == "5");
  CHECK(options.count("fast") == 1);
  const auto defaults = parse_options({}, kSpecs).value();
  CHECK(defaults.at("count") == "3");
  CHECK(defaults.count("name") == 0);
  CHECK(defaults.count("fast") == 0);
}

TEST_CASE("wrong options are named") {
  CHECK(parse_options({"--coutn", "5"}, kSpecs).error().message == "unknown option '--coutn'; see --help");
  CHECK(parse_options({"--count"}, kSpecs).error().message == "option --count needs a value (N)");
  CHECK(parse_options({"--fast=yes"}, kSpecs).error().message == "option --fast takes no value");
  CHECK(parse_options({"stray"}, kSpecs).error().message == "unexpected argument 'stray'; see --help");
}

TEST_CASE("whole numbers are bounded") {
  CHECK(parse_whole_number("n", "12", 1, 20).value() == 12);
  for (const char* wrong : {"", "x", "12x", "0", "21", "1.5", "-1"})
    CHECK_FALSE(parse_whole_number("n", wrong, 1, 20).has_value());
}
