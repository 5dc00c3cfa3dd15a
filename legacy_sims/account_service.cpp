#include "legacy_sims/account_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/runtime/clock.hpp"
#include "core/sim/answers.hpp"
#include "core/sim/database_setup.hpp"
#include "core/sim/exact_json.hpp"
#include "core/sim/ledger_position.hpp"
#include "core/sim/pg_pool.hpp"
#include "legacy_sims/commission.hpp"

namespace phoenix::legacy_bank {

using sim::Answer;
using sim::LedgerPosition;
using sim::Refusal;

namespace {

std::vector<std::string> schema(std::int64_t seed_accounts) {
  return {
      "CREATE TABLE IF NOT EXISTS accounts (id bigint PRIMARY KEY, tier text NOT NULL, currency text NOT NULL,"
      " balance numeric(18,2) NOT NULL, txn_count bigint NOT NULL, txn_hash bigint NOT NULL,"
      " opened_at timestamptz NOT NULL) WITH (fillfactor = 70)",
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

void prepare(pqxx::connection_base& connection) {
  // (SELECT nextval(…)) runs once, however many accounts are locked.
  connection.prepare("lock_accounts",
                     "SELECT a.id, a.tier, a.currency, a.balance, a.txn_count, a.txn_hash,"
                     " (SELECT nextval('posting_ids')) AS posting_id, p.status, p.body"
                     " FROM accounts a LEFT JOIN processed p ON p.exchange_id = $2"
                     " WHERE a.id = ANY($1::bigint[]) ORDER BY a.id FOR UPDATE OF a");
  connection.prepare(
      "post",
      "WITH v AS (SELECT * FROM unnest($1::bigint[], $2::numeric[], $3::bigint[], $4::bigint[], $5::text[],"
      " $6::numeric[]) AS v(account_id, balance, txn_count, txn_hash, kind, fee)),"
      " moved AS (UPDATE accounts a SET balance = v.balance, txn_count = v.txn_count,"
      " txn_hash = v.txn_hash FROM v WHERE a.id = v.account_id),"
      " booked AS (INSERT INTO postings SELECT v.account_id, v.txn_count, $7, v.kind, $8::numeric, v.fee,"
      " v.balance, $9, $10::timestamptz FROM v),"
      " remembered AS (INSERT INTO processed VALUES ($9, $11, $12))"
      " SELECT pg_logical_emit_message(true, 'phoenix', $13)");
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

std::int64_t money(const pqxx::field& field) {
  return hundredths_from_text({field.c_str(), field.size()}).value();
}

struct AccountRow {
  std::int64_t id = 0;
  std::string tier;
  std::string currency;
  std::int64_t balance_minor = 0;
  LedgerPosition position;
};

AccountRow account_row(const pqxx::row& row) {
  return {row[0].as<std::int64_t>(),
          row[1].c_str(),
          row[2].c_str(),
          money(row[3]),
          {row[4].as<std::int64_t>(), row[5].as<std::int64_t>()}};
}

/// What one posting asks for; deposits have no payer, withdrawals no payee.
struct Order {
  std::int64_t payer = 0;
  std::int64_t payee = 0;
  std::int64_t amount_minor = 0;
  [[nodiscard]] bool transfer() const { return payer != 0 && payee != 0; }
  /// Whose balance the answer shows, and who pays the fee.
  [[nodiscard]] std::int64_t holder() const { return payer != 0 ? payer : payee; }
  [[nodiscard]] const char* kind() const { return transfer() ? "transfer_out" : payer != 0 ? "withdrawal" : "deposit"; }
};

std::string change_message(const std::string& exchange_id) {
  return fmt::format(R"({{"exchange_id":{}}})", quote_json(exchange_id));
}

}  // namespace

struct AccountService::Impl {
  Impl(const sim::SimulatorOptions& options, sim::FaultProfile& fault_profile)
      : pool(options.database, static_cast<std::size_t>(options.threads), prepare), faults(fault_profile) {}

  Answer post(const Order& order, const std::string& exchange_id);
  Answer post_once(pqxx::connection_base& connection, const Order& order, const std::string& exchange_id,
                   sim::WrongFeeTurn& wrong_fee);
  Answer open_once(pqxx::connection_base& connection, const sim::OpenAccount& request, const std::string& exchange_id);

  sim::PgPool pool;
  sim::FaultProfile& faults;
  SystemClock clock;
};

Answer AccountService::Impl::post(const Order& order, const std::string& exchange_id) {
  sim::WrongFeeTurn wrong_fee(faults);
  const Answer answer = pool.run([&](pqxx::connection_base& c) { return post_once(c, order, exchange_id, wrong_fee); });
  wrong_fee.answered(answer.status, exchange_id);
  return answer;
}

Answer AccountService::Impl::post_once(pqxx::connection_base& connection, const Order& order,
                                       const std::string& exchange_id, sim::WrongFeeTurn& wrong_fee) {
  pqxx::work transaction(connection);
  auto refuse = [&](Refusal refusal) {
    const Answer answer = sim::refuse(refusal);
    transaction.exec_prepared("remember", exchange_id, answer.status, answer.body);
    transaction.commit();
    return answer;
  };
  const std::string ids =
      order.transfer() ? fmt::format("{{{},{}}}", order.payer, order.payee) : fmt::format("{{{}}}", order.holder());
  const pqxx::result rows = transaction.exec_prepared("lock_accounts", ids, exchange_id);
  if (!rows.empty() && !rows[0][7].is_null()) return {rows[0][7].as<int>(), rows[0][8].c_str()};
  if (order.payer == order.payee) return refuse(Refusal::same_account);
  if (rows.size() != (order.transfer() ? 2u : 1u)) return refuse(Refusal::unknown_account);

  std::vector<AccountRow> accounts;
  for (const auto& row : rows) accounts.push_back(account_row(row));
  if (accounts.front().currency != accounts.back().currency) return refuse(Refusal::currency_mismatch);
  AccountRow& holder = accounts.front().id == order.holder() ? accounts.front() : accounts.back();

  std::int64_t fee = order.transfer() ? commission_minor(holder.tier, order.amount_minor) : 0;
  std::int64_t balance = holder.balance_minor + (order.payer != 0 ? -order.amount_minor : order.amount_minor) - fee;
  if (balance < 0) return refuse(Refusal::insufficient_funds);
  const std::int64_t extra = wrong_fee.extra_minor(balance);
  fee += extra;
  balance -= extra;

  std::vector<std::string> account_ids, balances, counts, hashes, kinds, fees;
  for (AccountRow& account : accounts) {
    const bool pays = account.id == order.holder();
    account.balance_minor = pays ? balance : account.balance_minor + order.amount_minor;
    account.position = account.position.after(exchange_id);
    account_ids.push_back(std::to_string(account.id));
    balances.push_back(hundredths_to_text(account.balance_minor));
    counts.push_back(std::to_string(account.position.txn_count));
    hashes.push_back(std::to_string(account.position.txn_hash));
    kinds.emplace_back(pays ? order.kind() : "transfer_in");
    fees.push_back(hundredths_to_text(pays ? fee : 0));
  }
  const auto posting_id = rows[0][6].as<std::int64_t>();
  const std::string now = sim::utc_timestamp(clock.unix_ms(), false);
  const sim::PostingFacts facts{std::to_string(posting_id), order.kind(), order.amount_minor, fee, balance, now};
  const Answer answer{201, order.transfer() ? sim::transfer_json(order.payer, order.payee, facts)
                                            : sim::posting_json(order.holder(), facts)};
  transaction.exec_prepared("post", sim::sql_array(account_ids), sim::sql_array(balances), sim::sql_array(counts),
                            sim::sql_array(hashes), sim::sql_array(kinds), sim::sql_array(fees), posting_id,
                            hundredths_to_text(order.amount_minor), exchange_id, now, answer.status, answer.body,
                            change_message(exchange_id));
  transaction.commit();
  return answer;
}

Answer AccountService::Impl::open_once(pqxx::connection_base& connection, const sim::OpenAccount& request,
                                       const std::string& exchange_id) {
  pqxx::work transaction(connection);
  const pqxx::result known = transaction.exec_prepared("recall", exchange_id);
  if (!known.empty()) return {known[0][0].as<int>(), known[0][1].c_str()};

  const std::string now = sim::utc_timestamp(clock.unix_ms(), false);
  const LedgerPosition position = LedgerPosition{}.after(exchange_id);
  std::int64_t id = 0;
  bool inserted = false;
  do {  // an id that was adopted earlier is passed over
    id = request.assigned_id ? *request.assigned_id
                             : transaction.exec_prepared1("next_account_id")[0].as<std::int64_t>();
    inserted = transaction.exec_prepared("insert_account", id, request.tier, request.currency, position.txn_hash, now)
                   .affected_rows() == 1;
  } while (!inserted && !request.assigned_id);

  const Answer answer = inserted ? Answer{201, sim::opened_account_json({id, request.tier, request.currency, 0, now})}
                                 : sim::refuse(Refusal::account_exists);
  transaction.exec_prepared("remember", exchange_id, answer.status, answer.body);
  if (inserted) transaction.exec_prepared("emit", change_message(exchange_id));
  transaction.commit();
  return answer;
}

AccountService::AccountService(const sim::SimulatorOptions& options, sim::FaultProfile& faults) {
  sim::set_up_database(options.database, schema(options.seed_accounts));
  impl_ = std::make_unique<Impl>(options, faults);
}

AccountService::~AccountService() = default;

Answer AccountService::open_account(const sim::OpenAccount& request, const std::string& exchange_id) {
  return impl_->pool.run([&](pqxx::connection_base& c) { return impl_->open_once(c, request, exchange_id); });
}

Answer AccountService::deposit(std::int64_t account, std::int64_t amount_minor, const std::string& exchange_id) {
  return impl_->post({.payee = account, .amount_minor = amount_minor}, exchange_id);
}

Answer AccountService::withdraw(std::int64_t account, std::int64_t amount_minor, const std::string& exchange_id) {
  return impl_->post({.payer = account, .amount_minor = amount_minor}, exchange_id);
}

Answer AccountService::transfer(std::int64_t from_account, std::int64_t to_account, std::int64_t amount_minor,
                                const std::string& exchange_id) {
  return impl_->post({from_account, to_account, amount_minor}, exchange_id);
}

Answer AccountService::read_account(std::int64_t account) {
  return impl_->pool.run([&](pqxx::connection_base& connection) -> Answer {
    pqxx::nontransaction session(connection);
    const pqxx::result rows = session.exec_prepared("read_account", account);
    if (rows.empty()) return sim::refuse(Refusal::unknown_account);
    return {200, sim::account_json({account, rows[0][0].c_str(), rows[0][1].c_str(), money(rows[0][2]),
                                    sim::utc_timestamp(impl_->clock.unix_ms(), false)})};
  });
}

Answer AccountService::statement(std::int64_t account) {
  return impl_->pool.run([&](pqxx::connection_base& connection) -> Answer {
    pqxx::nontransaction session(connection);
    const pqxx::result rows = session.exec_prepared("statement", account, sim::kStatementLength);
    if (rows.empty()) return sim::refuse(Refusal::unknown_account);
    std::vector<sim::PostingFacts> postings;
    for (const auto& row : rows)
      if (!row[1].is_null())
        postings.push_back(
            {row[1].c_str(), row[2].c_str(), money(row[3]), money(row[4]), money(row[5]), row[6].c_str()});
    return {200, sim::statement_json(account, money(rows[0][0]), postings)};
  });
}

void AccountService::ping() {
  impl_->pool.run([](pqxx::connection_base& connection) {
    pqxx::nontransaction session(connection);
    session.exec("SELECT 1");
    return Answer{};
  });
}

sim::SimulatorKind simulator_kind() {
  return {
      .program = "phoenix-legacy-sim",
      .description = "a small core bank, the system to be replaced",
      .flavour = "vip-fee",
      .default_listen = "127.0.0.1:8081",
      .default_database = "postgresql:///legacy_bank",
      .knows_bug_compatible = false,
      .make_bank = [](const sim::SimulatorOptions& options, sim::FaultProfile& faults) -> std::unique_ptr<sim::Bank> {
        return std::make_unique<AccountService>(options, faults);
      }};
}

}  // namespace phoenix::legacy_bank
