#include "orchestrator/slice_facts.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::orchestrator;

namespace {

config::RouteConfig route(const std::string& name, std::vector<std::string> methods, config::ShadowMode shadow,
                          bool keyed = true) {
  config::RouteConfig result;
  result.name = name;
  result.slice = "payments";
  result.methods = std::move(methods);
  result.shadow = shadow;
  if (keyed) result.key.path = "account";
  return result;
}

}  // namespace

TEST_CASE("a slice is fit to leave shadow when all its routes are compared and its writes have keys") {
  using config::ShadowMode;
  const auto read = route("balance", {"GET"}, ShadowMode::reads, false);
  const auto write = route("transfers", {"POST"}, ShadowMode::dual);
  auto facts = slice_facts({read, write}, "payments");
  CHECK(facts.reads);
  CHECK(facts.writes);
  CHECK(facts.unfit.empty());
  CHECK_FALSE(slice_facts({read}, "payments").writes);

  CHECK_THAT(slice_facts({read, route("deposit", {"POST"}, ShadowMode::reads)}, "payments").unfit,
             Catch::Contains("deposit"));
  CHECK_THAT(slice_facts({write, route("any", {}, ShadowMode::reads)}, "payments").unfit, Catch::Contains("any"));
  CHECK_THAT(slice_facts({route("quiet", {"GET"}, ShadowMode::off)}, "payments").unfit, Catch::Contains("quiet"));
  CHECK_THAT(slice_facts({route("keyless", {"PUT"}, ShadowMode::dual, false)}, "payments").unfit,
             Catch::Contains("no key"));
  auto opening = route("open", {"POST"}, ShadowMode::dual, false);
  opening.creates = "/account_id";
  CHECK(slice_facts({opening}, "payments").unfit.empty());
  CHECK_THAT(slice_facts({read}, "cards").unfit, Catch::Contains("no route"));
}
