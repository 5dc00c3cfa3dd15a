#include "core/sim/ledger_position.hpp"

#include <string>

#include "tests/support/catch.hpp"

using phoenix::sim::LedgerPosition;
using phoenix::sim::position_hash;

TEST_CASE("positions do not depend on the order, but on the set") {
  const LedgerPosition start;
  CHECK(start.after("a").after("b") == start.after("b").after("a"));
  CHECK_FALSE(start.after("a").after("b") == start.after("a").after("c"));
  CHECK_FALSE(start.after("a") == start.after("a").after("a"));
  CHECK(start.after("a").after("b").txn_count == 2);
}

TEST_CASE("the hash stays within 63 bits, also when the sum wraps") {
  constexpr std::uint64_t kModulus = std::uint64_t{1} << 63;
  LedgerPosition position;
  std::uint64_t sum = 0;
  int wraps = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = std::to_string(i);
    REQUIRE(position_hash(id) >= 0);
    sum += static_cast<std::uint64_t>(position_hash(id));  // below 2^64: both are below 2^63
    wraps += sum >= kModulus;
    sum %= kModulus;
    position = position.after(id);
    REQUIRE(static_cast<std::uint64_t>(position.txn_hash) == sum);
  }
  CHECK(wraps > 100);  // or the test would not test wrapping
}

TEST_CASE("the hash is the same in every build: both ledgers and old rows depend on it") {
  CHECK(position_hash("") == 0x2d06800538d394c2);
}
