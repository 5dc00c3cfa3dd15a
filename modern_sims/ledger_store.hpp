// The SQL of the modern bank: accounts in whole minor units, transactions and entries beside them, and a view
// `accounts` that shows balances in major units. Include in .cpp only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "core/sim/answers.hpp"
#include "core/sim/bank.hpp"
#include "modern_sims/journal.hpp"

namespace phoenix::modern_bank {

std::vector<std::string> ledger_schema(std::int64_t seed_accounts);
void prepare_ledger_statements(pqxx::connection_base& connection);

/// One database transaction. Undone unless commit() was reached. One thread.
class LedgerTransaction {
 public:
  LedgerTransaction(pqxx::connection_base& connection, std::string exchange_id)
      : work_(connection), exchange_id_(std::move(exchange_id)) {}

  /// The answer that this exchange was given before.
  std::optional<sim::Answer> recall();

  /// Locks the accounts in the order of their ids, so that transactions cannot wait for each other in a circle; fills
  /// in `recalled` where this exchange was answered before.
  std::map<std::int64_t, Account> lock(const std::vector<std::int64_t>& ids, std::optional<sim::Answer>& recalled);

  /// A fresh id from this side's own range.
  std::int64_t next_account_id();
  /// False when the id is taken.
  bool insert_account(const Account& account, const std::string& opened_at);

  /// Books, remembers the answer (none: a second booking follows) and marks the change stream, in one round trip.
  void book(const JournalTransaction& transaction, const std::string& transaction_id, const std::string& created_at,
            const std::optional<sim::Answer>& answer);
  /// Remembers an answer that moved no money.
  void remember(const sim::Answer& answer);
  void mark_change_stream();
  void commit() { work_.commit(); }

 private:
  [[nodiscard]] std::string change_message() const;

  pqxx::work work_;
  const std::string exchange_id_;
};

std::optional<Account> read_account(pqxx::connection_base& connection, std::int64_t id);

struct Statement {
  std::int64_t balance_minor = 0;
  std::vector<sim::PostingFacts> postings;  ///< newest first
};
std::optional<Statement> read_statement(pqxx::connection_base& connection, std::int64_t id, int length);

}  // namespace phoenix::modern_bank
