// Double entry: every transaction is a set of entries that sum to zero. Customers' entries carry the balance they lead
// to; the bank's own books (cash, fees, interest) carry none, so that no row is shared by all transactions. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/sim/ledger_position.hpp"

namespace phoenix::modern_bank {

/// A customer's account as read under its lock.
struct Account {
  std::int64_t id = 0;
  std::string tier;
  std::string currency;
  std::int64_t balance_minor = 0;
  sim::LedgerPosition position;
};

struct CustomerEntry {
  std::int64_t account_id = 0;
  std::int64_t net_minor = 0;  ///< what the balance changes by, the fee included
  std::int64_t fee_minor = 0;  ///< the part of it that is a fee
  std::int64_t balance_after_minor = 0;
  sim::LedgerPosition position_after;
};

struct BookEntry {
  std::string_view book;  ///< "cash", "fees" or "interest"
  std::int64_t net_minor = 0;
};

enum class Kind : std::uint8_t { deposit, withdrawal, transfer, interest };
std::string_view to_string(Kind kind);

struct JournalTransaction {
  Kind kind = Kind::deposit;
  std::vector<CustomerEntry> customers;  ///< the holder (who pays the fee) first
  std::vector<BookEntry> books;
  [[nodiscard]] const CustomerEntry& holder() const { return customers.front(); }
  [[nodiscard]] bool balanced() const;
  /// No customer's balance passes sim::kMaxBalanceMinor.
  [[nodiscard]] bool within_limit() const;
};

/// Amounts and fees in hundredths. No value when the holder's balance would fall below zero.
std::optional<JournalTransaction> book_deposit(const Account& holder, std::int64_t amount_minor, std::int64_t fee_minor,
                                               std::string_view exchange_id);
std::optional<JournalTransaction> book_interest(const Account& holder, std::int64_t interest_minor,
                                                std::int64_t fee_minor, std::string_view exchange_id);
std::optional<JournalTransaction> book_withdrawal(const Account& holder, std::int64_t amount_minor,
                                                  std::int64_t fee_minor, std::string_view exchange_id);
std::optional<JournalTransaction> book_transfer(const Account& from, const Account& to, std::int64_t amount_minor,
                                                std::int64_t fee_minor, std::string_view exchange_id);

}  // namespace phoenix::modern_bank
