#include <sstream>

#include "orchestrator/cli/cli.hpp"
#include "orchestrator/cli/options.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix::orchestrator::cli;

TEST_CASE("commands, arguments and options in any order") {
  const auto options =
      parse_options({"--json", "weight", "set", "payments", "12.5", "--reason=slow start", "--api", "127.0.0.1:9300"});
  REQUIRE(options.has_value());
  CHECK(options->command == "weight set");
  CHECK(options->arguments == std::vector<std::string>{"payments", "12.5"});
  CHECK(options->value("reason") == "slow start");
  CHECK(options->value("api") == "127.0.0.1:9300");
  CHECK(options->has("json"));
  CHECK(parse_options({"kill", "--reason", "fire"})->arguments.empty());
  CHECK(parse_options({"kill", "payments", "--direct", "--reason", "fire"})->has("direct"));
  CHECK(parse_options({"retire", "payments", "--yes-retire-payments"})->has("yes-retire-payments"));
  CHECK(parse_options({"explain", "--", "--odd"})->arguments == std::vector<std::string>{"--odd"});
  CHECK(parse_options({"gateway", "reload", "--gateway", "127.0.0.1:9100"})->command == "gateway reload");
  CHECK(parse_options({"gateway", "complete", "payments", "modern", "7", "--reason", "copied"})->arguments.size() == 3);
  CHECK_FALSE(parse_options({"gateway", "complete", "payments", "modern", "7"}).has_value());  // needs a reason
  CHECK(parse_options({"gateway", "keys", "--slice", "payments"})->value("slice") == "payments");
  CHECK(parse_options({"status", "--help"})->has("help"));
  CHECK(parse_options({"causes", "--slice", "payments"})->value("slice") == "payments");
}

TEST_CASE("mistakes end in one line that names them") {
  const auto error = [](const std::vector<std::string>& arguments) {
    const auto options = parse_options(arguments);
    REQUIRE(options.has_error());
    return options.error().message;
  };
  CHECK_THAT(error({}), Catch::Contains("no command"));
  CHECK_THAT(error({"staus"}), Catch::Contains("did you mean 'phoenixctl status'"));
  CHECK_THAT(error({"weight"}), Catch::Contains("weight set SLICE PERCENT"));
  CHECK_THAT(error({"weight", "set", "payments"}), Catch::Contains("usage: phoenixctl weight set SLICE PERCENT"));
  CHECK_THAT(error({"pause"}), Catch::Contains("pause SLICE"));
  CHECK_THAT(error({"kill"}), Catch::Contains("--reason"));
  CHECK_THAT(error({"reset", "payments"}), Catch::Contains("--reason"));
  CHECK_THAT(error({"status", "--wach"}), Catch::Contains("did you mean '--watch'"));
  CHECK_THAT(error({"status", "--reason", "x"}), Catch::Contains("--reason"));
  CHECK_THAT(error({"status", "--json=yes"}), Catch::Contains("takes no value"));
  CHECK_THAT(error({"kill", "--reason"}), Catch::Contains("needs a value"));
}

TEST_CASE("the exit status is 0 only on success, and errors are one line on stderr") {
  std::ostringstream out, err;
  CHECK(run({"--help"}, out, err) == 0);
  CHECK_THAT(out.str(), Catch::Contains("weight set SLICE PERCENT"));
  CHECK(err.str().empty());
  CHECK(run({"--version"}, out, err) == 0);
  CHECK(run({"nonsense"}, out, err) != 0);
  const auto lines = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
  CHECK(lines(err.str()) == 1);
  err.str("");
  CHECK(run({"status", "--api", "127.0.0.1:1"}, out, err) == 1);
  CHECK(lines(err.str()) == 1);
  CHECK_THAT(err.str(), Catch::Contains("kill --direct"));
  err.str("");
  CHECK(run({"config", "check", "/nonexistent/phoenix.yml"}, out, err) == 1);
  CHECK(lines(err.str()) == 1);
  err.str("");
  CHECK(run({"retire", "payments", "--api", "127.0.0.1:1", "--by", "eve"}, out, err) == 1);
  CHECK_THAT(err.str(), Catch::Contains("--yes-retire-payments"));
}
