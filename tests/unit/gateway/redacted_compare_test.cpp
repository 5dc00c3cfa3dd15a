// Gateway and arbiter together: what the one hides the other still compares.
#include <functional>

#include "arbiter/response_differ.hpp"
#include "gateway/redactor.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;

TEST_CASE("the arbiter compares redacted answers as it would have compared the values") {
  const gateway::Redactor cards({"0123456789abcdef", {}, {"/pan"}, {}});
  const auto leg = [&](const std::string& body, bool truncated = false) {
    LegRecord record;
    record.outcome = LegOutcome::ok;
    record.status = 200;
    record.headers = {{"Content-Type", "application/json"}};
    record.body = body;
    record.truncated = truncated;
    record.body_bytes = body.size();
    record.body_hash = std::hash<std::string>{}(body);
    cards.body({record.body, record.truncated, record.body_hash}, "application/json");
    return record;
  };
  using Outcome = arbiter::ResponseDifference::Outcome;
  const auto outcome = [&](const LegRecord& a, const LegRecord& b) {
    return arbiter::compare_responses(a, b, {}).outcome;
  };
  const LegRecord legacy = leg(R"({"pan":"4111","x":1.0})");
  CHECK(outcome(legacy, leg(R"({ "x":1, "pan":"411\u0031" })")) == Outcome::equal);
  CHECK(outcome(legacy, leg(R"({"pan":"4112","x":1})")) == Outcome::different);
  CHECK(outcome(legacy, leg(R"({"pan":4111,"x":1})")) == Outcome::different);
  CHECK(outcome(leg("not JSON"), leg("not JSON")) == Outcome::equal);
  CHECK(outcome(leg("not JSON"), leg("not json")) == Outcome::different);
  CHECK(outcome(leg(R"({"pan":"4111)", true), leg(R"({"pan":"4111)", true)) == Outcome::equal);
}
