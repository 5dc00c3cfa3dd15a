#include "legacy_sims/account_service.hpp"

#include <fmt/format.h>

#include <vector>

#include "core/runtime/clock.hpp"
#include "core/sim/answers.hpp"
#include "core/sim/database_setup.hpp"
#include "core/sim/exact_json.hpp"
#include "core/sim/ledger_position.hpp"
#include "core/sim/pg_pool.hpp"
#include "legacy_sims/account_sql.hpp"
#include "legacy_sims/booking.hpp"

namespace phoenix::legacy_bank {

using sim::Answer;
using sim::LedgerPosition;
using sim::Refusal;

namespace {

std::int64_t money(const pqxx::field& field) {
  return hundredths_from_text({field.c_str(), field.size()}).value();
}

AccountRow account_row(const pqxx::row& row) {
  return {row[0].as<std::int64_t>(),
          row[1].c_str(),
          row[2].c_str(),
          money(row[3]),
          {row[4].as<std::int64_t>(), row[5].as<std::int64_t>()}};
}

std::string change_message(const std::string& exchange_id) {
  return fmt::format(R"({{"exchange_id":{}}})", quote_json(exchange_id));
}

}  // namespace

struct AccountService::Impl {
  Impl(const Pricing& prices, const sim::SimulatorOptions& options, sim::FaultProfile& fault_profile)
      : pricing(prices),
        pool(options.database, static_cast<std::size_t>(options.threads), prepare_statements),
        faults(fault_profile) {}

  Answer post(const Order& order, const std::string& exchange_id);
  Answer post_once(pqxx::connection_base& connection, const Order& order, const std::string& exchange_id,
                   sim::PostingTurn& turn);
  enum class Trace { remembered, unremembered, answer_alone };
  Answer book(pqxx::work& transaction, const Booking& booking, const Accounts& after, std::int64_t posting_id,
              Trace trace);
  Answer open_once(pqxx::connection_base& connection, const sim::OpenAccount& request, const std::string& exchange_id);

