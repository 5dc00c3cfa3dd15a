#include "arbiter/json_span.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix::arbiter;

namespace {

/// Whether a walk over the whole text finds nothing wrong.
bool accepted(const std::string& text) {
  JsonWalk walk(text);
  while (walk.next()) {
  }
  return walk.error().empty();
}

}  // namespace

TEST_CASE("a walk over JSON gives members as written and checks what it passes") {
  const std::string text = R"( {"a" : 1.10 ,"b":{"c":[true,null,"x"]},"d":"q\"\u00e9\ud83d\ude00"} )";
  JsonWalk walk(text);
  REQUIRE(walk.next());
  CHECK(walk.name().text == "a");
  CHECK(walk.value().text == "1.10");
  REQUIRE(walk.next());
  const JsonSpan inner = member_of(walk.value(), "c");
  CHECK(inner.kind == JsonSpan::Kind::array);
  CHECK(inner.text == R"([true,null,"x"])");
  REQUIRE(walk.next());
  CHECK(walk.value().string() == "q\"\xc3\xa9\xf0\x9f\x98\x80");
  CHECK_FALSE(walk.next());
  CHECK(walk.error().empty());
  CHECK(member_of(inner, "c").kind == JsonSpan::Kind::absent);
}

TEST_CASE("what is no JSON is refused") {
  for (const char* good : {"{}", "[]", "[1,-0.5e+3,\"\\u00ff\\n\"]", " {\"a\":[{}]} "}) CHECK(accepted(good));
  for (const char* bad : {"",         "1",          "null",      "{",        "[1",        "[1,]",          "{\"a\"}",
                          "{\"a\":}", "{a:1}",      "[01]",      "[1.]",     "[.5]",      "[1e]",          "[+1]",
                          "[NaN]",    "[Infinity]", "[tru]",     "[\"\n\"]", "[\"\\x\"]", "[\"\\u12g4\"]", "[\"x]",
                          "[1 2]",    "{} {}",      "{\"a\":1,}"}) {
    INFO(bad);
    CHECK_FALSE(accepted(bad));
  }
  CHECK(accepted(std::string(60, '[') + std::string(60, ']')));
  CHECK_FALSE(accepted(std::string(70, '[') + std::string(70, ']')));
}

TEST_CASE("counts are whole and without sign; a lone surrogate is replaced") {
  JsonWalk walk(R"([12,"12",-1,1.0,18446744073709551615,18446744073709551616,"\ud800"])");
  std::vector<std::optional<std::uint64_t>> counts;
  std::string last;
  while (walk.next()) {
    counts.push_back(walk.value().count());
    last = walk.value().string();
  }
  CHECK(counts == std::vector<std::optional<std::uint64_t>>{12, 12, std::nullopt, std::nullopt, UINT64_MAX,
                                                            std::nullopt, std::nullopt});
  CHECK(last == "\xef\xbf\xbd");
}
