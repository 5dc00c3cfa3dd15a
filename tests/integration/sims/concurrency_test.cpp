#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "fixture.hpp"
#include "legacy_sims/account_service.hpp"
#include "modern_sims/account_service.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::sim_test;

namespace {

constexpr int kThreads = 32;
constexpr int kTransfersEach = 15;

sim::SimulatorKind each_kind() {
  return GENERATE(0, 1) == 0 ? legacy_bank::simulator_kind() : modern_bank::simulator_kind();
}

}  // namespace

TEST_CASE("32 clients on three hot accounts: no deadlock, no lost update, money conserved but for the fees") {
  RunningSimulator bank(each_kind(), 3, false, 16);
  const std::int64_t before = hundredths_from_text(bank.database().query("SELECT sum(balance) FROM accounts")).value();
  std::atomic<std::int64_t> fees = 0;
  std::atomic<int> answered = 0, wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      http::Client client = bank.client();
      for (int i = 0; i < kTransfersEach; ++i) {
        const int from = 1 + (t + i) % 3;
        const int to = 1 + (t + i + 1 + t % 2) % 3;  // both directions of every pair
        const Reply reply = send(client, "POST", "/transfers",
                                 fmt::format(R"({{"from_account":{},"to_account":{},"amount":1.20}})", from, to));
        ++answered;
        if (reply.status == 201)
          fees += reply.json().hundredths("/fee").value();
        else
          ++wrong;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(answered == kThreads * kTransfersEach);
  const std::int64_t after = hundredths_from_text(bank.database().query("SELECT sum(balance) FROM accounts")).value();
  CHECK(before - after == fees);
  CHECK(fees == kThreads * kTransfersEach * 3);
  CHECK(bank.database().query("SELECT sum(txn_count) FROM accounts") == std::to_string(2 * kThreads * kTransfersEach));
}

TEST_CASE("an exchange sent by many clients at once is carried out once") {
  RunningSimulator bank(each_kind(), 3);
  std::atomic<int> same = 0;
  std::vector<std::thread> threads;
  const std::string path = "/accounts/1/deposits";
  std::vector<std::string> bodies(16);
  for (std::size_t t = 0; t < bodies.size(); ++t)
    threads.emplace_back([&, t] {
      http::Client client = bank.client();
      bodies[t] = send(client, "POST", path, R"({"amount":5.00})", "only-once").body;
    });
  for (auto& thread : threads) thread.join();
  for (const auto& body : bodies) same += body == bodies.front();
  CHECK(same == 16);
  CHECK(bank.balance(1) == "2005.00");
}
