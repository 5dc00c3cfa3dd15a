#include "modern_sims/account_service.hpp"

#include <functional>

#include "core/model/exchange_id.hpp"
#include "core/runtime/clock.hpp"
#include "core/sim/answers.hpp"
#include "core/sim/database_setup.hpp"
#include "core/sim/exact_json.hpp"
#include "core/sim/pg_pool.hpp"
#include "modern_sims/journal.hpp"
#include "modern_sims/ledger_store.hpp"
#include "modern_sims/tariff.hpp"

namespace phoenix::modern_bank {

using sim::Answer;
using sim::Refusal;

namespace {

/// Looks at the locked accounts and decides: the transaction to book, or the refusal.
struct Decision {
  std::optional<JournalTransaction> transaction;
  Refusal refusal = Refusal::unknown_account;
};
using Accounts = std::map<std::int64_t, Account>;
using Decide = std::function<Decision(const Accounts&, sim::WrongFeeTurn&)>;
using Render = std::function<std::string(const sim::PostingFacts&)>;

/// Books with the right fee first; the fault's surcharge only where the balance covers that too.
template <class Book>
Decision book_with_fee(std::int64_t fee_minor, sim::WrongFeeTurn& wrong_fee, const Book& book) {
  std::optional<JournalTransaction> transaction = book(fee_minor);
  if (!transaction) return {std::nullopt, Refusal::insufficient_funds};
  const std::int64_t extra = wrong_fee.extra_minor(transaction->holder().balance_after_minor);
  if (extra != 0) transaction = book(fee_minor + extra);
  return {std::move(transaction), {}};
}

std::string new_transaction_id(std::int64_t unix_ms) {
  thread_local RandomSource random(random_seed());
  return make_exchange_id(static_cast<std::uint64_t>(unix_ms), random.next(), random.next()).to_string();
}

}  // namespace

struct AccountService::Impl {
  Impl(const sim::SimulatorOptions& options, sim::FaultProfile& fault_profile)
      : pool(options.database, static_cast<std::size_t>(options.threads), prepare_ledger_statements),
        faults(fault_profile) {}

  Answer post(const std::vector<std::int64_t>& accounts, std::int64_t amount_minor, const std::string& kind,
              const std::string& exchange_id, const Decide& decide, const Render& render);

