// The two banks against each other: the same where they promise it, different exactly where they must.
#include <fmt/format.h>

#include <map>
#include <set>

#include "core/sim/seed_rules.hpp"
#include "fixture.hpp"
#include "legacy_sims/account_service.hpp"
#include "modern_sims/account_service.hpp"
#include "tests/support/catch.hpp"
#include "tests/traffic/price_model.hpp"
#include "tests/traffic/workload.hpp"

using namespace phoenix;
using namespace phoenix::sim_test;

namespace {

constexpr const char* kPositionQuery =
    "SELECT string_agg(id || ' ' || balance || ' ' || currency || ' ' || txn_count || ' ' || txn_hash::text, '; ' "
    "ORDER BY id)"
    " FROM accounts";

/// Everything but posting ids and time stamps, which are each side's own.
std::string comparable(const Reply& reply) {
  std::map<std::string, std::string> fields;  // sorted by pointer
  const ExactJson document = reply.json();
  for (const auto& [pointer, scalar] : document.scalars()) {
    const bool own = pointer.find("posting_id") != std::string::npos || pointer.find("_at") != std::string::npos ||
                     pointer == "/as_of";
    if (!own) fields[pointer] = scalar.text;
  }
  std::string text = std::to_string(reply.status);
  for (const auto& [pointer, value] : fields) text += " " + pointer + "=" + value;
  return text;
}

Reply carry_out(RunningSimulator& bank, const traffic::Operation& op, const std::string& exchange_id) {
  const std::string amount = hundredths_to_text(op.amount_minor);
  switch (op.kind) {
    case traffic::Kind::read:
      return bank.send("GET", fmt::format("/accounts/{}", op.account));
    case traffic::Kind::statement:
      return bank.send("GET", fmt::format("/accounts/{}/statement", op.account));
    case traffic::Kind::deposit:
      return bank.deposit(op.account, amount, exchange_id);
    case traffic::Kind::withdrawal:
      return bank.withdraw(op.account, amount, exchange_id);
    case traffic::Kind::interest:
      return bank.interest(op.account, op.days, exchange_id);
    case traffic::Kind::transfer:
      break;
  }
  return bank.transfer(op.account, op.to_account, amount, exchange_id);
}

traffic::Workload mixed_workload() {
  // Many large transfers on few accounts, so that overdrafts occur too.
  return {11, 10, 0.9,
          traffic::parse_mix("read=10,statement=10,deposit=5,withdrawal=20,transfer=45,interest=10").value()};
}

}  // namespace

TEST_CASE("bug-compatible modern answers as legacy does, to the cent, and ends in the same position") {
  const BankPair pair = GENERATE(0, 1) == 0 ? vip_fee_pair() : float_rounding_pair();
  RunningSimulator legacy(pair.legacy, 10);
  RunningSimulator modern(pair.modern, 10, true);
  CHECK(legacy.database().query(kPositionQuery) == modern.database().query(kPositionQuery));
  traffic::Workload workload = mixed_workload();
  std::set<int> statuses;
  for (int i = 0; i < 600; ++i) {
    traffic::Operation op = workload.next();
    if (op.kind == traffic::Kind::withdrawal && i % 5 == 0) op.amount_minor *= 80;
    if (op.kind == traffic::Kind::transfer) op.amount_minor = op.amount_minor / 200 * 200 + 100;  // half a cent of fee
    const std::string id = fmt::format("exchange-{}", i);
    const Reply a = carry_out(legacy, op, id);
    const Reply b = carry_out(modern, op, id);
    REQUIRE(comparable(a) == comparable(b));
    statuses.insert(a.status);
  }
  CHECK(statuses == std::set<int>{200, 201, 422});  // refusals were compared too
  CHECK(legacy.database().query(kPositionQuery) == modern.database().query(kPositionQuery));
  CHECK(
      modern.database().query("SELECT count(*) FROM (SELECT transaction_id, sum(net) FROM (SELECT transaction_id,"
                              " net_minor AS net FROM customer_entries UNION ALL SELECT transaction_id, net_minor FROM"
                              " book_entries) e GROUP BY 1 HAVING sum(net) <> 0) unbalanced") == "0");
}

