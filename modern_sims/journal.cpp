#include "modern_sims/journal.hpp"

#include "core/sim/bank.hpp"

namespace phoenix::modern_bank {

namespace {

CustomerEntry entry(const Account& account, std::int64_t net_minor, std::int64_t fee_minor,
                    std::string_view exchange_id) {
  return {account.id, net_minor, fee_minor, account.balance_minor + net_minor, account.position.after(exchange_id)};
}

/// The bank's other side of what customers pay in, take out, or earn.
std::string_view counter_book(Kind kind) {
  return kind == Kind::interest ? "interest" : "cash";
}

/// The counter book takes what the customers' entries and the fee leave over.
std::optional<JournalTransaction> close(Kind kind, std::vector<CustomerEntry> customers, std::int64_t fee_minor) {
  if (customers.front().balance_after_minor < 0) return std::nullopt;
  JournalTransaction transaction{kind, std::move(customers), {}};
  std::int64_t open_minor = fee_minor;
  for (const auto& customer : transaction.customers) open_minor += customer.net_minor;
  if (fee_minor != 0) transaction.books.push_back({"fees", fee_minor});
  if (open_minor != 0) transaction.books.push_back({counter_book(kind), -open_minor});
  return transaction;
}

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::deposit:
      return "deposit";
    case Kind::withdrawal:
      return "withdrawal";
    case Kind::transfer:
      return "transfer";
    case Kind::interest:
      return "interest";
  }
  return "";
}

bool JournalTransaction::balanced() const {
  std::int64_t sum = 0;
  for (const auto& customer : customers) sum += customer.net_minor;
  for (const auto& book : books) sum += book.net_minor;
  return sum == 0;
}

bool JournalTransaction::within_limit() const {
  for (const auto& customer : customers)
    if (customer.balance_after_minor > sim::kMaxBalanceMinor) return false;
  return true;
}

std::optional<JournalTransaction> book_deposit(const Account& holder, std::int64_t amount_minor, std::int64_t fee_minor,
                                               std::string_view exchange_id) {
  return close(Kind::deposit, {entry(holder, amount_minor - fee_minor, fee_minor, exchange_id)}, fee_minor);
}

std::optional<JournalTransaction> book_interest(const Account& holder, std::int64_t interest_minor,
                                                std::int64_t fee_minor, std::string_view exchange_id) {
  return close(Kind::interest, {entry(holder, interest_minor - fee_minor, fee_minor, exchange_id)}, fee_minor);
}

std::optional<JournalTransaction> book_withdrawal(const Account& holder, std::int64_t amount_minor,
                                                  std::int64_t fee_minor, std::string_view exchange_id) {
  return close(Kind::withdrawal, {entry(holder, -amount_minor - fee_minor, fee_minor, exchange_id)}, fee_minor);
}

std::optional<JournalTransaction> book_transfer(const Account& from, const Account& to, std::int64_t amount_minor,
                                                std::int64_t fee_minor, std::string_view exchange_id) {
  return close(
      Kind::transfer,
      {entry(from, -amount_minor - fee_minor, fee_minor, exchange_id), entry(to, amount_minor, 0, exchange_id)},
      fee_minor);
}

}  // namespace phoenix::modern_bank
