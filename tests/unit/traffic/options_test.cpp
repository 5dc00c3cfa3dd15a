#include "tests/traffic/options.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::traffic;

namespace {
TrafficOptions read(const std::vector<std::string>& arguments) {
  return read_options(parse_options(arguments, option_specs()).value());
}
}  // namespace

TEST_CASE("defaults: closed loop, 30 seconds") {
  const TrafficOptions options = read({});
  CHECK(options.rate == 0);
  CHECK(options.concurrency == 8);
  CHECK(options.duration == std::chrono::seconds{30});
  CHECK(options.model == FeeModel::legacy_vip_fee);
}

TEST_CASE("a rate means an open loop with more connections") {
  const TrafficOptions options =
      read({"--rate", "200", "--requests", "50", "--model", "any", "--target", "127.0.0.1:99"});
  CHECK(options.rate == 200);
  CHECK(options.concurrency == 64);
  CHECK(options.requests == 50);
  CHECK(options.duration.count() == 0);
  CHECK(options.model == FeeModel::any);
  CHECK(read({"--model", "legacy-float"}).model == FeeModel::legacy_float);
  CHECK(read({"--model", "exact"}).model == FeeModel::exact);
  CHECK(options.target.port == 99);
}

TEST_CASE("wrong values are refused by name") {
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{{"--rate", "fast"},
                                                                                     {"--rate", "0"},
                                                                                     {"--mix", "read"},
                                                                                     {"--model", "vip"},
                                                                                     {"--duration", "10"},
                                                                                     {"--accounts", "1"},
                                                                                     {"--target", "nowhere"},
                                                                                     {"--zipf", "-1"}}) {
    try {
      read(wrong);
      FAIL("accepted " << wrong[0] << " " << wrong[1]);
    } catch (const Failure& failure) {
      CHECK(std::string(failure.what()).find("option " + wrong[0]) != std::string::npos);
    }
  }
}