TEST_CASE("without compatibility they differ on the fees of VIPs' transfers, and on nothing else") {
  RunningSimulator legacy(legacy_bank::simulator_kind(), 10);
  RunningSimulator modern(modern_bank::simulator_kind(), 10, false);
  traffic::Workload workload = mixed_workload();
  int differing = 0;
  for (int i = 0; i < 300; ++i) {
    const traffic::Operation op = workload.next();
    if (!traffic::is_write(op.kind)) continue;
    const std::string id = fmt::format("exchange-{}", i);
    const Reply a = carry_out(legacy, op, id);
    const Reply b = carry_out(modern, op, id);
    if (a.status != 201 || b.status != 201) continue;
    const bool vip_transfer = op.kind == traffic::Kind::transfer && sim::seeded_tier(op.account) == "vip";
    REQUIRE((a.at("/fee") == b.at("/fee") || vip_transfer));
    differing += a.at("/fee") != b.at("/fee");
  }
  CHECK(differing > 10);

  const Reply a = legacy.transfer(5, 1, "10.00", "vip");
  const Reply b = modern.transfer(5, 1, "10.00", "vip");
  CHECK(a.at("/fee") == "0.25");
  CHECK(b.at("/fee") == "0.20");
}

TEST_CASE("precision without compatibility is exact where float-rounding is not, and differs on nothing else") {
  RunningSimulator legacy(float_rounding_pair().legacy, 10);
  RunningSimulator modern(float_rounding_pair().modern, 10, false);
  traffic::Workload workload(12, 10, 0.9,
                             traffic::parse_mix("deposit=10,withdrawal=10,transfer=40,interest=40").value());
  int fees = 0, interest = 0;
  for (int i = 0; i < 400; ++i) {
    traffic::Operation op = workload.next();
    if (op.kind == traffic::Kind::transfer && i % 4 == 0) op.amount_minor = op.amount_minor / 200 * 200 + 100;
    const std::string id = fmt::format("exchange-{}", i);
    for (auto [bank, model] :
         {std::pair{&legacy, traffic::FeeModel::legacy_float}, {&modern, traffic::FeeModel::exact}}) {
      const Reply reply = carry_out(*bank, op, id);
      if (reply.status != 201) continue;
      const ExactJson json = reply.json();
      const std::int64_t amount = json.hundredths("/amount").value();
      const std::int64_t before = json.hundredths("/balance_after").value() - amount;
      REQUIRE(json.hundredths("/fee").value() == traffic::right_fees(model, op).least);
      if (op.kind == traffic::Kind::interest) REQUIRE(amount == traffic::right_interest(model, before, op.days));
    }
    fees += traffic::right_fees(traffic::FeeModel::legacy_float, op).least !=
            traffic::right_fees(traffic::FeeModel::exact, op).least;
    interest += op.kind == traffic::Kind::interest;
  }
  CHECK(fees > 10);
  CHECK(interest > 100);
}

TEST_CASE("each side has its own posting ids and time stamps") {
  RunningSimulator legacy(legacy_bank::simulator_kind(), 1);
  RunningSimulator modern(modern_bank::simulator_kind(), 1);
  const Reply a = legacy.deposit(1, "1.00");
  const Reply b = modern.deposit(1, "1.00");
  CHECK(a.json().whole("/posting_id").value() > 0);
  CHECK(b.json().string("/posting_id").value().size() == 36);
  CHECK(a.at("/created_at").size() == std::string("2026-01-01T10:00:00Z").size());
  CHECK(b.at("/created_at").size() == std::string("2026-01-01T10:00:00.000Z").size());
}
