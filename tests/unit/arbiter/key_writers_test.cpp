#include "arbiter/key_writers.hpp"

#include <random>

#include "tests/support/catch.hpp"

using namespace phoenix::arbiter;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

KeyWriter write(const std::string& gateway, std::int64_t from_s, std::int64_t to_s, const std::string& id = "x") {
  return {"payments", gateway, id, from_s * kSecond, to_s * kSecond};
}

}  // namespace

TEST_CASE("two gateways that write a key within a minute split it, one gateway never does") {
  std::vector<KeyWriter> writers;
  CHECK_FALSE(note_write(writers, write("gw-1", 0, 1, "a")));
  CHECK_FALSE(note_write(writers, write("gw-1", 2, 3, "b")));
  const auto other = note_write(writers, write("gw-2", 63, 64, "c"));  // 60 s after the end of b
  REQUIRE(other);
  CHECK(other->gateway == "gw-1");
  CHECK(other->exchange_id == "b");
}

TEST_CASE("more than a minute apart is no split, in whatever order the writes arrive") {
  for (const bool late : {false, true}) {
    std::vector<KeyWriter> writers;
    const KeyWriter first = write("gw-1", 0, 1), second = write("gw-2", 62, 63);
    CHECK_FALSE(note_write(writers, late ? second : first));
    CHECK_FALSE(note_write(writers, late ? first : second));
    CHECK(writers.size() == 2);
  }
}

TEST_CASE("a write lasts until its shadow leg is over") {
  std::vector<KeyWriter> writers;
  note_write(writers, write("gw-1", 0, 3'600));  // its shadow leg waited for an hour
  CHECK(note_write(writers, write("gw-2", 1'800, 1'801)));
}

TEST_CASE("another slice has keys of its own") {
  std::vector<KeyWriter> writers;
  note_write(writers, write("gw-1", 0, 1));
  auto other = write("gw-2", 0, 1);
  other.slice = "cards";
  CHECK_FALSE(note_write(writers, other));
}

TEST_CASE("a write that arrives late is compared with what was written around it, not with the latest alone") {
  std::vector<KeyWriter> writers;
  for (int at = 0; at <= 600; at += 50) note_write(writers, write("gw-1", at, at));
  CHECK(note_write(writers, write("gw-2", 100, 101)));
  CHECK_FALSE(note_write(writers, write("gw-3", -100, -61)));
}

TEST_CASE("a write that arrives later than newer ones of either gateway is compared, too") {
  std::vector<KeyWriter> writers;
  note_write(writers, write("gw-1", 0, 1, "early"));
  note_write(writers, write("gw-1", 1'000, 1'001));
  note_write(writers, write("gw-2", 2'000, 2'001));
  const auto other = note_write(writers, write("gw-2", 5, 6));
  REQUIRE(other);
  CHECK(other->exchange_id == "early");
}

TEST_CASE("what is remembered of a key is bounded: those that wrote last") {
  std::vector<KeyWriter> writers;
  for (int i = 0; i < 10; ++i) note_write(writers, write("gw-" + std::to_string(i), i * 100, i * 100));
  CHECK(writers.size() == kWritersKept);
  CHECK_FALSE(note_write(writers, write("old", 0, 0)));
  CHECK(writers.size() == kWritersKept);
  CHECK(note_write(writers, write("gw-new", 900, 900))->gateway == "gw-9");
}

TEST_CASE("two gateways in the order of time: found exactly when some pair is close enough") {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    std::vector<KeyWriter> writers, all;
    std::int64_t now = 0;
    bool found = false, expected = false;
    for (int i = 0; i < 6; ++i) {
      now += static_cast<std::int64_t>(random() % 120);
      const auto next = write(random() % 4 == 0 ? "gw-2" : "gw-1", now, now + static_cast<std::int64_t>(random() % 3));
      for (const auto& other : all) {
        expected = expected || (other.gateway != next.gateway && next.first_us - other.last_us <= kSplitWithinUs);
      }
      all.push_back(next);
      found = note_write(writers, next).has_value() || found;
    }
    REQUIRE(found == expected);
  }
}
