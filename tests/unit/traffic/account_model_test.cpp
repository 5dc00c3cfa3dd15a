#include "tests/traffic/account_model.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix::traffic;
using namespace std::chrono_literals;

namespace {

/// Account 1 is a standard customer's, account 5 a VIP's; both start with 100.00.
struct Fixture {
  AccountModel model{FeeModel::legacy_vip_fee, 2s};
  AccountModel::TimePoint now{1h};

  Fixture() {
    model.open(1, 100'00);
    model.open(5, 100'00);
  }
  AccountModel::Ticket begin(Kind kind, std::int64_t account, std::int64_t amount = 0, std::int64_t to = 0) {
    return model.begin({kind, account, to, amount}, now += 1ms);
  }
  /// The names of what is wrong, joined.
  std::string answer(AccountModel::Ticket ticket, int status, std::optional<std::int64_t> balance,
                     std::optional<std::int64_t> fee = 0) {
    std::string wrong;
    for (const auto& difference : model.complete(ticket, {status, fee, {}, balance, {}}, now += 1ms))
      wrong += (wrong.empty() ? "" : ",") + difference.what;
    return wrong;
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "operations that do not overlap must be exact") {
  CHECK(answer(begin(Kind::read, 1), 200, 100'00).empty());
  CHECK(answer(begin(Kind::deposit, 1, 10'00), 201, 110'00).empty());
  CHECK(answer(begin(Kind::withdrawal, 1, 20'00), 201, 90'00).empty());
  CHECK(answer(begin(Kind::transfer, 1, 10'00, 5), 201, 79'75, 25).empty());
  CHECK(model.exact_balance(1) == 79'75);
  CHECK(model.exact_balance(5) == 110'00);
}

TEST_CASE_METHOD(Fixture, "one cent too much or too little is found") {
  CHECK(answer(begin(Kind::read, 1), 200, 100'01) == "balance");
  CHECK(answer(begin(Kind::deposit, 5, 10'00), 201, 109'99) == "balance");
}

TEST_CASE_METHOD(Fixture, "a stale read is found: what was answered before must be visible") {
  CHECK(answer(begin(Kind::deposit, 1, 10'00), 201, 110'00).empty());
  CHECK(answer(begin(Kind::read, 1), 200, 100'00) == "balance");
}

TEST_CASE_METHOD(Fixture, "a wrong fee is one wrong answer, and the balance follows what was told") {
  CHECK(answer(begin(Kind::transfer, 1, 10'00, 5), 201, 89'74, 26) == "fee");
  CHECK(answer(begin(Kind::read, 1), 200, 89'74).empty());
  CHECK(answer(begin(Kind::deposit, 1, 1'00), 201, 90'73, 1) == "fee");
  CHECK(model.exact_balance(1) == 90'73);
}

TEST_CASE_METHOD(Fixture, "overlapping operations may be seen in any order, but not outside it") {
  const auto deposit = begin(Kind::deposit, 1, 10'00);
  SECTION("before it") {
    CHECK(answer(begin(Kind::read, 1), 200, 100'00).empty());
  }
  SECTION("after it") {
    CHECK(answer(begin(Kind::read, 1), 200, 110'00).empty());
  }
  SECTION("beyond it") {
    CHECK(answer(begin(Kind::read, 1), 200, 110'01) == "balance");
  }
  SECTION("below it") {
    CHECK(answer(begin(Kind::read, 1), 200, 99'99) == "balance");
  }
  CHECK(answer(deposit, 201, 110'00).empty());
}

TEST_CASE_METHOD(Fixture, "a write that was answered while a read was under way may still be missing in it") {
  const auto read = begin(Kind::read, 1);
  CHECK(answer(begin(Kind::deposit, 1, 10'00), 201, 110'00).empty());
  CHECK(answer(read, 200, 100'00).empty());
  CHECK(model.exact_balance(1) == 110'00);
}

TEST_CASE_METHOD(Fixture, "a transfer overlaps on both of its accounts") {
  const auto transfer = begin(Kind::transfer, 1, 10'00, 5);
  CHECK(answer(begin(Kind::read, 5), 200, 110'00).empty());
  CHECK(answer(begin(Kind::read, 5), 200, 110'01) == "balance");
  CHECK(answer(begin(Kind::read, 1), 200, 89'75).empty());
  CHECK(answer(transfer, 201, 89'75, 25).empty());
}

TEST_CASE_METHOD(Fixture, "an overlapping wrong fee widens what others may see") {
  const auto read = begin(Kind::read, 1);
  CHECK(answer(begin(Kind::withdrawal, 1, 10'00), 201, 89'95, 5) == "fee");
  CHECK(answer(read, 200, 89'95).empty());
}

TEST_CASE_METHOD(Fixture, "a refusal must be deserved, and an acceptance covered") {
  CHECK(answer(begin(Kind::withdrawal, 1, 100'01), 422, {}).empty());
  CHECK(answer(begin(Kind::withdrawal, 1, 100'00), 422, {}) == "refusal");
  CHECK(answer(begin(Kind::withdrawal, 1, 100'01), 201, -1) == "balance");
}

TEST_CASE_METHOD(Fixture, "a refusal is right if overlapping writes could have emptied the account") {
  const auto other = begin(Kind::withdrawal, 1, 60'00);
  CHECK(answer(begin(Kind::withdrawal, 1, 60'00), 422, {}).empty());
  CHECK(answer(other, 201, 40'00).empty());
}

TEST_CASE_METHOD(Fixture,
                 "a write without an answer makes the account unknown until it is read again, later and undisturbed") {
  model.fail(begin(Kind::transfer, 1, 10'00, 5), now);
  CHECK(model.unknown_accounts() == 2);
  CHECK(answer(begin(Kind::read, 1), 200, 12'34).empty());  // too early: it may still be applied
  CHECK_FALSE(model.exact_balance(1));
  now += 3s;
  const auto deposit = begin(Kind::deposit, 1, 1'00);
  CHECK(answer(begin(Kind::read, 1), 200, 55'55).empty());  // disturbed
  CHECK_FALSE(model.exact_balance(1));
  CHECK(answer(deposit, 201, 90'00).empty());  // itself undisturbed by writes: its answer will do
  CHECK(model.exact_balance(1) == 90'00);
  CHECK(answer(begin(Kind::read, 1), 200, 90'01) == "balance");
}

TEST_CASE_METHOD(Fixture, "a read without an answer says nothing about the account") {
  model.fail(begin(Kind::read, 1), now);
  CHECK(model.exact_balance(1) == 100'00);
}

TEST_CASE_METHOD(Fixture, "the same wrong balance is reported once") {
  CHECK(answer(begin(Kind::read, 1), 200, 99'00) == "balance");
  CHECK(answer(begin(Kind::read, 1), 200, 99'00).empty());
  CHECK(model.exact_balance(1) == 99'00);
}

namespace {

/// Account 1 holds 10,000.00 at the float-rounding bank.
struct InterestFixture {
  AccountModel model{FeeModel::legacy_float, 2s};
  AccountModel::TimePoint now{1h};

  InterestFixture() { model.open(1, 10'000'00); }
  AccountModel::Ticket begin(const Operation& operation) { return model.begin(operation, now += 1ms); }
  AccountModel::Ticket begin_interest(int days) { return begin({Kind::interest, 1, 0, 0, days}); }
  std::string answer(AccountModel::Ticket ticket, std::int64_t balance, std::int64_t amount) {
    std::string wrong;
    for (const auto& difference : model.complete(ticket, {201, 0, amount, balance, {}}, now += 1ms))
      wrong += (wrong.empty() ? "" : ",") + difference.what;
    return wrong;
  }
};

}  // namespace

TEST_CASE_METHOD(InterestFixture, "interest must be right for the balance") {
  SECTION("right") {
    CHECK(answer(begin_interest(31), 10'042'47, 42'47).empty());
    CHECK(model.exact_balance(1) == 10'042'47);
  }
  SECTION("a cent less") {
    CHECK(answer(begin_interest(31), 10'042'46, 42'46) == "interest");
    CHECK(model.exact_balance(1) == 10'042'46);  // it follows what was told
  }
  SECTION("right for another balance") {
    CHECK(answer(begin_interest(31), 10'042'48, 42'47) == "balance");
  }
}

TEST_CASE_METHOD(InterestFixture, "interest beside a deposit is that of either balance, and of no other") {
  const auto deposit = begin({Kind::deposit, 1, 0, 100'00});
  const auto interest = begin_interest(31);
  SECTION("before it") {
    CHECK(answer(interest, 10'042'47, 42'47).empty());
    CHECK(answer(deposit, 10'142'47, 100'00).empty());
  }
  SECTION("after it") {
    CHECK(answer(interest, 10'142'89, 42'89).empty());
    CHECK(answer(deposit, 10'100'00, 100'00).empty());
  }
  SECTION("beyond it") {
    CHECK(answer(interest, 10'142'90, 42'89) == "balance");
  }
  SECTION("of one balance on the other") {
    CHECK(answer(interest, 10'042'89, 42'89) == "interest");
  }
}

TEST_CASE_METHOD(InterestFixture, "what overlaps with interest may see it or not, also compounded") {
  const auto year = begin_interest(365);
  const auto another = begin_interest(365);
  const auto read = begin({Kind::read, 1, 0, 0});
  SECTION("none") {
    CHECK(answer(read, 10'000'00, 0).empty());
  }
  SECTION("both") {
    CHECK(answer(read, 11'025'00, 0).empty());
  }
  SECTION("more than both") {
    CHECK(answer(read, 11'025'10, 0) == "balance");
  }
  CHECK(answer(year, 10'500'00, 500'00).empty());
  CHECK(answer(another, 11'025'00, 525'00).empty());
}

TEST_CASE_METHOD(InterestFixture, "a credit may be refused only where the balance could pass the bank's limit") {
  model.open(2, 1'000'000'000'000'000);
  auto refused = [&](const Operation& operation) {
    return model.complete(begin(operation), {422, {}, {}, {}, {}}, now += 1ms).size();
  };
  CHECK(refused({Kind::deposit, 2, 0, 1}) == 0);
  CHECK(refused({Kind::interest, 2, 0, 0, 1}) == 0);
  CHECK(refused({Kind::transfer, 1, 2, 1'00}) == 0);
  CHECK(refused({Kind::deposit, 1, 0, 1}) == 1);
  CHECK(refused({Kind::interest, 1, 0, 0, 1}) == 1);
  CHECK(refused({Kind::withdrawal, 2, 0, 1}) == 1);
}
