#include "arbiter/alignment.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;

namespace {

struct Account {
  AccountState state;
  AlignmentTimes times;
  Findings findings;
  std::int64_t now_us = 1'000'000;

  BalanceVerdict see(const std::string& id, std::optional<std::int64_t> difference, bool certain,
                     bool known_mismatch = false) {
    now_us += 10'000;
    state.last_completed_us = now_us;
    state.dirty = true;
    return judge_exchange(state, {id, now_us - 5'000, now_us, difference, certain, false, known_mismatch, true},
                          findings);
  }

  /// Both ledgers, read now.
  void read(std::int64_t legacy_minor, std::int64_t modern_minor, std::optional<std::int64_t> legacy_n,
            std::optional<std::int64_t> modern_n, std::int64_t wait_us = 10'000) {
    const auto covers = static_cast<std::uint64_t>(now_us);
    now_us += wait_us;
    for (const Side side : {Side::legacy, Side::modern}) {
      BalanceReading reading;
      reading.account = "7";
      reading.side = side;
      reading.exists = true;
      reading.balance_minor = side == Side::legacy ? legacy_minor : modern_minor;
      reading.currency = "EUR";
      reading.txn_count = side == Side::legacy ? legacy_n : modern_n;
      reading.txn_hash = reading.txn_count ? "h" + std::to_string(*reading.txn_count) : "";
      reading.read_at_us = now_us;
      reading.read_id = covers;
      take_reading(state, reading, now_us, times, findings);
    }
  }

  void pass(std::int64_t us) {
    now_us += us;
    pass_time(state, now_us, times, findings);
  }

  std::vector<std::pair<std::string, Verdict>> settled() {
    std::vector<std::pair<std::string, Verdict>> result;
    for (const auto& finding : findings.settled) result.emplace_back(finding.exchange_id, finding.verdict);
    findings.settled.clear();
    return result;
  }
};

using Settled = std::vector<std::pair<std::string, Verdict>>;

}  // namespace

TEST_CASE("one wrong posting is one mismatch: the gap is carried") {
  Account account;
  CHECK(account.see("a", 0, true) == BalanceVerdict::equal);
  CHECK(account.see("b", -5, true) == BalanceVerdict::different);
  CHECK(account.see("c", -5, true) == BalanceVerdict::equal);
  CHECK(account.see("d", -10, true) == BalanceVerdict::different);
  CHECK(account.see("e", -10, true) == BalanceVerdict::equal);
  CHECK(account.findings.confirmed == 2);
  CHECK(account.state.gap_minor() == -10);
  CHECK(account.state.differs_since == "b");
}

TEST_CASE("overlapping writes in another order are proven harmless by the next certain balance") {
  Account account;
  CHECK(account.see("a", 300, false) == BalanceVerdict::pending);
  CHECK(account.see("b", -200, false) == BalanceVerdict::pending);
  CHECK(account.see("c", 0, true) == BalanceVerdict::equal);
  CHECK(account.settled() == Settled{{"a", Verdict::order_dependent}, {"b", Verdict::order_dependent}});
  CHECK(account.findings.confirmed == 0);
  CHECK(account.state.suspects.empty());
}

TEST_CASE("or by both ledgers at one position") {
  Account account;
  account.see("a", 300, false);
  account.read(1'000, 1'300, 4, 3);  // modern has not applied everything
  CHECK(account.settled().empty());
  CHECK(account.state.dirty);
  account.read(1'000, 1'000, 4, 4);
  CHECK(account.settled() == Settled{{"a", Verdict::order_dependent}});
  CHECK_FALSE(account.state.dirty);
}

TEST_CASE("a reading says nothing about exchanges that were answered after it began") {
  Account account;
  const auto covers = static_cast<std::uint64_t>(account.now_us);
  account.see("a", 300, false);
  BalanceReading reading;
  reading.account = "7";
  reading.exists = true;
  reading.txn_count = 3;
  reading.read_at_us = account.now_us;
  reading.read_id = covers;
  take_reading(account.state, reading, account.now_us, account.times, account.findings);
  reading.side = Side::modern;
  take_reading(account.state, reading, account.now_us, account.times, account.findings);
  CHECK(account.settled().empty());
  CHECK(account.state.dirty);
  CHECK(account.state.suspects.size() == 1);
}

TEST_CASE("a known mismatch among overlapping writes takes the change, the others are harmless") {
  Account account;
  account.see("order", 300, false);
  account.see("wrong-fee", -205, false, true);
  CHECK(account.see("after", -5, true) == BalanceVerdict::equal);
  CHECK(account.settled() == Settled{{"order", Verdict::order_dependent}});
  CHECK(account.state.gap == -5);
  CHECK(account.findings.confirmed == 1);
  CHECK(account.see("later", -5, true) == BalanceVerdict::equal);
}

TEST_CASE("a suspect equal to the re-learned gap is a late match") {
  Account account;
  account.see("wrong-fee", -5, false, true);
  CHECK(account.see("right", -5, false) == BalanceVerdict::pending);
  account.read(1'000, 995, 2, 2);
  CHECK(account.settled() == Settled{{"right", Verdict::match_late}});
  CHECK(account.state.gap == -5);
}

TEST_CASE("a change that nothing explains makes the overlapping suspects mismatches") {
  Account account;
  account.see("a", -5, false);
  CHECK(account.see("b", -5, true) == BalanceVerdict::equal);
  CHECK(account.settled() == Settled{{"a", Verdict::mismatch}});
  CHECK(account.findings.confirmed == 1);
}

TEST_CASE("ledgers that differ at one position: a verdict on the account, once") {
  Account account;
  account.see("a", 0, true);
  account.read(1'000, 999, 5, 5);
  CHECK(account.settled().empty());  // held: the exchange may still be on its way
  account.pass(account.times.hold_us);
  REQUIRE(account.findings.settled.size() == 1);
  CHECK(account.findings.settled[0].detail ==
        "account 7: legacy 10.00, modern 9.99 at the same position (n=5), the gap was 0.00");
  CHECK(account.settled() == Settled{{"", Verdict::mismatch}});
  account.read(1'000, 999, 5, 5);
  account.pass(account.times.hold_us * 2);
  CHECK(account.settled().empty());
  CHECK(account.findings.confirmed == 1);
  CHECK_FALSE(account.state.dirty);
}

TEST_CASE("the exchange that explains a reading is found in time, or takes the verdict over later") {
  Account account;
  account.see("a", 0, true);
  const std::int64_t before = account.now_us + 1;
  account.read(1'000, 999, 5, 5);
  const bool late = GENERATE(false, true);
  if (late) {
    account.pass(account.times.hold_us);
    CHECK(account.settled() == Settled{{"", Verdict::mismatch}});
  }
  account.now_us += 1'000;
  const auto verdict =
      judge_exchange(account.state, {"b", before, account.now_us, -1, true, false, true, true}, account.findings);
  CHECK(account.findings.retracted.empty() == !late);
  CHECK(verdict == (late ? BalanceVerdict::equal : BalanceVerdict::different));
  account.pass(account.times.hold_us * 3);
  CHECK(account.settled().empty());
  CHECK(account.state.gap == -1);
}

TEST_CASE("a change seen in the ledgers before an exchange began is not that exchange's fault") {
  Account account;
  account.see("a", 0, true);
  account.read(1'000, 999, 5, 5);
  CHECK(account.see("b", -1, true) == BalanceVerdict::equal);
  CHECK(account.settled() == Settled{{"", Verdict::mismatch}});
}

TEST_CASE(
    "positions that stay different are decided once no leg can be on its way, and the account remains decidable") {
  Account account;
  account.see("a", 0, true);
  account.read(1'000, 1'000, 1, 1);
  account.see("b", std::nullopt, true);
  account.read(1'500, 1'000, 2, 1);
  CHECK(account.settled().empty());
  account.read(1'500, 1'000, 2, 1, account.times.absence_us);
  CHECK(account.settled() == Settled{{"", Verdict::missing_modern}});
  CHECK(account.state.gap == -500);
  CHECK_FALSE(account.state.dirty);
  CHECK(account.see("c", -500, true) == BalanceVerdict::equal);
  account.read(1'600, 1'100, 3, 2);
  CHECK_FALSE(account.state.dirty);
  CHECK(account.settled().empty());
}

TEST_CASE("a posting missing after a lost leg is unknown, never missing") {
  Account account;
  account.see("a", 0, true);
  account.read(1'000, 1'000, 1, 1);
  note_lost(account.state, account.now_us);
  account.state.dirty = true;
  account.read(1'500, 1'000, 2, 1);
  account.read(1'500, 1'000, 2, 1, account.times.absence_us);
  CHECK(account.settled() == Settled{{"", Verdict::unknown}});
  CHECK(account.findings.confirmed == 0);
}

TEST_CASE("an answer after a lost leg that moved the gap is unknown, the next ones count again") {
  Account account;
  note_lost(account.state, 1);
  CHECK(account.see("a", -500, true) == BalanceVerdict::unknown);
  CHECK(account.see("b", -500, true) == BalanceVerdict::equal);
  CHECK(account.see("c", -505, true) == BalanceVerdict::different);
}

TEST_CASE("without positions two equal readings at quiescence agree at once, a difference must last") {
  Account account;
  account.see("a", 300, false);
  account.read(1'000, 1'000, {}, {});
  account.read(1'000, 1'000, {}, {});
  CHECK(account.settled() == Settled{{"a", Verdict::order_dependent}});
  account.see("b", 0, true);
  account.read(1'000, 990, {}, {});
  account.read(1'000, 990, {}, {});
  CHECK(account.settled().empty());
  account.read(1'000, 990, {}, {}, account.times.absence_us);
  CHECK(account.settled() == Settled{{"", Verdict::mismatch}});
}

TEST_CASE("finer amounts grow the scale of the account; drift is never rounded to nothing") {
  AccountState account;
  account.currency = "EUR";
  account.gap = -5;
  CHECK(account.amount(*Decimal::parse("1.234")) == 1'234);
  CHECK(account.gap == -50);
  CHECK(account.gap_minor() == -5);
  account.gap = 1;
  CHECK(account.gap_minor() == 1);
  CHECK_FALSE(account.amount(*Decimal::parse("0.00000000001")));
}

TEST_CASE("an account survives being stored") {
  Account account;
  account.see("a", 300, false);
  account.see("b", -5, false, true);
  account.read(1'000, 1'300, 4, 3);
  account.state.advance_sequence("gw/1", 17);
  note_write(account.state.writers, {"payments", "gw-1", "a", 5, 7});
  account.state.suspicion = Suspicion{1, 2, 3, "detail", true};
  account.state.sealed = SealedDifference{"account/7/1", 5, 6};
  account.state.balance = {1'000, std::nullopt};
  const std::string text = encode(account.state);
  const auto back = decode_account_state(text);
  REQUIRE(back.has_value());
  CHECK(encode(*back) == text);
  CHECK(back->expected_sequence("gw/1") == 17);
  CHECK(back->suspects.size() == 1);
  REQUIRE(back->writers.size() == 1);
  CHECK(back->writers[0].last_us == 7);
  CHECK(back->moved_by == "b");
  CHECK(decode_account_state("{}").has_error());
}
