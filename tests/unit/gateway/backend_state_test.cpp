// Passive ejection and what a reload keeps.
#include "gateway/backend_state.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::gateway;
using std::chrono::milliseconds;

namespace {

struct Backend {
  explicit Backend(int endpoints = 4) {
    for (int i = 0; i < endpoints; ++i)
      config.endpoints.push_back({{"10.0.0." + std::to_string(i + 1), 80}, "", false, 1});
    config.ejection = {3, milliseconds(1000), 50};
    state = registry.find(Side::legacy, config);
  }
  void fail(std::size_t endpoint, int times = 3) {
    for (int i = 0; i < times; ++i) state->failed(endpoint, now);
  }
  bool usable(std::size_t endpoint) { return state->endpoints[endpoint]->is_usable(now); }

  BackendRegistry registry;
  config::BackendConfig config;
  BackendStatePtr state;
  SteadyTime now{std::chrono::hours(1)};
};

}  // namespace

TEST_CASE("failures in a row eject an endpoint for a while; a success in between starts the count anew") {
  Backend backend;
  backend.fail(0, 2);
  backend.state->succeeded(0);
  backend.fail(0, 2);
  CHECK(backend.usable(0));
  backend.fail(0, 1);
  CHECK_FALSE(backend.usable(0));
  CHECK(backend.state->endpoints[0]->state(backend.now) == "ejected");
  CHECK(backend.state->endpoints[0]->ejections == 1);
  backend.now += milliseconds(999);
  CHECK_FALSE(backend.usable(0));
  backend.now += milliseconds(1);
  CHECK(backend.usable(0));
}

TEST_CASE("an endpoint that fails again soon stays away twice as long, up to ten times") {
  Backend backend;
  for (const int factor : {1, 2, 4, 8, 10, 10}) {
    backend.fail(0);
    backend.now += milliseconds(1000 * factor - 1);
    CHECK_FALSE(backend.usable(0));
    backend.now += milliseconds(1);
    CHECK(backend.usable(0));
  }
  backend.now += milliseconds(10'000);  // well for long
  backend.fail(0);
  backend.now += milliseconds(1000);
  CHECK(backend.usable(0));
}

TEST_CASE("never more than max_percent, and never a sole endpoint") {
  Backend four;
  for (std::size_t i = 0; i < 4; ++i) four.fail(i, 10);
  CHECK_FALSE(four.usable(0));
  CHECK_FALSE(four.usable(1));
  CHECK(four.usable(2));
  CHECK(four.usable(3));
  Backend three(3);
  three.fail(0, 10);
  three.fail(1, 10);
  CHECK_FALSE(three.usable(0));
  CHECK(three.usable(1));
  Backend one(1);
  one.fail(0, 100);
  CHECK(one.usable(0));
}

TEST_CASE("a reload keeps what is known of the endpoints that stay") {
  Backend backend;
  backend.fail(0);
  CHECK(backend.registry.find(Side::legacy, backend.config) == backend.state);
  config::BackendConfig changed = backend.config;
  changed.endpoints.erase(changed.endpoints.begin() + 1);
  changed.endpoints.push_back({{"10.0.0.9", 80}, "", false, 1});
  const auto after = backend.registry.find(Side::legacy, changed);
  CHECK(after != backend.state);
  CHECK(after->gate == backend.state->gate);
  CHECK(after->endpoints[0] == backend.state->endpoints[0]);
  CHECK_FALSE(after->endpoints[0]->is_usable(backend.now));
  CHECK(after->endpoints[1] == backend.state->endpoints[2]);
  CHECK(after->endpoints[3]->is_usable(backend.now));
  CHECK(backend.registry.find(Side::modern, backend.config)->gate != after->gate);
}

TEST_CASE("leases count against the limit until they end, whoever takes them over") {
  Backend backend;
  backend.config.in_flight = 2;
  backend.config.circuit_breaker = {2, milliseconds(100)};
  const auto state = backend.registry.find(Side::legacy, backend.config);
  std::size_t active = 0;
  Lease first;
  Lease second;
  Lease third;
  CHECK(first.enter(*state, backend.now) == Refusal::none);
  CHECK(second.enter(*state, backend.now) == Refusal::none);
  CHECK(third.enter(*state, backend.now) == Refusal::in_flight);
  first.attach(1, active);
  CHECK(active == 1);
  {
    const Lease taken = std::move(first);
    CHECK(active == 1);
  }
  CHECK(active == 0);
  CHECK(third.enter(*state, backend.now) == Refusal::none);
  second.judge(Lease::Verdict::bad);
  third.judge(Lease::Verdict::bad);
  second.end();
  third.end();
  CHECK(state->gate->in_flight == 0);
  CHECK(Lease().enter(*state, std::chrono::steady_clock::now()) == Refusal::circuit_open);
  Lease shadow;
  shadow.enter_ungated(*state);  // neither limit nor breaker
  CHECK(state->gate->in_flight == 0);
}
