// What rules cannot do: reach outside, keep anything, run for long, or hold money in binary floating point.
#include <map>

#include "arbiter/accepted_changes.hpp"
#include "arbiter/accepted_numbers.hpp"
#include "arbiter/accepted_syntax.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/exchange_builder.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using Catch::Matchers::Contains;
using Kind = AcceptedOutcome::Kind;

namespace {

/// A file with one rule whose `expect` runs `code`.
std::string rule_with(const std::string& code, const std::string& before = "") {
  return before +
         "\nrule{id='r', reason='a', approver='b', expires='2030-01-01', routes={'deposits'},\nexpect=function(x) " +
         code + " end}";
}

AcceptedOutcome ask(AcceptedChanges& rules, const std::string& legacy = R"({"fee":1})") {
  const auto exchange = test::exchange(1, legacy, R"({"fee":2})", {{"7", 1}});
  const auto responses = compare_responses(exchange.serving, exchange.shadow, {});
  return rules.evaluate({exchange, responses, {{"7", "EUR", 2, {}, {}, {}, {}, 0}}, false, 1});
}

/// Empty when the code accepted the exchange, else what became of it.
std::string run(const std::string& code, const std::string& before = "") {
  auto rules = AcceptedChanges::parse(rule_with(code, before), "rules.lua");
  if (!rules) return rules.error().message;
  const auto outcome = ask(*rules);
  if (outcome.kind != Kind::none) return "";
  return outcome.evaluations.empty() ? "nothing" : outcome.evaluations.back().second;
}

/// Runs code that computes `value`, which must be 2 as modern's fee is.
std::string run_value(const std::string& value) {
  return run("return {response={['/fee']=" + value + "}}");
}

}  // namespace

TEST_CASE("rules have no names but those of the reference") {
  for (const char* name :
       {"io",      "os",       "require", "load",           "loadstring", "loadfile",     "dofile",       "debug",
        "package", "_G",       "_ENV.io", "string",         "table",      "math",         "coroutine",    "utf8",
        "pcall",   "xpcall",   "next",    "pairs",          "select",     "setmetatable", "getmetatable", "rawget",
        "rawset",  "rawequal", "rawlen",  "collectgarbage", "print",      "warn",         "tonumber",     "unpack"}) {
    INFO(name);
    CHECK_THAT(run_value(name), Contains("there is no name"));
  }
  for (const char* method : {"rep", "format", "dump", "gsub", "gmatch", "match", "find", "byte", "char", "pack"}) {
    INFO(method);
    CHECK_THAT(run_value("(''):" + std::string(method) + "(1)"), Contains("text has no method"));
  }
  CHECK_THAT(run_value("_ENV.half_up.x"), Contains("attempt to index"));
  CHECK_THAT(AcceptedChanges::parse("\27Lua", "rules.lua").error().message, Contains("rules.lua:"));
  // Compiled code is refused: it could be anything.
  CHECK_THAT(AcceptedChanges::parse("\x1bLua\x54", "rules.lua").error().message,
             Contains("attempt to load a binary chunk"));
}

TEST_CASE("globals cannot be written") {
  CHECK_THAT(run("half_up = nil"), Contains("assignment to the global 'half_up': declare it local"));
  CHECK_THAT(run("", "count = 0"), Contains("rules.lua:1: assignment to the global 'count'"));
  CHECK_THAT(run("_ENV.minor = 1"), Contains("assignment to the global 'minor'"));
}

TEST_CASE("nothing is kept from one evaluation to the next") {
  auto rules =
      AcceptedChanges::parse(rule_with("count = count + 1; t[#t + 1] = 1; return {response={['/fee']=count + #t}}",
                                       "local count, t = 0, {}"),
                             "rules.lua")
          .value();
  for (int i = 0; i < 3; ++i) CHECK(ask(rules).kind == Kind::change);
}

