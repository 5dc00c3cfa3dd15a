// Keys out of JSON bodies, beside a reference: nlohmann's tokens in a tree that keeps members which stand twice.
#include <random>

#include "gateway/route_table.hpp"
#include "tests/fuzz/json_reference.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using gateway::json_scalars_at;

namespace {

using Texts = std::vector<std::string>;

class Documents {
 public:
  explicit Documents(std::uint64_t seed) : random_(seed) {}

  std::string next() {
    std::string text = chance(40) ? "\xef\xbb\xbf" : "";
    text += value(0) + space();
    for (int i = 0; i < 2 && chance(3); ++i) damage(text);
    return text;
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }
  bool chance(std::size_t one_in) { return below(one_in) == 0; }
  const std::string& any(const Texts& of) { return of[below(of.size())]; }
  std::string space() { return chance(4) ? any({" ", "\n", "\t", "\r\n  "}) : ""; }
  std::string name() {
    static const Texts kNames = {"from", "to",    "id",         "a/b",      "m~n",       "",
                                 "0",    "1",     "\\u0066rom", "a\\/b",    "m\\u007en", "items",
                                 "x",    "from ", "account",    "\xc3\xa4", "t\\u006f"};
    return '"' + any(kNames) + '"';
  }
  std::string scalar() {
    static const Texts kScalars = {
        "0",
        "-0",
        "17",
        "-4711",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
        "1.0",
        "1e2",
        "1E+400",
        "1e-400",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "true",
        "false",
        "null",
        "nul",
        "True",
        "\"\"",
        "\"4711\"",
        "\"a\\nb\\\"\\u0000\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\xf0\x9f\x98\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xc0\xaf\"",
        "\"\xff\"",
        "\"tab\there\"",
        "\"\\x\"",
        "\"a long text that fills more than one block of the scan, so that it is read in several steps\""};
    // Most are well-formed, or hardly a document would be.
    return chance(12) ? any(kScalars) : any({"17", "\"4711\"", "\"x\"", "true", "null", "-5", "2.50", "\"\\u00e4/~\""});
  }
  std::string value(int depth) {
    if (depth > 5 || chance(2)) return space() + scalar();
    const bool object = !chance(3);
    std::string text = space() + (object ? "{" : "[");
    for (std::size_t left = below(4); left > 0; --left) {
      if (object) text += space() + name() + space() + ":";
      text += value(depth + 1) + space() + (left > 1 ? "," : "");
    }
    return text + space() + (object ? "}" : "]");
  }
  void damage(std::string& text) {
    static const std::string kBytes("\0\x01\x1f\x7f\x80\xff\"\\{}[],: 0-", 18);
    const std::size_t at = below(text.size() + 1);
    if (at < text.size() && chance(2)) {
      text.erase(at, 1);
    } else {
      text.insert(at, 1, kBytes[below(kBytes.size())]);
    }
  }

  std::mt19937_64 random_;
};

}  // namespace

TEST_CASE("keys of generated documents are those of the reference") {
  const Texts pointers = {"/from",    "/to/id", "/items/0", "/items/1/id", "/0",  "/1/from", "/", "/a~1b",
                          "/m~0n/to", "/from",  "",         "/\xc3\xa4",   "/to", "/x//0"};
  Documents documents(20261121);
  int found = 0;
  int valid = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string body = documents.next();
    const auto keys = json_scalars_at(body, pointers);
    REQUIRE(keys.size() == pointers.size());
    valid += fuzz::read_json_tree(body) ? 1 : 0;
    for (std::size_t k = 0; k < pointers.size(); ++k) {
      if (keys[k] != fuzz::slow_scalar_at(body, pointers[k])) FAIL_CHECK(pointers[k] << " in " << body);
      found += keys[k] ? 1 : 0;
    }
  }
  CHECK(valid > 1000);  // else it would show nothing
  CHECK(valid < 3800);
  CHECK(found > 1000);
}

TEST_CASE("keys lie at most 64 levels deep, and so does everything beside them") {
  const auto nested = [](int depth) {
    return R"({"from":"7","deep":)" + std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']') + "}";
  };
  CHECK(json_scalars_at(nested(63), {"/from"}).front() == "7");
  CHECK_FALSE(json_scalars_at(nested(64), {"/from"}).front());
  CHECK_FALSE(json_scalars_at(nested(100'000), {"/from"}).front());
}