  sim::PgPool pool;
  sim::FaultProfile& faults;
  SystemClock clock;
};

Answer AccountService::Impl::post(const std::vector<std::int64_t>& accounts, std::int64_t amount_minor,
                                  const std::string& kind, const std::string& exchange_id, const Decide& decide,
                                  const Render& render) {
  sim::WrongFeeTurn wrong_fee(faults);
  const Answer given = pool.run([&](pqxx::connection_base& connection) -> Answer {
    LedgerTransaction ledger(connection, exchange_id);
    std::optional<Answer> recalled;
    const Accounts locked = ledger.lock(accounts, recalled);
    if (recalled) return *recalled;
    const Decision decision = decide(locked, wrong_fee);
    if (!decision.transaction) {
      const Answer refusal = sim::refuse(decision.refusal);
      ledger.remember(refusal);
      ledger.commit();
      return refusal;
    }
    const std::int64_t now_ms = clock.unix_ms();
    const std::string now = sim::utc_timestamp(now_ms, true);
    const std::string transaction_id = new_transaction_id(now_ms);
    const CustomerEntry& holder = decision.transaction->holder();
    const Answer answer{201, render({quote_json(transaction_id), kind, amount_minor, holder.fee_minor,
                                     holder.balance_after_minor, now})};
    ledger.book(*decision.transaction, transaction_id, now, answer);
    ledger.commit();
    return answer;
  });
  wrong_fee.answered(given.status, exchange_id);
  return given;
}

AccountService::AccountService(const sim::SimulatorOptions& options, sim::FaultProfile& faults) {
  sim::set_up_database(options.database, ledger_schema(options.seed_accounts));
  impl_ = std::make_unique<Impl>(options, faults);
}

AccountService::~AccountService() = default;

Answer AccountService::open_account(const sim::OpenAccount& request, const std::string& exchange_id) {
  return impl_->pool.run([&](pqxx::connection_base& connection) -> Answer {
    LedgerTransaction ledger(connection, exchange_id);
    if (const auto recalled = ledger.recall()) return *recalled;
    const std::string now = sim::utc_timestamp(impl_->clock.unix_ms(), true);
    Account account{0, request.tier, request.currency, 0, sim::LedgerPosition{}.after(exchange_id)};
    bool inserted = false;
    do {  // an id that was adopted earlier is passed over
      account.id = request.assigned_id ? *request.assigned_id : ledger.next_account_id();
      inserted = ledger.insert_account(account, now);
    } while (!inserted && !request.assigned_id);
    const Answer answer =
        inserted ? Answer{201, sim::opened_account_json({account.id, account.tier, account.currency, 0, now})}
                 : sim::refuse(Refusal::account_exists);
    ledger.remember(answer);
    if (inserted) ledger.mark_change_stream();
    ledger.commit();
    return answer;
  });
}

Answer AccountService::deposit(std::int64_t account, std::int64_t amount_minor, const std::string& exchange_id) {
  return impl_->post(
      {account}, amount_minor, "deposit", exchange_id,
      [&](const Accounts& accounts, sim::WrongFeeTurn& wrong_fee) -> Decision {
        if (accounts.empty()) return {std::nullopt, Refusal::unknown_account};
        return book_with_fee(0, wrong_fee, [&](std::int64_t fee) {
          return book_deposit(accounts.at(account), amount_minor, fee, exchange_id);
        });
      },
      [&](const sim::PostingFacts& facts) { return sim::posting_json(account, facts); });
}

Answer AccountService::withdraw(std::int64_t account, std::int64_t amount_minor, const std::string& exchange_id) {
  return impl_->post(
      {account}, amount_minor, "withdrawal", exchange_id,
      [&](const Accounts& accounts, sim::WrongFeeTurn& wrong_fee) -> Decision {
        if (accounts.empty()) return {std::nullopt, Refusal::unknown_account};
        return book_with_fee(0, wrong_fee, [&](std::int64_t fee) {
          return book_withdrawal(accounts.at(account), amount_minor, fee, exchange_id);
        });
      },
      [&](const sim::PostingFacts& facts) { return sim::posting_json(account, facts); });
}

Answer AccountService::transfer(std::int64_t from_account, std::int64_t to_account, std::int64_t amount_minor,
                                const std::string& exchange_id) {
  return impl_->post(
      {from_account, to_account}, amount_minor, "transfer_out", exchange_id,
      [&](const Accounts& accounts, sim::WrongFeeTurn& wrong_fee) -> Decision {
        if (from_account == to_account) return {std::nullopt, Refusal::same_account};
        if (accounts.size() != 2) return {std::nullopt, Refusal::unknown_account};
        const Account& from = accounts.at(from_account);
        const Account& to = accounts.at(to_account);
        if (from.currency != to.currency) return {std::nullopt, Refusal::currency_mismatch};
        const FeeRule rule = impl_->faults.bug_compatible() ? FeeRule::legacy_compatible : FeeRule::tariff;
        return book_with_fee(transfer_fee_minor(rule, from.tier, amount_minor), wrong_fee,
                             [&](std::int64_t fee) { return book_transfer(from, to, amount_minor, fee, exchange_id); });
      },
      [&](const sim::PostingFacts& facts) { return sim::transfer_json(from_account, to_account, facts); });
}

Answer AccountService::read_account(std::int64_t account) {
  return impl_->pool.run([&](pqxx::connection_base& connection) -> Answer {
    const auto found = modern_bank::read_account(connection, account);
    if (!found) return sim::refuse(Refusal::unknown_account);
    return {200, sim::account_json({found->id, found->tier, found->currency, found->balance_minor,
                                    sim::utc_timestamp(impl_->clock.unix_ms(), true)})};
  });
}

Answer AccountService::statement(std::int64_t account) {
  return impl_->pool.run([&](pqxx::connection_base& connection) -> Answer {
    const auto found = read_statement(connection, account, sim::kStatementLength);
    if (!found) return sim::refuse(Refusal::unknown_account);
    return {200, sim::statement_json(account, found->balance_minor, found->postings)};
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
      .program = "phoenix-modern-sim",
      .description = "the rewrite of the small core bank, on a double-entry ledger",
      .flavour = "ledger",
      .default_listen = "127.0.0.1:8082",
      .default_database = "postgresql:///modern_bank",
      .knows_bug_compatible = true,
      .make_bank = [](const sim::SimulatorOptions& options, sim::FaultProfile& faults) -> std::unique_ptr<sim::Bank> {
        return std::make_unique<AccountService>(options, faults);
      }};
}

}  // namespace phoenix::modern_bank
