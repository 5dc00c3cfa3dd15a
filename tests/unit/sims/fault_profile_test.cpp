#include "core/sim/fault_profile.hpp"

#include <atomic>
#include <thread>

#include "tests/support/catch.hpp"

using namespace phoenix::sim;

TEST_CASE("a profile is changed key by key") {
  FaultProfile faults(true, false);
  REQUIRE(faults.update(R"({"latency":"20ms","wrong_fee_every":5,"wrong_fee_amount":0.02})").has_value());
  REQUIRE(
      faults.update(R"({"bug_compatible":true,"error_rate":0.25,"truncate":true,"duplicate_every":7})").has_value());
  const FaultSettings settings = faults.settings();
  CHECK(settings.latency == std::chrono::milliseconds{20});
  CHECK(settings.wrong_fee_every == 5);
  CHECK(settings.wrong_fee_minor == 2);
  CHECK(settings.error_rate == 0.25);
  CHECK(faults.bug_compatible());
  CHECK(faults.arithmetic().rounding == Rounding::truncate);
  CHECK(settings.duplicate_every == 7);
  CHECK(
      faults.to_json() ==
      R"({"latency":"20ms","error_rate":0.25,"hang":false,"reset":false,"wrong_fee_every":5,"wrong_fee_amount":0.02,"truncate":true,"duplicate_every":7,"drop_every":0,"silence_every":0,"year_days":365,"bug_compatible":true})");
}

TEST_CASE("an unknown key or a wrong value changes nothing at all") {
  FaultProfile faults(false, false);
  for (const char* wrong :
       {R"({"hang":true,"latancy":"20ms"})", R"({"hang":true,"bug_compatible":true})",
        R"({"hang":true,"error_rate":1.5})", R"({"hang":true,"latency":20})", R"({"hang":true,"latency":"2h"})",
        R"({"hang":true,"wrong_fee_every":-1})", R"({"hang":true,"wrong_fee_amount":0.001})",
        R"({"hang":true,"reset":"yes"})", R"({"hang":true,"truncate":1})", R"({"hang":true,"duplicate_every":-1})",
        R"({"hang":true,"duplicate_every":1.5})", R"({"hang":true,"drop_every":-1})",
        R"({"hang":true,"silence_every":"1"})", R"({"hang":true,"year_days":364})", R"({"hang":true)"})
    CHECK_FALSE(faults.update(wrong).has_value());
  CHECK_FALSE(faults.settings().hang);
}

