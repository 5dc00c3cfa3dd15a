#include "modern_sims/account_service.hpp"

#include <functional>
#include <variant>

#include "core/model/exchange_id.hpp"
#include "core/runtime/clock.hpp"
#include "core/sim/answers.hpp"
#include "core/sim/database_setup.hpp"
#include "core/sim/exact_json.hpp"
#include "core/sim/pg_pool.hpp"
#include "modern_sims/journal.hpp"
#include "modern_sims/ledger_store.hpp"

namespace phoenix::modern_bank {

using sim::Answer;
using sim::Refusal;

namespace {

using Accounts = std::map<std::int64_t, Account>;

/// One posting on the accounts as they stand: amount and fee are settled, the booking may be repeated.
struct Posting {
  std::int64_t amount_minor = 0;
  std::int64_t fee_minor = 0;
  /// Books with the given fee; no value: overdrawn.
  std::function<std::optional<JournalTransaction>(const Accounts&, std::int64_t fee_minor)> book;
};
/// Looks at the locked accounts: the posting, or why there is none.
using Decide = std::function<std::variant<Posting, Refusal>(const Accounts&)>;
using Render = std::function<std::string(const sim::PostingFacts&)>;

/// What is booked: one transaction, or two where a fault books it twice; or the refusal.
struct Decision {
  std::vector<JournalTransaction> transactions;
  bool dropped = false;  // a fault: it is answered, and not booked
  Refusal refusal = Refusal::unknown_account;
};

Accounts after(Accounts accounts, const JournalTransaction& transaction) {
  for (const auto& entry : transaction.customers) {
    Account& account = accounts.at(entry.account_id);
    account.balance_minor = entry.balance_after_minor;
    account.position = entry.position_after;
  }
  return accounts;
}

/// Books with the right fee first; the faults only where the bank would not refuse what they make of it.
Decision book_posting(const Posting& posting, const Accounts& accounts, sim::PostingTurn& turn) {
  std::optional<JournalTransaction> first = posting.book(accounts, posting.fee_minor);
  if (!first) return {{}, false, Refusal::insufficient_funds};
  if (!first->within_limit()) return {{}, false, Refusal::balance_limit};
  const std::int64_t fee = posting.fee_minor + turn.extra_minor(first->holder().balance_after_minor);
  if (fee != posting.fee_minor) first = posting.book(accounts, fee);
  const auto second = posting.book(after(accounts, *first), fee);
  if (turn.duplicate(second && second->within_limit())) return {{*first, *second}, false, {}};
  return {{*first}, turn.drop(), {}};
}

std::string new_transaction_id(std::int64_t unix_ms) {
  thread_local RandomSource random(random_seed());
  return make_exchange_id(static_cast<std::uint64_t>(unix_ms), random.next(), random.next()).to_string();
}

}  // namespace

struct AccountService::Impl {
  Impl(const Pricing& prices, const sim::SimulatorOptions& options, sim::FaultProfile& fault_profile)
      : pricing(prices),
        pool(options.database, static_cast<std::size_t>(options.threads), prepare_ledger_statements),
        faults(fault_profile) {}

  [[nodiscard]] FeeRule rule() const { return faults.bug_compatible() ? FeeRule::legacy_compatible : FeeRule::tariff; }
  Answer post(const std::vector<std::int64_t>& accounts, const std::string& kind, const std::string& exchange_id,
              const Decide& decide, const Render& render);
  Answer post_once(LedgerTransaction& ledger, const Decision& decision, std::int64_t amount_minor,
                   const std::string& kind, const Render& render);