TEST_CASE("instructions and memory are bounded") {
  CHECK(run("while true do end") == "error: rules.lua:3: more than 100000 instructions");
  CHECK_THAT(run("", "while true do end"), Contains("rules.lua:1: more than 100000 instructions"));
  CHECK_THAT(run("local function f() return f() end return f()"), Contains("more than 100000 instructions"));
  CHECK_THAT(run("local function f() return 1 + f() end return f()"), Contains("error: "));
  CHECK_THAT(run("local s = 'x' while true do s = s .. s end"), Contains("KiB of memory"));
  CHECK_THAT(run("local t = {} for i = 1, 90000 do t[i] = {} end"), Contains("KiB of memory"));
  // What a helper does for one instruction counts too.
  CHECK_THAT(run("local s = 'x' for i = 1, 17 do s = s .. s end while true do s:starts_with('y') end"),
             Contains("more than 100000 instructions"));
  CHECK_THAT(run("local t = {} for i = 1, 5000 do t[i] = 1 end for i = 1, 50 do sorted_pairs(t) end"),
             Contains("error: "));
  std::string deep = "x";
  for (int i = 0; i < 300; ++i) deep = "(" + deep + ")";
  CHECK_THAT(run("return " + deep), Contains("C stack overflow"));
  CHECK_THAT(run("local s = 'x' for i = 1, 12 do s = s .. s end for i = 1, 9000 do s:upper() end"),
             Contains("error: "));
  // A bound that was reached does not stay reached.
  CHECK(run_value("2").empty());
}