  const Pricing& pricing;
  sim::PgPool pool;
  sim::FaultProfile& faults;
  SystemClock clock;
};

Answer AccountService::Impl::post(const Order& order, const std::string& exchange_id) {
  sim::PostingTurn turn(faults);
  const Answer answer = pool.run([&](pqxx::connection_base& c) { return post_once(c, order, exchange_id, turn); });
  turn.answered(answer.status, exchange_id);
  return answer;
}

Answer AccountService::Impl::post_once(pqxx::connection_base& connection, const Order& order,
                                       const std::string& exchange_id, sim::PostingTurn& turn) {
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

  Accounts before;
  for (const auto& row : rows) before.push_back(account_row(row));
  if (before.front().currency != before.back().currency) return refuse(Refusal::currency_mismatch);
  Booking booking = price(pricing, faults.arithmetic(), order, holder_of(before, order), exchange_id);
  Accounts after = before;
  if (const auto refusal = carry_out(pricing, booking, after)) return refuse(*refusal);
  if (const auto extra = turn.extra_minor(holder_of(after, order).balance_minor); extra != 0) {
    booking.fee_minor += extra;
    after = before;
    carry_out(pricing, booking, after);
  }
  auto posting_id = rows[0][6].as<std::int64_t>();
  Accounts twice = after;
  if (turn.duplicate(!carry_out(pricing, booking, twice))) {
    book(transaction, booking, after, posting_id, Trace::unremembered);
    posting_id = transaction.exec_prepared1("next_posting_id")[0].as<std::int64_t>();
    after = twice;
  }
  const Trace trace = turn.drop() ? Trace::answer_alone : Trace::remembered;
  const Answer answer = book(transaction, booking, after, posting_id, trace);
  transaction.commit();
  return answer;
}

/// Stores the accounts as they stand `after` the booking. Returns its answer, and remembers that where asked to; a
/// dropped booking leaves its answer alone.
Answer AccountService::Impl::book(pqxx::work& transaction, const Booking& booking, const Accounts& after,
                                  std::int64_t posting_id, Trace trace) {
  const Order& order = booking.order;
  std::vector<std::string> ids, balances, counts, hashes, kinds, fees;
  for (const AccountRow& account : after) {
    const bool holds = account.id == order.holder();
    ids.push_back(std::to_string(account.id));
    balances.push_back(hundredths_to_text(account.balance_minor));
    counts.push_back(std::to_string(account.position.txn_count));
    hashes.push_back(std::to_string(account.position.txn_hash));
    kinds.emplace_back(holds ? order.kind() : "transfer_in");
    fees.push_back(hundredths_to_text(holds ? booking.fee_minor : 0));
  }
  const std::string now = sim::utc_timestamp(clock.unix_ms(), false);
  const sim::PostingFacts facts{std::to_string(posting_id),
                                order.kind(),
                                order.amount_minor,
                                booking.fee_minor,
                                holder_of(after, order).balance_minor,
                                now};
  const Answer answer{201, order.transfer() ? sim::transfer_json(order.payer, order.payee, facts)
                                            : sim::posting_json(order.holder(), facts)};
  if (trace == Trace::answer_alone) {
    transaction.exec_prepared("remember", booking.exchange_id, answer.status, answer.body);
    return answer;
  }
  using sim::sql_array;
  const std::string amount = hundredths_to_text(order.amount_minor);
  const std::string message = change_message(booking.exchange_id);
  if (trace == Trace::remembered)
    transaction.exec_prepared("post", sql_array(ids), sql_array(balances), sql_array(counts), sql_array(hashes),
                              sql_array(kinds), sql_array(fees), posting_id, amount, booking.exchange_id, now, message,
                              answer.status, answer.body);
  else
    transaction.exec_prepared("post_unremembered", sql_array(ids), sql_array(balances), sql_array(counts),
                              sql_array(hashes), sql_array(kinds), sql_array(fees), posting_id, amount,
                              booking.exchange_id, now, message);
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
  transaction.exec_prepared("emit", change_message(exchange_id));  // before the row that it names
  do {  // an id that was adopted earlier is passed over
    id = request.assigned_id ? *request.assigned_id
                             : transaction.exec_prepared1("next_account_id")[0].as<std::int64_t>();
    inserted = transaction.exec_prepared("insert_account", id, request.tier, request.currency, position.txn_hash, now)
                   .affected_rows() == 1;
  } while (!inserted && !request.assigned_id);

  const Answer answer = inserted ? Answer{201, sim::opened_account_json({id, request.tier, request.currency, 0, now})}
                                 : sim::refuse(Refusal::account_exists);
  transaction.exec_prepared("remember", exchange_id, answer.status, answer.body);
  transaction.commit();
  return answer;
}

AccountService::AccountService(const Pricing& pricing, const sim::SimulatorOptions& options,
                               sim::FaultProfile& faults) {
  sim::set_up_database(options.database, schema(options.seed_accounts));
  impl_ = std::make_unique<Impl>(pricing, options, faults);
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
  return impl_->post({.payer = from_account, .payee = to_account, .amount_minor = amount_minor}, exchange_id);
}

Answer AccountService::credit_interest(std::int64_t account, int days, const std::string& exchange_id) {
  return impl_->post({.payee = account, .interest_days = days}, exchange_id);
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
  auto flavour = [](std::string name, const Pricing& pricing) {
    return sim::Flavour{std::move(name), [&pricing](const sim::SimulatorOptions& options, sim::FaultProfile& faults) {
                          return std::make_unique<AccountService>(pricing, options, faults);
                        }};
  };
  return {.program = "phoenix-legacy-sim",
          .description = "a small core bank, the system to be replaced",
          .default_listen = "127.0.0.1:8081",
          .default_database = "postgresql:///legacy_bank",
          .knows_bug_compatible = false,
          .flavours = {flavour("vip-fee", kVipFee), flavour("float-rounding", kFloatRounding)}};
}

}  // namespace phoenix::legacy_bank
