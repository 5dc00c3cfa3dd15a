#include "tests/traffic/workload.hpp"

#include <map>

#include "tests/support/catch.hpp"

using namespace phoenix::traffic;

namespace {
const Mix kMix = parse_mix("read=40,statement=10,deposit=20,withdrawal=15,transfer=15").value();
}

TEST_CASE("a seed decides the whole stream") {
  auto stream = [](std::uint64_t seed) {
    Workload workload(seed, 50, 0.9, kMix);
    std::vector<std::int64_t> values;
    for (int i = 0; i < 200; ++i) {
      const Operation op = workload.next();
      values.insert(values.end(), {static_cast<std::int64_t>(op.kind), op.account, op.to_account, op.amount_minor});
    }
    return values;
  };
  CHECK(stream(7) == stream(7));
  CHECK(stream(7) != stream(8));
}

TEST_CASE("operations are well formed and follow the mix") {
  Workload workload(1, 20, 0.9, kMix);
  std::map<Kind, int> counts;
  for (int i = 0; i < 20'000; ++i) {
    const Operation op = workload.next();
    ++counts[op.kind];
    REQUIRE(op.account >= 1);
    REQUIRE(op.account <= 20);
    REQUIRE((op.amount_minor > 0) == is_write(op.kind));
    REQUIRE((op.to_account != 0) == (op.kind == Kind::transfer));
    REQUIRE(op.to_account != op.account);
  }
  CHECK(counts[Kind::read] == Approx(8'000).margin(400));
  CHECK(counts[Kind::statement] == Approx(2'000).margin(250));
  CHECK(counts[Kind::transfer] == Approx(3'000).margin(300));
}

TEST_CASE("popularity is unequal with zipf and equal without") {
  auto most_popular = [](double zipf) {
    Workload workload(3, 100, zipf, kMix);
    std::map<std::int64_t, int> counts;
    for (int i = 0; i < 20'000; ++i) ++counts[workload.next().account];
    int most = 0;
    for (const auto& [account, count] : counts) most = std::max(most, count);
    return most;
  };
  CHECK(most_popular(0) < 300);
  CHECK(most_popular(1.2) > 3'000);
}

TEST_CASE("a mix names known kinds with weights that are not all zero") {
  CHECK(parse_mix("read=1").value()[index(Kind::read)] == 1);
  CHECK(parse_mix("read=1").value()[index(Kind::transfer)] == 0);
  for (const char* wrong : {"", "read", "read=x", "reed=1", "read=0", "read=1;deposit=2"})
    CHECK_FALSE(parse_mix(wrong).has_value());
}

TEST_CASE("interest names days and no amount") {
  Workload workload(1, 20, 0, parse_mix("interest=1").value());
  std::map<int, int> days;
  for (int i = 0; i < 600; ++i) {
    const Operation op = workload.next();
    REQUIRE(op.kind == Kind::interest);
    REQUIRE(op.amount_minor == 0);
    REQUIRE(op.days >= 1);
    REQUIRE(op.days <= 366);
    ++days[op.days];
  }
  CHECK(days.size() > 3);
  CHECK(days.count(365) == 1);
}
