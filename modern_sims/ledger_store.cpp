#include "modern_sims/ledger_store.hpp"

#include <fmt/format.h>

#include "core/sim/exact_json.hpp"
#include "core/sim/pg_pool.hpp"

namespace phoenix::modern_bank {

namespace {

/// Accounts opened here while modern serves must not collide with those that legacy numbers meanwhile.
constexpr std::int64_t kFirstOwnAccountId = 1'000'000'001;

Account account_from(const pqxx::row& row) {
  return {row[0].as<std::int64_t>(),
          row[1].c_str(),
          row[2].c_str(),
          row[3].as<std::int64_t>(),
          {row[4].as<std::int64_t>(), row[5].as<std::int64_t>()}};
}

/// Moves the balances, books the entries and marks the change stream ($13) in one round trip; `also` is one more step.
std::string book_statement(const char* also) {
  return fmt::format(
      "WITH e AS (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], "
      "$6::bigint[])"
      " AS e(account_id, net, fee, balance_after, txn_count, txn_hash)),"
      " moved AS (UPDATE ledger_accounts a SET balance_minor = e.balance_after, txn_count = e.txn_count,"
      " txn_hash = e.txn_hash FROM e WHERE a.id = e.account_id),"
      " opened AS (INSERT INTO ledger_transactions VALUES ($7::uuid, $8, $9, $10::timestamptz)),"
      " customers AS (INSERT INTO customer_entries SELECT account_id, txn_count, $7::uuid, net, fee, balance_after "
      "FROM e),"
      " books AS (INSERT INTO book_entries SELECT $7::uuid, b.* FROM unnest($11::text[], $12::bigint[]) AS b){}"
      " SELECT pg_logical_emit_message(true, 'phoenix', $13)",
      also);
}

}  // namespace

std::vector<std::string> ledger_schema(std::int64_t seed_accounts) {
  return {
      "CREATE TABLE IF NOT EXISTS ledger_accounts (id bigint PRIMARY KEY, tier text NOT NULL, currency text NOT NULL,"
      " balance_minor bigint NOT NULL CHECK (balance_minor >= 0), txn_count bigint NOT NULL, txn_hash bigint NOT NULL,"
      " opened_at timestamptz NOT NULL) WITH (fillfactor = 70)",
      "ALTER TABLE ledger_accounts REPLICA IDENTITY FULL",  // the change stream tells the balance before
      "CREATE TABLE IF NOT EXISTS ledger_transactions (id uuid PRIMARY KEY, kind text NOT NULL,"
      " exchange_id text NOT NULL, created_at timestamptz NOT NULL)",
      "CREATE TABLE IF NOT EXISTS customer_entries (account_id bigint NOT NULL, seq bigint NOT NULL,"
      " transaction_id uuid NOT NULL, net_minor bigint NOT NULL, fee_minor bigint NOT NULL,"
      " balance_after_minor bigint NOT NULL, PRIMARY KEY (account_id, seq))",
      "CREATE TABLE IF NOT EXISTS book_entries (transaction_id uuid NOT NULL, book text NOT NULL,"
      " net_minor bigint NOT NULL, PRIMARY KEY (transaction_id, book))",
      "CREATE TABLE IF NOT EXISTS processed (exchange_id text PRIMARY KEY, status int NOT NULL, body text NOT NULL,"
      " created_at timestamptz NOT NULL DEFAULT now())",
      fmt::format("CREATE SEQUENCE IF NOT EXISTS account_ids START {}", kFirstOwnAccountId),
      "CREATE OR REPLACE VIEW accounts AS SELECT id, tier, currency,"
      " (balance_minor::numeric / 100)::numeric(18,2) AS balance, txn_count, txn_hash, opened_at FROM ledger_accounts",
      fmt::format("INSERT INTO ledger_accounts SELECT id, CASE WHEN id % 5 = 0 THEN 'vip' ELSE 'standard' END, 'EUR',"
                  " 100000 * (1 + id % 10), 0, 0, now() FROM generate_series(1, {}) AS id ON CONFLICT DO NOTHING",
                  seed_accounts)};
}

void prepare_ledger_statements(pqxx::connection_base& connection) {
  connection.prepare("recall", "SELECT status, body FROM processed WHERE exchange_id = $1");
  connection.prepare("lock",
                     "SELECT a.id, a.tier, a.currency, a.balance_minor, a.txn_count, a.txn_hash, p.status, p.body"
                     " FROM ledger_accounts a LEFT JOIN processed p ON p.exchange_id = $2"
                     " WHERE a.id = ANY($1::bigint[]) ORDER BY a.id FOR UPDATE OF a");
  connection.prepare("next_account_id", "SELECT nextval('account_ids')");
  connection.prepare(
      "insert_account",
      "INSERT INTO ledger_accounts VALUES ($1, $2, $3, 0, $4, $5, $6::timestamptz) ON CONFLICT DO NOTHING");
  connection.prepare("book", book_statement(", remembered AS (INSERT INTO processed VALUES ($9, $14, $15))"));
  connection.prepare("book_unremembered", book_statement(""));
  connection.prepare("remember", "INSERT INTO processed VALUES ($1, $2, $3)");
  connection.prepare("mark", "SELECT pg_logical_emit_message(true, 'phoenix', $1)");
  connection.prepare(
      "read_account",
      "SELECT id, tier, currency, balance_minor, txn_count, txn_hash FROM ledger_accounts WHERE id = $1");
  connection.prepare(
      "statement",
      "SELECT a.balance_minor, e.transaction_id, t.kind, e.net_minor, e.fee_minor, e.balance_after_minor,"
      " to_char(t.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
      " FROM ledger_accounts a LEFT JOIN LATERAL (SELECT * FROM customer_entries WHERE account_id = a.id"
      " ORDER BY seq DESC LIMIT $2) e ON true LEFT JOIN ledger_transactions t ON t.id = e.transaction_id"
      " WHERE a.id = $1 ORDER BY e.seq DESC");
}

std::optional<sim::Answer> LedgerTransaction::recall() {
  const pqxx::result rows = work_.exec_prepared("recall", exchange_id_);
  if (rows.empty()) return std::nullopt;
  return sim::Answer{rows[0][0].as<int>(), rows[0][1].c_str()};
}

std::map<std::int64_t, Account> LedgerTransaction::lock(const std::vector<std::int64_t>& ids,
                                                        std::optional<sim::Answer>& recalled) {
  std::vector<std::string> texts;
  for (const auto id : ids) texts.push_back(std::to_string(id));
  std::map<std::int64_t, Account> accounts;
  for (const auto& row : work_.exec_prepared("lock", sim::sql_array(texts), exchange_id_)) {
    if (!row[6].is_null()) recalled = sim::Answer{row[6].as<int>(), row[7].c_str()};
    Account account = account_from(row);
    accounts.emplace(account.id, std::move(account));
  }
  return accounts;
}

std::int64_t LedgerTransaction::next_account_id() {
  return work_.exec_prepared1("next_account_id")[0].as<std::int64_t>();
}

bool LedgerTransaction::insert_account(const Account& account, const std::string& opened_at) {
  return work_
             .exec_prepared("insert_account", account.id, account.tier, account.currency, account.position.txn_count,
                            account.position.txn_hash, opened_at)
             .affected_rows() == 1;
}

void LedgerTransaction::book(const JournalTransaction& transaction, const std::string& transaction_id,
                             const std::string& created_at, const std::optional<sim::Answer>& answer) {
  std::vector<std::string> ids, nets, fees, balances, counts, hashes, books, book_nets;
  for (const auto& entry : transaction.customers) {
    ids.push_back(std::to_string(entry.account_id));
    nets.push_back(std::to_string(entry.net_minor));
    fees.push_back(std::to_string(entry.fee_minor));
    balances.push_back(std::to_string(entry.balance_after_minor));
    counts.push_back(std::to_string(entry.position_after.txn_count));
    hashes.push_back(std::to_string(entry.position_after.txn_hash));
  }
  for (const auto& entry : transaction.books) {
    books.emplace_back(entry.book);
    book_nets.push_back(std::to_string(entry.net_minor));
  }
  using sim::sql_array;
  const std::string kind(to_string(transaction.kind));
  if (answer)
    work_.exec_prepared("book", sql_array(ids), sql_array(nets), sql_array(fees), sql_array(balances),
                        sql_array(counts), sql_array(hashes), transaction_id, kind, exchange_id_, created_at,
                        sql_array(books), sql_array(book_nets), change_message(), answer->status, answer->body);
  else
    work_.exec_prepared("book_unremembered", sql_array(ids), sql_array(nets), sql_array(fees), sql_array(balances),
                        sql_array(counts), sql_array(hashes), transaction_id, kind, exchange_id_, created_at,
                        sql_array(books), sql_array(book_nets), change_message());
}

void LedgerTransaction::remember(const sim::Answer& answer) {
  work_.exec_prepared("remember", exchange_id_, answer.status, answer.body);
}

void LedgerTransaction::mark_change_stream() {
  work_.exec_prepared("mark", change_message());
}

std::string LedgerTransaction::change_message() const {
  return fmt::format(R"({{"exchange_id":{}}})", quote_json(exchange_id_));
}

std::optional<Account> read_account(pqxx::connection_base& connection, std::int64_t id) {
  pqxx::nontransaction session(connection);
  const pqxx::result rows = session.exec_prepared("read_account", id);
  if (rows.empty()) return std::nullopt;
  return account_from(rows[0]);
}

std::optional<Statement> read_statement(pqxx::connection_base& connection, std::int64_t id, int length) {
  pqxx::nontransaction session(connection);
  const pqxx::result rows = session.exec_prepared("statement", id, length);
  if (rows.empty()) return std::nullopt;
  Statement statement{rows[0][0].as<std::int64_t>(), {}};
  for (const auto& row : rows) {
    if (row[1].is_null()) continue;  // no entries yet
    const auto net = row[3].as<std::int64_t>();
    const auto fee = row[4].as<std::int64_t>();
    const std::string kind = row[2].c_str();
    const std::int64_t gross = net + fee;  // the amount as the account saw it, signed
    statement.postings.push_back({quote_json(row[1].c_str()),
                                  kind != "transfer" ? kind
                                  : gross < 0        ? "transfer_out"
                                                     : "transfer_in",
                                  gross < 0 ? -gross : gross, fee, row[5].as<std::int64_t>(), row[6].c_str()});
  }
  return statement;
}

}  // namespace phoenix::modern_bank