TEST_CASE("hang and reset come before everything else; errors come at their rate") {
  FaultProfile faults(false, false);
  CHECK(faults.before_request() == RequestFault::none);
  REQUIRE(faults.update(R"({"error_rate":0.1})").has_value());
  int errors = 0;
  for (int i = 0; i < 10'000; ++i) errors += faults.before_request() == RequestFault::error;
  CHECK(errors > 800);
  CHECK(errors < 1'200);
  REQUIRE(faults.update(R"({"reset":true})").has_value());
  CHECK(faults.before_request() == RequestFault::reset);
  REQUIRE(faults.update(R"({"hang":true})").has_value());
  CHECK(faults.before_request() == RequestFault::hang);
}

TEST_CASE("exactly every n-th posting is charged too much, also from many threads") {
  FaultProfile faults(false, false);
  REQUIRE(faults.update(R"({"wrong_fee_every":50})").has_value());
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        PostingTurn turn(faults);
        wrong += turn.extra_minor(1'000) > 0;
        turn.answered(201, "x");
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 40);
  const std::string list = faults.wrong_fees_json();
  CHECK(std::count(list.begin(), list.end(), 'x') == 40 + 1);  // and one in "exchange_ids"
}

TEST_CASE("a retried transaction keeps its turn; what was not executed is not recorded") {
  FaultProfile faults(false, false);
  REQUIRE(faults.update(R"({"wrong_fee_every":2})").has_value());
  PostingTurn first(faults), second(faults), third(faults);
  CHECK(first.extra_minor(100) == 0);
  CHECK(second.extra_minor(100) == 1);
  CHECK(second.extra_minor(100) == 1);  // again, after a deadlock
  CHECK(third.extra_minor(100) == 0);
  second.answered(422, "refused after all");
  CHECK(faults.wrong_fees_json() == R"({"exchange_ids":[]})");
  second.answered(201, "done");
  CHECK(faults.wrong_fees_json() == R"({"exchange_ids":["done"]})");
}

TEST_CASE("a balance that would not cover the surcharge is spared") {
  FaultProfile faults(false, false);
  REQUIRE(faults.update(R"({"wrong_fee_every":1,"wrong_fee_amount":0.05})").has_value());
  PostingTurn poor(faults), exact(faults);
  CHECK(poor.extra_minor(4) == 0);
  poor.answered(201, "poor");
  CHECK(exact.extra_minor(5) == 5);
  CHECK(faults.wrong_fees_json() == R"({"exchange_ids":[]})");
}

TEST_CASE("every n-th posting is booked twice, unless the second booking would be refused") {
  FaultProfile faults(false, false);
  CHECK_FALSE(PostingTurn(faults).duplicate(true));
  REQUIRE(faults.update(R"({"duplicate_every":3})").has_value());
  for (int i = 1; i <= 12; ++i) {
    PostingTurn turn(faults);
    CHECK(turn.extra_minor(100) == 0);
    const bool twice = turn.duplicate(i != 6);
    CHECK(twice == (i % 3 == 0 && i != 6));
    CHECK(turn.duplicate(i != 6) == twice);  // again, after a deadlock: the same turn
    turn.answered(i == 9 ? 422 : 201, std::to_string(i));
  }
  CHECK(faults.duplicates_json() == R"({"exchange_ids":["3","12"]})");
  CHECK(faults.wrong_fees_json() == R"({"exchange_ids":[]})");
}

TEST_CASE("both faults count for themselves, from when they were set") {
  FaultProfile faults(false, false);
  REQUIRE(faults.update(R"({"wrong_fee_every":2})").has_value());
  (void)faults.count_posting();
  REQUIRE(faults.update(R"({"duplicate_every":2})").has_value());
  const auto second = faults.count_posting();
  CHECK(second.extra_fee_minor == 1);
  CHECK_FALSE(second.duplicate);
  const auto third = faults.count_posting();
  CHECK(third.extra_fee_minor == 0);
  CHECK(third.duplicate);
}

TEST_CASE("every n-th posting is dropped, and then not booked twice either") {
  FaultProfile faults(false, false);
  REQUIRE(faults.update(R"({"drop_every":3,"duplicate_every":3})").has_value());
  for (int i = 1; i <= 6; ++i) {
    PostingTurn turn(faults);
    CHECK_FALSE(turn.duplicate(true));
    CHECK(turn.drop() == (i % 3 == 0));
    CHECK(turn.drop() == (i % 3 == 0));  // again, after a deadlock: the same turn
    turn.answered(i == 6 ? 422 : 201, std::to_string(i));
  }
  CHECK(faults.drops_json() == R"({"exchange_ids":["3"]})");
  CHECK(faults.duplicates_json() == R"({"exchange_ids":[]})");
}

TEST_CASE("every n-th write that was carried out is silenced, from when that was set") {
  FaultProfile faults(false, false);
  CHECK_FALSE(faults.silence("before"));
  REQUIRE(faults.update(R"({"silence_every":2})").has_value());
  CHECK_FALSE(faults.silence("a"));
  CHECK(faults.silence("b"));
  CHECK_FALSE(faults.silence("c"));
  CHECK(faults.silences_json() == R"({"exchange_ids":["b"]})");
}

TEST_CASE("interest by another year") {
  FaultProfile faults(false, false);
  CHECK(faults.arithmetic().year_days == 365);
  REQUIRE(faults.update(R"({"year_days":360})").has_value());
  CHECK(faults.arithmetic().year_days == 360);
}
