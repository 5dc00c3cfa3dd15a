#include "core/runtime/config.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;

namespace {

Result<config::Config> parse(const std::string& compare) {
  return config::parse(
      "mode: local\n"
      "gateway:\n"
      "  legacy: {endpoints: [\"http://127.0.0.1:8081\"]}\n"
      "  modern: {endpoints: [\"http://127.0.0.1:8082\"]}\n"
      "  routes:\n"
      "    - name: transfers\n"
      "      match: {path: /transfers}\n"
      "      key: {json: [/from, /to]}\n"
      "      creates: /id\n"
      "      compare:\n" +
          compare,
      "phoenix.yml");
}

std::string error_of(const std::string& compare) {
  const auto result = parse(compare);
  return result ? "no error" : result.error().message;
}

}  // namespace

TEST_CASE("what a route compares, and how") {
  const auto config = parse(
      "        ignore: [/trace]\n"
      "        balance: /balance_after\n"
      "        normalise: {/at: timestamp, /ref: uuid, /state: case, /fee: number}\n"
      "        tolerance: {/rate: 0.0001, /lines/*/share: \"1e-3\"}\n"
      "        unordered: [/tags]\n"
      "        keyed: {/lines: sku}\n"
      "        headers: [Location, ETag]\n"
      "        status: class\n");
  REQUIRE(config.has_value());
  const auto& rules = config->gateway.routes[0].compare;
  CHECK(rules.normalise.size() == 4);
  CHECK(rules.normalise[1] == std::pair<std::string, config::Normaliser>{"/ref", config::Normaliser::uuid});
  CHECK(rules.tolerance[0] == std::pair<std::string, std::string>{"/rate", "0.0001"});
  CHECK(rules.unordered == std::vector<std::string>{"/tags"});
  CHECK(rules.keyed[0].second == "sku");
  CHECK(rules.headers.size() == 2);
  CHECK(rules.status_class);
}

TEST_CASE("rules that could hide money, an account or nothing at all are refused by name and line") {
  CHECK(error_of("        tolerance:\n          /rate: 0.1\n          /fee: 1%\n") ==
        "phoenix.yml:13: gateway.routes[0].compare.tolerance: '1%' is no tolerance: an exact decimal above zero, like "
        "0.01");
  struct Row {
    const char* compare;
    const char* words;
  };
  for (const auto& [compare, words] : {
           Row{"{balance: /b, tolerance: {/b: 0.01}}", "'/b' is the balance: money has no tolerance"},
           Row{"{balance: /a/b, tolerance: {/a/*: 0.01}}", "'/a/*' is the balance"},
           Row{"{tolerance: {/from: 1}}", "'/from' is a key"},
           Row{"{tolerance: {/*: 1}}", "is a key"},
           Row{"{tolerance: {/id: 1}}", "is a key"},
           Row{"{keyed: {/lines: sku}, tolerance: {/lines/*/sku: 1}}", "joins the elements of '/lines'"},
           Row{"{unordered: [/lines], tolerance: {/lines/*/x: 1}}", "use keyed"},
           Row{"{unordered: [/lines], keyed: {/lines: sku}}", "unordered already"},
           Row{"{keyed: {/lines: a/b}}", "no name of a member"},
           Row{"{keyed: {lines: a}}", "must start with '/'"},
           Row{"{tolerance: {/x: -1}}", "above zero"},
           Row{"{tolerance: {/x: 0.00}}", "above zero"},
           Row{"{tolerance: {/x: nan}}", "above zero"},
           Row{"{normalise: {/x: date}}", "'date' is none of timestamp, uuid, case, number"},
           Row{"{normalise: {/x: uuid, /x: case}}", "stands here twice"},
           Row{"{normalise: [/x]}", "must be a mapping"},
           Row{"{ignore: [x]}", "must start with '/'"},
           Row{"{ignore: [/from]}", "is the key and is never ignored"},
           Row{"{unordered: [/a~2b]}", "write '~' as ~0"},
           Row{"{headers: [\"a b\"]}", "no name of a header"},
           Row{"{status: similar}", "none of exact, class"},
           Row{"{normalize: {/x: uuid}}", "did you mean 'normalise'"},
       }) {
    INFO(compare);
    CHECK_THAT(error_of(std::string("        ") + compare + "\n"), Catch::Contains(words));
  }
}
