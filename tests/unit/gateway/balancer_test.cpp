// Balance policies: shares, stability, and what happens to endpoints that are not usable.
#include "gateway/balancer.hpp"

#include <fmt/format.h>

#include <map>
#include <random>

#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::gateway;
using config::Balance;

namespace {

constexpr std::array<Balance, 4> kPolicies{Balance::round_robin, Balance::least_requests, Balance::weighted,
                                           Balance::consistent_hash};

struct Endpoints {
  explicit Endpoints(const std::vector<int>& weights) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      configured.push_back({{fmt::format("core{}.bank.test", i), 80}, "", false, weights[i]});
      views.push_back({weights[i], 0, true, false});
    }
  }
  std::vector<config::BackendEndpoint> configured;
  std::vector<EndpointView> views;
};

std::map<std::size_t, int> shares(Balancer& balancer, const Endpoints& endpoints, int requests) {
  std::mt19937_64 random(7);
  std::map<std::size_t, int> out;
  for (int i = 0; i < requests; ++i)
    ++out[balancer.pick(endpoints.views, hash_of_key(fmt::format("account-{}", i)), random()).value()];
  return out;
}

}  // namespace

TEST_CASE("round robin goes by weight, smoothly") {
  const Endpoints endpoints({5, 1, 1});
  Balancer balancer(Balance::round_robin, endpoints.configured);
  std::string order;
  for (int i = 0; i < 14; ++i) order += static_cast<char>('a' + *balancer.pick(endpoints.views, 0, 0));
  CHECK(order == "aabacaaaabacaa");
}

TEST_CASE("random and hashed choices come close to the weights") {
  const Endpoints endpoints({1, 2, 5});
  for (const Balance policy : {Balance::weighted, Balance::consistent_hash}) {
    Balancer balancer(policy, endpoints.configured);
    const auto counts = shares(balancer, endpoints, 80'000);
    // Five standard deviations of a binomial count are 470 at most.
    CHECK(counts.at(0) == Approx(10'000).margin(500));
    CHECK(counts.at(1) == Approx(20'000).margin(650));
    CHECK(counts.at(2) == Approx(50'000).margin(700));
  }
}

TEST_CASE("the fewest requests for its weight wins, and ties go around") {
  Endpoints endpoints({1, 1, 4});
  Balancer balancer(Balance::least_requests, endpoints.configured);
  endpoints.views[0].in_flight = 2;
  endpoints.views[1].in_flight = 1;
  endpoints.views[2].in_flight = 6;
  CHECK(balancer.pick(endpoints.views, 0, 0) == 2u);  // 3/1, 2/1, 7/4
  endpoints.views[2].in_flight = 8;
  CHECK(balancer.pick(endpoints.views, 0, 0) == 1u);  // 3/1, 2/1, 9/4
  const Endpoints equal({1, 1, 1});
  Balancer fair(Balance::least_requests, equal.configured);
  CHECK(shares(fair, equal, 300) == std::map<std::size_t, int>{{0, 100}, {1, 100}, {2, 100}});
}

TEST_CASE("a key stays where it is; an endpoint that goes moves its own keys alone") {
  Endpoints endpoints({1, 1, 3, 1});
  Balancer balancer(Balance::consistent_hash, endpoints.configured);
  Balancer other_loop(Balance::consistent_hash, endpoints.configured);
  Endpoints fewer = endpoints;
  fewer.configured.erase(fewer.configured.begin() + 2);
  fewer.views.erase(fewer.views.begin() + 2);
  Balancer removed(Balance::consistent_hash, fewer.configured);
  Endpoints ejected = endpoints;
  ejected.views[2].usable = false;
  int moved = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t key = hash_of_key(fmt::format("{}", i));
    const std::size_t before = balancer.pick(endpoints.views, key, 0).value();
    REQUIRE(other_loop.pick(endpoints.views, key, 99).value() == before);
    const std::size_t after = removed.pick(fewer.views, key, 0).value();
    REQUIRE(balancer.pick(ejected.views, key, 0).value() == (after < 2 ? after : 3));
    moved += before == 2 ? 1 : 0;
    if (before != 2) REQUIRE(after == (before < 2 ? before : before - 1));
  }
  CHECK(moved == Approx(5'000).margin(300));
}

TEST_CASE("unusable endpoints are passed over, until none is usable: then all count again") {
  for (const Balance policy : kPolicies) {
    Endpoints endpoints({1, 1, 1});
    Balancer balancer(policy, endpoints.configured);
    endpoints.views[1].usable = false;
    auto counts = shares(balancer, endpoints, 3000);
    CHECK(counts.size() == 2);
    CHECK(counts.count(1) == 0);
    endpoints.views[0].usable = endpoints.views[2].usable = false;
    counts = shares(balancer, endpoints, 3000);
    CHECK(counts.size() == 3);
    for (const auto& [endpoint, count] : counts) CHECK(count == Approx(1000).margin(200));
  }
}

TEST_CASE("what a request has tried is not picked again; the usable ones come first") {
  for (const Balance policy : kPolicies) {
    Endpoints endpoints({1, 9, 1});
    Balancer balancer(policy, endpoints.configured);
    endpoints.views[1].usable = false;
    std::vector<std::size_t> order;
    while (const auto picked = balancer.pick(endpoints.views, 42, 42)) {
      order.push_back(*picked);
      endpoints.views[*picked].tried = true;
    }
    REQUIRE(order.size() == 3);
    CHECK(order[2] == 1);
    CHECK(order[0] != order[1]);
  }
}
