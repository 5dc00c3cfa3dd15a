#include "arbiter/noise_board.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/exchange_builder.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;

namespace {

void repeat(NoiseBoard& board, const std::string& first, const std::string& second, const CompareRules& rules = {}) {
  const auto event = test::exchange(1, first, second);
  board.take(event, compare_responses(event.serving, event.shadow, rules));
}
const RouteNoise& noise_of(const NoiseBoard& board) {
  return board.routes().at({"payments", "deposits"});
}

}  // namespace

TEST_CASE("fields that differ from themselves are counted by path, with array indices folded") {
  NoiseBoard board;
  for (int i = 0; i < 10; ++i) {
    const std::string n = std::to_string(i);
    repeat(board, R"({"as_of":")" + n + R"(","lines":[{"id":1,"at":1},{"id":2,"at":2}],"balance":"7"})",
           R"({"as_of":")" + n + R"(x","lines":[{"id":1,"at":5},{"id":2,"at":6}],"balance":")" + (i == 0 ? "8" : "7") +
               "\"}");
  }
  const RouteNoise& noise = noise_of(board);
  CHECK(noise.repeats == 10);
  REQUIRE(noise.fields.size() == 3);
  CHECK(noise.fields.at("/as_of").differing == 10);
  CHECK(noise.fields.at("/as_of").second == "\"9x\"");
  CHECK(noise.fields.at("/lines/*/at").differing == 10);
  CHECK(noise.fields.at("/balance").differing == 1);
  CHECK(proposal_for("/lines/*/at", noise.fields.at("/lines/*/at"), 10, "/balance") ==
        "compare: {ignore: [/lines/*/at]}");
  CHECK(proposal_for("/balance", noise.fields.at("/balance"), 10, "/balance").empty());  // once says nothing
}

TEST_CASE("what the rules excuse is no news, and money and statuses are never proposed") {
  NoiseBoard board;
  CompareRules rules;
  rules.ignore = {parse_json_path("/as_of")};
  for (int i = 0; i < 5; ++i)
    repeat(board, R"({"as_of":1,"rows":["a","b"]})", R"({"as_of":2,"rows":["b","a"]})", rules);
  const RouteNoise& noise = noise_of(board);
  REQUIRE(noise.fields.size() == 1);
  CHECK(proposal_for("/rows", noise.fields.at("/rows"), 5, "") == "compare: {unordered: [/rows]}");
  const NoisyField often{DifferenceKind::value, 5, "1", "2"};
  CHECK(proposal_for("/balance", often, 5, "/balance").starts_with("none"));
  CHECK(proposal_for("status", {DifferenceKind::status, 5, "200", "503"}, 5, "").starts_with("none"));
  CHECK(proposal_for("header ETag", {DifferenceKind::header, 5, "a", "b"}, 5, "") ==
        "take ETag out of compare.headers");
  CHECK(proposal_for("/a", {DifferenceKind::value, 5, "1", "2"}, 1'000, "").empty());  // five of a thousand
}

TEST_CASE("answers that cannot be compared say nothing, and no route appears for them") {
  NoiseBoard board;
  auto event = test::exchange(1, R"({"a":1})", R"({"a":2})");
  event.serving.cut = event.shadow.cut = true;
  CompareRules rules;
  const auto found = compare_responses(event.serving, event.shadow, rules);
  REQUIRE(found.outcome == ResponseDifference::Outcome::undecided);
  board.take(event, found);
  CHECK(board.routes().empty());
}

TEST_CASE("the number of fields of a route is bounded") {
  NoiseBoard board;
  for (int i = 0; i < 100; ++i)
    repeat(board, "{\"f" + std::to_string(i) + "\":1}", "{\"f" + std::to_string(i) + "\":2}");
  CHECK(noise_of(board).repeats == 100);
  CHECK(noise_of(board).fields.size() == RouteNoise::kMostFields);
  CHECK(noise_of(board).more);
}
