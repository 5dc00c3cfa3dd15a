// The circuit breaker's states, with a clock of the test's own.
#include "gateway/circuit_breaker.hpp"

#include <thread>

#include "tests/support/catch.hpp"

using namespace phoenix::gateway;
using std::chrono::milliseconds;
using Pass = CircuitBreaker::Pass;
using State = CircuitBreaker::State;

namespace {

struct Breaker {
  CircuitBreaker breaker;
  CircuitBreaker::Limits limits{3, milliseconds(100)};
  CircuitBreaker::Time now{std::chrono::hours(1)};

  Pass enter() { return breaker.enter(limits, now); }
  void fail(Pass pass = Pass::normal) { breaker.failed(limits, pass, now); }
  void open() {
    for (int i = 0; i < limits.failures; ++i) fail(enter());
  }
};

}  // namespace

TEST_CASE_METHOD(Breaker, "it opens after so many failures in a row, not before") {
  fail(enter());
  fail(enter());
  CHECK(breaker.state(now) == State::closed);
  breaker.succeeded(enter());
  fail(enter());
  fail(enter());
  CHECK(enter() == Pass::normal);
  fail();
  CHECK(breaker.state(now) == State::open);
  CHECK(enter() == Pass::refused);
}

TEST_CASE_METHOD(Breaker, "half-open lets exactly one request try; its success closes") {
  open();
  now += milliseconds(99);
  CHECK(enter() == Pass::refused);
  now += milliseconds(1);
  CHECK(breaker.state(now) == State::half_open);
  CHECK(enter() == Pass::trial);
  CHECK(enter() == Pass::refused);
  CHECK(enter() == Pass::refused);
  breaker.succeeded(Pass::trial);
  CHECK(breaker.state(now) == State::closed);
  CHECK(enter() == Pass::normal);
  fail();
  fail();
  CHECK(enter() == Pass::normal);  // counting began anew
}

TEST_CASE_METHOD(Breaker, "a trial that fails opens it for as long again; one that tells nothing leaves its place") {
  open();
  now += milliseconds(100);
  REQUIRE(enter() == Pass::trial);
  fail(Pass::trial);
  CHECK(breaker.state(now) == State::open);
  now += milliseconds(99);
  CHECK(enter() == Pass::refused);
  now += milliseconds(1);
  REQUIRE(enter() == Pass::trial);
  breaker.abandoned(Pass::trial);
  CHECK(breaker.state(now) == State::half_open);
  CHECK(enter() == Pass::trial);
}

TEST_CASE_METHOD(Breaker, "requests that went before it opened neither close it nor hold it open") {
  open();
  now += milliseconds(50);
  breaker.succeeded(Pass::normal);
  CHECK(breaker.state(now) == State::open);
  for (int i = 0; i < 5; ++i) fail();
  now += milliseconds(50);
  CHECK(enter() == Pass::trial);
}

TEST_CASE_METHOD(Breaker, "without a limit it never opens, and a reset closes it") {
  open();
  breaker.reset();
  CHECK(breaker.state(now) == State::closed);
  limits.failures = 0;
  for (int i = 0; i < 100; ++i) fail(enter());
  CHECK(enter() == Pass::normal);
  CHECK(breaker.state(now) == State::closed);
}

TEST_CASE_METHOD(Breaker, "of many threads that ask a half-open breaker one gets the trial") {
  open();
  now += milliseconds(100);
  std::atomic<int> trials{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) trials += enter() == Pass::trial ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(trials == 1);
}
