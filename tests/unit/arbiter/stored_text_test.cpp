// How the arbiter's state is kept in memory and written for Postgres.
#include <random>
#include <unordered_map>

#include "arbiter/account_state.hpp"
#include "arbiter/clean_text.hpp"
#include "arbiter/id_map.hpp"
#include "arbiter/json_text.hpp"
#include "arbiter/pg_array.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;

TEST_CASE("a map by hashes of ids does what a map by ids does") {
  std::mt19937_64 random(7);
  IdMap<int> map;
  std::unordered_map<std::string, int> expected;
  for (int step = 0; step < 40'000; ++step) {
    const std::string id = "0199aabb-" + std::to_string(random() % 3'000);
    const int value = static_cast<int>(random() % 1'000);
    switch (random() % 4) {
      case 0:
        REQUIRE(map.insert(IdHash::of(id), value) == expected.emplace(id, value).second);
        break;
      case 1:
        map.insert_or_assign(id, value);
        expected[id] = value;
        break;
      default:
        map.erase(id);
        expected.erase(id);
    }
    REQUIRE(map.size() == expected.size());
    const std::string other = "0199aabb-" + std::to_string(random() % 3'000);
    const auto at = expected.find(other);
    REQUIRE(map.contains(other) == (at != expected.end()));
    if (at != expected.end()) REQUIRE(map.at(other) == at->second);
  }
  REQUIRE(map.size() > 500);
  CHECK_THROWS_AS(map.at("never seen"), std::out_of_range);
}

TEST_CASE("an account's text has its members by name, and only those that say something") {
  AccountState account;
  account.slice = "payments";
  account.last_completed_us = 17;
  CHECK(encode(account) == R"({"at":17,"scale":2,"slice":"payments"})");
  account.aligned_once = account.dirty = account.lost = account.order_differed = account.rebased = true;
  account.base = {1, -2};
  account.currency = "EUR";
  account.differs_since = "a \"quoted\" id\n";
  account.gap = -5;
  account.balance = {100, 95};
  account.next_sequence = {{"gw/1", 4}, {"gw/2", 9}};
  account.writers = {{"payments", "gw", "id-1", 3, 4}};
  account.suspects = {{"id-2", -7, 8}};
  account.suspicion = Suspicion{1, 2, 3, "caf\xc3\xa9", true};
  account.sealed = SealedDifference{"account/x", 5, 6};
  const std::string text = encode(account);
  CHECK(text ==
        R"({"aligned":true,"at":17,"base":[1,-2],"currency":"EUR","differs_since":"a \"quoted\" id\n","dirty":true,)"
        R"("gap":-5,"legacy":100,"lost":true,"modern":95,"order_differed":true,"scale":2,"sealed":["account/x",5,6],)"
        R"("sequence":[["gw/1",4],["gw/2",9]],"slice":"payments","suspects":[["id-2",-7,8]],)"
        "\"suspicion\":[1,2,3,\"caf\xc3\xa9\",true],"
        R"("writers":[["payments","gw","id-1",3,4]]})");
  CHECK(encode(decode_account_state(text).value()) == text);
}

TEST_CASE("strings in JSON text are escaped, and what is not UTF-8 is replaced") {
  const auto written = [](std::string_view text) {
    std::string out;
    append_json(out, text);
    return out;
  };
  CHECK(written("") == R"("")");
  CHECK(written("plain, and long enough for a vector") == R"("plain, and long enough for a vector")");
  CHECK(written("\x01 \\ \"") == R"("\u0001 \\ \"")");
  CHECK(written("\xff") == "\"\xef\xbf\xbd\"");
}

TEST_CASE("text is cleaned in place as in a copy") {
  for (const std::string_view text : {std::string_view("plain"), std::string_view("caf\xc3\xa9"),
                                      std::string_view("a\0b", 3), std::string_view("0123456789abcdef\xff")}) {
    std::string cleaned(text);
    clean(cleaned);
    CHECK(cleaned == clean_text(text));
  }
}

TEST_CASE("an array in Postgres's binary form") {
  PgArray numbers(PgArray::Type::bigint);
  numbers.add(std::int64_t{258});
  numbers.add(std::int64_t{-1});
  const std::string expected(
      "\0\0\0\1\0\0\0\0\0\0\0\24\0\0\0\2\0\0\0\1"
      "\0\0\0\10\0\0\0\0\0\0\1\2\0\0\0\10\377\377\377\377\377\377\377\377",
      44);
  CHECK(numbers.take() == expected);
}