TEST_CASE("large and deep answers fit the bound") {
  auto rules = AcceptedChanges::parse(rule_with("return {response={['/fee']=2}}"), "rules.lua").value();
  std::string many = R"({"fee":1,"l":[0)";
  for (int i = 0; i < 30'000; ++i) many += ",1";
  many += "],\"o\":{";
  for (int i = 0; i < 5'000; ++i) many += (i > 0 ? "," : "") + ("\"m" + std::to_string(i)) + "\":[]";
  many += "}}";
  CHECK(ask(rules, many).evaluations.back().second.starts_with("/l differs too"));  // and no error
  std::string deep = R"({"fee":1,"d":)" + std::string(120, '[') + std::string(120, ']') + "}";
  CHECK(ask(rules, deep).evaluations.back().second == "/d differs too");
}

TEST_CASE("binary floating point is refused where it is written") {
  for (const char* value : {"1 / 2", "2 ^ 2", "1.5", ".5", "1e3", "0x1p4", "0x.8", "9223372036854775808", "3 /* 2"}) {
    INFO(value);
    CHECK_THAT(run_value(value), Contains("rules.lua:3: ") && Contains("binary floating point"));
  }
  for (const char* value : {"7 // 3", "#'a/b' - 1", "2 --[[ 1/2 ]]", "2 --[==[ ]] ^ ]==]", "#[[1.5]] - 1", "0x2",
                            "#'\\'/\"' - 1", "2 -- 1/2\n", "#{1, 2}", "#('a'..'b')", "9223372036854775807 & 2"}) {
    INFO(value);
    CHECK(run_value(value).empty());
  }
  for (const char* loop : {"for i = '0.5', 2 do end", "for i = x.id, 2 do end", "for i = 1, 2, '0.5' do end",
                           "for i = 1, f(1, 2), x.id do end", "for i = 1 .. '.5', 2 do end",
                           "for i = #t .. '', 2 do end", "for i = 1, 2, 1 .. '' do end"}) {
    INFO(loop);
    CHECK_THAT(run(loop), Contains("rules.lua:3: counting from or by anything but an integer"));
  }
  for (const char* loop : {"for i = 1, #x.accounts do end", "for i = #x.accounts, 1, -1 do end",
                           "for i = -1, 3, 2 do end", "for i = 1, max(2, 3) do end", "for k in sorted_pairs({}) do end",
                           "for i = 1, '2.5' do assert(i == 1 or i == 2) end"}) {
    INFO(loop);
    CHECK(run(loop + std::string(" return {response={['/fee']=2}}")).empty());
  }
  CHECK_THAT(run_value("1 + '1'"), Contains("attempt to perform arithmetic on a string"));
  CHECK_THAT(run_value("1 + '0.5'"), Contains("attempt to perform arithmetic on a string"));
  CHECK_THAT(run_value("half_up('4', 2)"), Contains("must be an integer, not string"));
}

TEST_CASE("the place of a float is found behind text and comments") {
  CHECK_FALSE(find_float_syntax("a = 'x\\\ny' -- 1/2", "r").has_value());
  CHECK(find_float_syntax("--[[\n\n]] a = [=[\n]=] / 2", "r")->starts_with("r:4: /"));
  CHECK(find_float_syntax("a = '\\z  \n  ' b = 1.5", "r")->starts_with("r:2: 1.5"));
  CHECK(find_float_syntax("t[1]/2", "r").has_value());
  CHECK(find_float_syntax("f(...)^2", "r").has_value());
  CHECK(find_float_syntax("'unfinished\n 1/2", "r").has_value());
}

TEST_CASE("nothing tells addresses, and tables are walked in the order of their keys") {
  CHECK_THAT(run_value("#tostring({})"), Contains("a table has no text"));
  CHECK_THAT(run_value("#tostring(half_up)"), Contains("a function has no text"));
  CHECK(run_value("#tostring(12)").empty());
  const char* walk =
      "local s = '' for k, v in sorted_pairs{b=1, a=2, [10]=3, [2]=4, B=5, ['']=6} do s = s .. k .. '=' .. v .. ' ' "
      "end "
      "assert(s == '2=4 10=3 =6 B=5 a=2 b=1 ', s) return {response={['/fee']=2}}";
  CHECK(run(walk).empty());
  CHECK(run("local n = 0 local t = {a=1, b=2} for k in sorted_pairs(t) do n = n + 1 t.b = nil end "
            "return {response={['/fee']=n + 1}}")
            .empty());
  CHECK_THAT(run("sorted_pairs{[true]=1}"), Contains("neither text nor integer"));
  CHECK_THAT(run("local f = ipairs({}) f(1, 2)"), Contains("ipairs: a table is needed"));
}

TEST_CASE("helpers are exact and say what they cannot do") {
  const std::map<std::string, std::string> cases{
      {"half_even(5, 2)", ""},  // 2.5
      {"half_even(3, 2)", ""},  // 1.5
      {"half_up(3, 2)", ""},
      {"truncate(5, 2)", ""},
      {"truncate(-5, 2) + 4", ""},
      {"half_up(-3, 2) + 4", ""},
      {"half_up(1900, 15, 1000) - 27", ""},
      {"half_even(9223372036854775807, 2, 9223372036854775807)", ""},
      {"minor('0.02', 2)", ""},
      {"minor(2, 0)", ""},
      {"minor('-1e2', 0) + 102", ""},
      {"#text(-5, 2) - 3", ""},  // -0.05
      {"max(1, 2, -3)", ""},
      {"min(2, 3)", ""},
      {"abs(-2)", ""},
      {"add(3, -1)", ""},
      {"mul(-1, -2)", ""},
      {"#('xabc'):sub(-2)", ""},
      {"#('abc'):sub(2, 3)", ""},
      {"type(1) == 'integer' and type(null) == 'null' and type(absent) == 'absent' and 2", ""},
      {"('aB'):upper() == 'AB' and ('aB'):lower() == 'ab' and ('aB'):ends_with('B') and 2", ""},
      {"half_up(1, 0)", "half_up: division by zero"},
      {"half_up(9223372036854775807, 2, 1)", "half_up: beyond 64 bits"},
      {"mul(9223372036854775807, 2)", "mul: beyond 64 bits"},
      {"add(9223372036854775807, 1)", "add: beyond 64 bits"},
      {"minor('1.005', 2)", "minor: '1.005' is no exact number with at most 2 digits after the point"},
      {"minor('NaN', 2)", "minor: 'NaN' is no exact number"},
      {"minor(1, 10)", "minor: digits must be 0 to 9"},
      {"minor(9223372036854775807, 2)", "minor: beyond 64 bits"},
      {"number('x')", "number: 'x' is no exact number"},
      {"minor(null, 2)", "minor: argument 1 must be a string, not null"},
      {"error('told')", "rules.lua:3: told"},
      {"assert(false, 'so')", "so"},
      {"assert(nil)", "assertion failed"},
      {"1 // 0", "attempt to divide by zero"}};
  for (const auto& [value, words] : cases) {
    INFO(value);
    const auto outcome = run_value(value);
    CHECK_THAT(outcome, Contains(words));
    CHECK(outcome.empty() == words.empty());
  }
}

TEST_CASE("rounding of quotients of either sign, with products in 128 bits") {
  using enum MoneyRounding;
  for (const std::int64_t sign : {1, -1}) {
    CHECK(multiply_divide(25, sign, 10, half_even) == 2 * sign);
    CHECK(multiply_divide(35, sign, 10, half_even) == 4 * sign);
    CHECK(multiply_divide(25, sign, 10, half_up) == 3 * sign);
    CHECK(multiply_divide(24, sign, 10, half_up) == 2 * sign);
    CHECK(multiply_divide(29, sign, 10, truncate) == 2 * sign);
    CHECK(multiply_divide(25, 1, 10 * sign, half_up) == 3 * sign);
    CHECK(multiply_divide(1, sign, 2, half_even) == 0);
    CHECK(multiply_divide(1, sign, 2, half_up) == sign);
  }
  CHECK(multiply_divide(INT64_MIN, INT64_MIN, INT64_MIN, half_up) == INT64_MIN);
  CHECK_FALSE(multiply_divide(INT64_MIN, 1, -1, half_up).has_value());
  CHECK_FALSE(multiply_divide(1, 1, 0, half_up).has_value());
}
