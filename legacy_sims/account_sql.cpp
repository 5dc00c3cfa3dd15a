#include "legacy_sims/account_sql.hpp"

#include <fmt/format.h>

namespace phoenix::legacy_bank {

namespace {

/// Moves the balances, books the postings and marks the change stream ($11) in one round trip; `also` is one more step.
std::string post_statement(const char* also) {
  return fmt::format(
      "WITH v AS (SELECT * FROM unnest($1::bigint[], $2::numeric[], $3::bigint[], $4::bigint[], $5::text[],"
      " $6::numeric[]) AS v(account_id, balance, txn_count, txn_hash, kind, fee)),"
      " moved AS (UPDATE accounts a SET balance = v.balance, txn_count = v.txn_count,"
      " txn_hash = v.txn_hash FROM v WHERE a.id = v.account_id),"
      " booked AS (INSERT INTO postings SELECT v.account_id, v.txn_count, $7, v.kind, $8::numeric, v.fee,"
      " v.balance, $9, $10::timestamptz FROM v){}"
      " SELECT pg_logical_emit_message(true, 'phoenix', $11)",
      also);
}

}  // namespace

std::vector<std::string> schema(std::int64_t seed_accounts) {
  return {
      "CREATE TABLE IF NOT EXISTS accounts (id bigint PRIMARY KEY, tier text NOT NULL, currency text NOT NULL,"
      " balance numeric(18,2) NOT NULL, txn_count bigint NOT NULL, txn_hash bigint NOT NULL,"
      " opened_at timestamptz NOT NULL) WITH (fillfactor = 70)",
      "ALTER TABLE accounts REPLICA IDENTITY FULL",  // the change stream tells the balance before
      "CREATE TABLE IF NOT EXISTS postings (account_id bigint NOT NULL, seq bigint NOT NULL, posting_id bigint NOT "
      "NULL,"
      " kind text NOT NULL, amount numeric(18,2) NOT NULL, fee numeric(18,2) NOT NULL,"
      " balance_after numeric(18,2) NOT NULL, exchange_id text NOT NULL, created_at timestamptz NOT NULL,"
      " PRIMARY KEY (account_id, seq))",
      "CREATE TABLE IF NOT EXISTS processed (exchange_id text PRIMARY KEY, status int NOT NULL, body text NOT NULL,"
      " created_at timestamptz NOT NULL DEFAULT now())",
      "CREATE SEQUENCE IF NOT EXISTS account_ids",
      "CREATE SEQUENCE IF NOT EXISTS posting_ids",
      fmt::format("INSERT INTO accounts SELECT id, CASE WHEN id % 5 = 0 THEN 'vip' ELSE 'standard' END, 'EUR',"
                  " 1000.00 * (1 + id % 10), 0, 0, now() FROM generate_series(1, {}) AS id ON CONFLICT DO NOTHING",
                  seed_accounts),
      fmt::format("SELECT setval('account_ids', GREATEST((SELECT last_value FROM account_ids), {} + 1), false)"
                  " WHERE NOT (SELECT is_called FROM account_ids) OR (SELECT last_value FROM account_ids) < {}",
                  seed_accounts, seed_accounts)};
}

void prepare_statements(pqxx::connection_base& connection) {
  // (SELECT nextval(…)) runs once, however many accounts are locked.
  connection.prepare("lock_accounts",
                     "SELECT a.id, a.tier, a.currency, a.balance, a.txn_count, a.txn_hash,"
                     " (SELECT nextval('posting_ids')) AS posting_id, p.status, p.body"
                     " FROM accounts a LEFT JOIN processed p ON p.exchange_id = $2"
                     " WHERE a.id = ANY($1::bigint[]) ORDER BY a.id FOR UPDATE OF a");
  connection.prepare("post", post_statement(", remembered AS (INSERT INTO processed VALUES ($9, $12, $13))"));
  connection.prepare("post_unremembered", post_statement(""));
  connection.prepare("next_posting_id", "SELECT nextval('posting_ids')");
  connection.prepare("remember", "INSERT INTO processed VALUES ($1, $2, $3)");
  connection.prepare("recall", "SELECT status, body FROM processed WHERE exchange_id = $1");
  connection.prepare("next_account_id", "SELECT nextval('account_ids')");
  connection.prepare("insert_account",
                     "INSERT INTO accounts VALUES ($1, $2, $3, 0, 1, $4, $5::timestamptz) ON CONFLICT DO NOTHING");
  connection.prepare("emit", "SELECT pg_logical_emit_message(true, 'phoenix', $1)");
  connection.prepare("read_account", "SELECT tier, currency, balance FROM accounts WHERE id = $1");
  connection.prepare("statement",
                     "SELECT a.balance, p.posting_id, p.kind, p.amount, p.fee, p.balance_after,"
                     " to_char(p.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
                     " FROM accounts a LEFT JOIN LATERAL (SELECT * FROM postings WHERE account_id = a.id"
                     " ORDER BY seq DESC LIMIT $2) p ON true WHERE a.id = $1 ORDER BY p.seq DESC");
}

}  // namespace phoenix::legacy_bank