  const Pricing& pricing;
  sim::PgPool pool;
  sim::FaultProfile& faults;
  SystemClock clock;
};

Answer AccountService::Impl::post(const std::vector<std::int64_t>& accounts, const std::string& kind,
                                  const std::string& exchange_id, const Decide& decide, const Render& render) {
  sim::PostingTurn turn(faults);
  const Answer given = pool.run([&](pqxx::connection_base& connection) -> Answer {
    LedgerTransaction ledger(connection, exchange_id);
    std::optional<Answer> recalled;
    const Accounts locked = ledger.lock(accounts, recalled);
    if (recalled) return *recalled;
    const auto decided = decide(locked);
    const auto* posting = std::get_if<Posting>(&decided);
    const Decision decision =
        posting ? book_posting(*posting, locked, turn) : Decision{{}, false, std::get<Refusal>(decided)};
    if (!decision.transactions.empty()) return post_once(ledger, decision, posting->amount_minor, kind, render);
    const Answer refusal = sim::refuse(decision.refusal);
    ledger.remember(refusal);
    ledger.commit();
    return refusal;
  });
  turn.answered(given.status, exchange_id);
  return given;
}

/// Stores what was decided; the answer is that of the last booking, as a client gets it whose request was repeated.
Answer AccountService::Impl::post_once(LedgerTransaction& ledger, const Decision& decision, std::int64_t amount_minor,
                                       const std::string& kind, const Render& render) {
  const std::int64_t now_ms = clock.unix_ms();
  const std::string now = sim::utc_timestamp(now_ms, true);
  std::optional<Answer> answer;
  for (const JournalTransaction& transaction : decision.transactions) {
    const std::string transaction_id = new_transaction_id(now_ms);
    const CustomerEntry& holder = transaction.holder();
    if (&transaction == &decision.transactions.back())
      answer = Answer{201, render({quote_json(transaction_id), kind, amount_minor, holder.fee_minor,
                                   holder.balance_after_minor, now})};
    if (!decision.dropped) ledger.book(transaction, transaction_id, now, answer);
  }
  if (decision.dropped) ledger.remember(*answer);
  ledger.commit();
  return *answer;
}

AccountService::AccountService(const Pricing& pricing, const sim::SimulatorOptions& options,
                               sim::FaultProfile& faults) {
  sim::set_up_database(options.database, ledger_schema(options.seed_accounts));
  impl_ = std::make_unique<Impl>(pricing, options, faults);
}

AccountService::~AccountService() = default;

Answer AccountService::open_account(const sim::OpenAccount& request, const std::string& exchange_id) {
  return impl_->pool.run([&](pqxx::connection_base& connection) -> Answer {
    LedgerTransaction ledger(connection, exchange_id);
    if (const auto recalled = ledger.recall()) return *recalled;
    const std::string now = sim::utc_timestamp(impl_->clock.unix_ms(), true);
    Account account{0, request.tier, request.currency, 0, sim::LedgerPosition{}.after(exchange_id)};
    bool inserted = false;
    ledger.mark_change_stream();  // before the row that it names
    do {  // an id that was adopted earlier is passed over
      account.id = request.assigned_id ? *request.assigned_id : ledger.next_account_id();
      inserted = ledger.insert_account(account, now);
    } while (!inserted && !request.assigned_id);
    const Answer answer =
        inserted ? Answer{201, sim::opened_account_json({account.id, account.tier, account.currency, 0, now})}
                 : sim::refuse(Refusal::account_exists);
    ledger.remember(answer);
    ledger.commit();
    return answer;
  });
}

Answer AccountService::deposit(std::int64_t account, std::int64_t amount_minor, const std::string& exchange_id) {
  return impl_->post(
      {account}, "deposit", exchange_id,
      [&](const Accounts& accounts) -> std::variant<Posting, Refusal> {
        if (accounts.empty()) return Refusal::unknown_account;
        return Posting{amount_minor, 0, [&](const Accounts& now, std::int64_t fee) {
                         return book_deposit(now.at(account), amount_minor, fee, exchange_id);
                       }};
      },
      [&](const sim::PostingFacts& facts) { return sim::posting_json(account, facts); });
}

Answer AccountService::withdraw(std::int64_t account, std::int64_t amount_minor, const std::string& exchange_id) {
  return impl_->post(
      {account}, "withdrawal", exchange_id,
      [&](const Accounts& accounts) -> std::variant<Posting, Refusal> {
        if (accounts.empty()) return Refusal::unknown_account;
        return Posting{amount_minor, 0, [&](const Accounts& now, std::int64_t fee) {
                         return book_withdrawal(now.at(account), amount_minor, fee, exchange_id);
                       }};
      },
      [&](const sim::PostingFacts& facts) { return sim::posting_json(account, facts); });
}

Answer AccountService::credit_interest(std::int64_t account, int days, const std::string& exchange_id) {
  return impl_->post(
      {account}, "interest", exchange_id,
      [&](const Accounts& accounts) -> std::variant<Posting, Refusal> {
        if (accounts.empty()) return Refusal::unknown_account;
        const sim::Arithmetic arithmetic = impl_->faults.arithmetic();
        const std::int64_t interest = impl_->pricing.interest(impl_->rule(), accounts.at(account).balance_minor, days,
                                                              arithmetic.rounding, arithmetic.year_days);
        return Posting{interest, 0, [&, interest](const Accounts& now, std::int64_t fee) {
                         return book_interest(now.at(account), interest, fee, exchange_id);
                       }};
      },
      [&](const sim::PostingFacts& facts) { return sim::posting_json(account, facts); });
}

Answer AccountService::transfer(std::int64_t from_account, std::int64_t to_account, std::int64_t amount_minor,
                                const std::string& exchange_id) {
  return impl_->post(
      {from_account, to_account}, "transfer_out", exchange_id,
      [&](const Accounts& accounts) -> std::variant<Posting, Refusal> {
        if (from_account == to_account) return Refusal::same_account;
        if (accounts.size() != 2) return Refusal::unknown_account;
        const Account& from = accounts.at(from_account);
        if (from.currency != accounts.at(to_account).currency) return Refusal::currency_mismatch;
        const std::int64_t fee =
            impl_->pricing.transfer_fee(impl_->rule(), from.tier, amount_minor, impl_->faults.arithmetic().rounding);
        return Posting{amount_minor, fee, [&](const Accounts& now, std::int64_t charged) {
                         return book_transfer(now.at(from_account), now.at(to_account), amount_minor, charged,
                                              exchange_id);
                       }};
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
  auto flavour = [](std::string name, const Pricing& pricing) {
    return sim::Flavour{std::move(name), [&pricing](const sim::SimulatorOptions& options, sim::FaultProfile& faults) {
                          return std::make_unique<AccountService>(pricing, options, faults);
                        }};
  };
  return {.program = "phoenix-modern-sim",
          .description = "the rewrite of the small core bank, on a double-entry ledger",
          .default_listen = "127.0.0.1:8082",
          .default_database = "postgresql:///modern_bank",
          .knows_bug_compatible = true,
          .flavours = {flavour("ledger", kLedger), flavour("precision", kPrecision)}};
}

}  // namespace phoenix::modern_bank
