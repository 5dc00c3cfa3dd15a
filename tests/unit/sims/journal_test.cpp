#include "modern_sims/journal.hpp"

#include "core/sim/bank.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix::modern_bank;

namespace {

Account account(std::int64_t id, std::int64_t balance_minor) {
  return {id, "standard", "EUR", balance_minor, {7, 0}};
}

std::int64_t book_net(const JournalTransaction& transaction, std::string_view book) {
  for (const auto& entry : transaction.books)
    if (entry.book == book) return entry.net_minor;
  return 0;
}

}  // namespace

TEST_CASE("every transaction sums to zero") {
  const auto deposit = book_deposit(account(1, 100'00), 10'00, 0, "x").value();
  CHECK(deposit.balanced());
  CHECK(deposit.holder().balance_after_minor == 110'00);
  CHECK(book_net(deposit, "cash") == -10'00);

  const auto withdrawal = book_withdrawal(account(1, 100'00), 10'00, 1, "x").value();
  CHECK(withdrawal.balanced());
  CHECK(withdrawal.holder().balance_after_minor == 89'99);
  CHECK(book_net(withdrawal, "cash") == 10'00);
  CHECK(book_net(withdrawal, "fees") == 1);

  const auto transfer = book_transfer(account(1, 100'00), account(2, 5'00), 10'00, 25, "x").value();
  CHECK(transfer.balanced());
  CHECK(transfer.customers.at(0).balance_after_minor == 89'75);
  CHECK(transfer.customers.at(1).balance_after_minor == 15'00);
  CHECK(transfer.customers.at(1).fee_minor == 0);
  CHECK(book_net(transfer, "fees") == 25);
  CHECK(book_net(transfer, "cash") == 0);
}

TEST_CASE("balanced() notices a cent that went missing") {
  auto transfer = book_transfer(account(1, 100'00), account(2, 5'00), 10'00, 25, "x").value();
  transfer.customers.at(1).net_minor -= 1;
  CHECK_FALSE(transfer.balanced());
}

TEST_CASE("a balance never falls below zero, the fee counted") {
  CHECK(book_withdrawal(account(1, 10'00), 10'00, 0, "x").has_value());
  CHECK_FALSE(book_withdrawal(account(1, 10'00), 10'01, 0, "x").has_value());
  CHECK(book_transfer(account(1, 10'25), account(2, 0), 10'00, 25, "x").has_value());
  CHECK_FALSE(book_transfer(account(1, 10'24), account(2, 0), 10'00, 25, "x").has_value());
}

TEST_CASE("both accounts of a transfer move on by one position") {
  const auto transfer = book_transfer(account(1, 100'00), account(2, 5'00), 10'00, 25, "x").value();
  for (const auto& entry : transfer.customers) {
    CHECK(entry.position_after.txn_count == 8);
    CHECK(entry.position_after.txn_hash == phoenix::sim::position_hash("x"));
  }
}

TEST_CASE("interest comes out of a book of its own") {
  const auto interest = book_interest(account(1, 100'00), 42, 0, "x").value();
  CHECK(interest.balanced());
  CHECK(interest.holder().balance_after_minor == 100'42);
  CHECK(book_net(interest, "interest") == -42);
  CHECK(book_net(interest, "cash") == 0);
  CHECK(book_interest(account(1, 0), 0, 0, "x").value().books.empty());
}

TEST_CASE("a balance above the limit is noticed, on either account") {
  const std::int64_t limit = phoenix::sim::kMaxBalanceMinor;
  CHECK(book_deposit(account(1, limit - 5), 5, 0, "x").value().within_limit());
  CHECK_FALSE(book_deposit(account(1, limit - 5), 6, 0, "x").value().within_limit());
  CHECK_FALSE(book_transfer(account(1, 100'00), account(2, limit), 1, 0, "x").value().within_limit());
}
