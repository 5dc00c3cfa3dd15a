#include "tests/simulation/detector/bank.hpp"

#include <fmt/format.h>

#include <utility>

#include "core/model/decimal.hpp"

namespace phoenix::detector {
namespace {

using Kind = Operation::Kind;

constexpr int kOwnIdsFrom[2] = {100'001, 200'001};
constexpr std::int64_t kWrongMinor = 1;  // by how much an answer or a booking is wrong

std::uint64_t mark_of(std::uint64_t number) {
  std::uint64_t z = number * 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  return z ^ (z >> 31);
}

std::string money(std::int64_t minor) {
  return format_minor(minor, 2);
}

Applied refusal(int status, const char* title) {
  Applied refused;
  refused.status = status;
  refused.body = fmt::format(R"({{"title":"{}"}})", title);
  return refused;
}

}  // namespace

Bank::Bank(Side side, Faults faults, int accounts, std::int64_t balance_minor)
    : side_(side), faults_(std::move(faults)), next_id_(kOwnIdsFrom[index(side)]) {
  for (int id = 1; id <= accounts; ++id) accounts_[id] = {balance_minor, 0, 0};
}

const Bank::Account* Bank::find(int account) const {
  const auto at = accounts_.find(account);
  return at == accounts_.end() ? nullptr : &at->second;
}

Applied Bank::apply(const Operation& operation) {
  if (operation.kind == Kind::open) return open(operation);
  if (find(operation.account) == nullptr || (operation.second != 0 && find(operation.second) == nullptr))
    return refusal(404, "no such account");
  return operation.kind == Kind::read ? read(operation) : post(operation);
}

Applied Bank::read(const Operation& operation) const {
  Applied applied;
  applied.account = operation.account;
  applied.body = fmt::format(R"({{"account_id":{},"tier":"{}","currency":"EUR","balance":{}}})", operation.account,
                             name_of(tier_of(operation.account)), money(find(operation.account)->balance_minor));
  return applied;
}

Applied Bank::open(const Operation& operation) {
  Applied applied;
  applied.status = 201;
  applied.account = operation.account != 0 ? operation.account : next_id_++;
  if (accounts_.contains(applied.account)) return refusal(409, "the account exists");
  accounts_[applied.account] = {0, 1, mark_of(operation.number)};
  applied.rows.push_back({applied.account, std::nullopt, 0});
  applied.body = fmt::format(R"({{"account_id":{},"tier":"{}","currency":"EUR","balance":0.00}})", applied.account,
                             name_of(tier_of(applied.account)));
  return applied;
}

Bank::Posting Bank::price(const Operation& operation, const Account& account, const Faults& faults) const {
  Posting posting;
  posting.amount_minor = operation.amount_minor;
  switch (operation.kind) {
    case Kind::interest:
      posting.amount_minor = interest_minor(faults, account.balance_minor, operation.days);
      [[fallthrough]];
    case Kind::deposit:
      posting.first_delta = posting.amount_minor;
      break;
    case Kind::transfer:
      posting.fee_minor = transfer_fee_minor(faults, tier_of(operation.account), operation.amount_minor);
      posting.second_delta = posting.amount_minor;
      [[fallthrough]];
    default:
      posting.first_delta = -posting.amount_minor - posting.fee_minor;
  }
  posting.refused = account.balance_minor + posting.first_delta < 0;
  return posting;
}

Applied Bank::post(const Operation& operation) {
  Applied applied;
  applied.account = operation.account;
  const Account& account = accounts_.at(operation.account);
  applied.found_minor = account.balance_minor;
  Posting posting = price(operation, account, faults_);
  if (!faults_.empty()) befall(operation, posting, applied);
  if (posting.refused) {
    Applied refused = refusal(422, "insufficient funds");
    refused.found_minor = applied.found_minor;
    refused.injected = applied.injected;
    return refused;
  }
  applied.status = 201;
  applied.amount_minor = posting.amount_minor;
  applied.fee_minor = posting.fee_minor;
  const bool missing = applied.injected == Fault::missing_modern || applied.injected == Fault::missing_legacy;
  std::int64_t balance = account.balance_minor + posting.first_delta;
  if (!missing) {
    const std::int64_t right = balance;
    if (applied.injected == Fault::posted_only) posting.first_delta += kWrongMinor;
    book_rows(operation, posting, applied.rows);
    if (applied.injected == Fault::duplicate) {
      const bool two = operation.number % 2 == 0;
      book_rows(operation, posting, two ? applied.second_transaction : applied.rows);
      balance = two ? right : accounts_.at(operation.account).balance_minor;
    }
  }
  applied.body = answer(operation, posting, balance, applied);
  return applied;
}

/// What this bank does wrong in this exchange; the arithmetic faults show by comparing with a bank that has none.
void Bank::befall(const Operation& operation, Posting& posting, Applied& applied) {
  const Posting right = price(operation, accounts_.at(operation.account), {});
  if (right.refused && posting.refused) return;
  if (posting.refused != right.refused || posting.amount_minor != right.amount_minor ||
      posting.fee_minor != right.fee_minor) {
    for (const Fault fault : {Fault::float_tie, Fault::truncation, Fault::half_even, Fault::vip_order,
                              Fault::vip_threshold, Fault::day_count, Fault::daily_rounding}) {
      const Posting with = price(operation, accounts_.at(operation.account), {fault});
      const bool alone = with.amount_minor == posting.amount_minor && with.fee_minor == posting.fee_minor;
      if (faults_.contains(fault) && alone) applied.injected = fault;
    }
    if (applied.injected == Fault::none) applied.injected = *faults_.begin();
    return;
  }
  if (right.refused) return;
  if (faults_.contains(Fault::cut_off) &&
      value_day(faults_, operation.requested_us) != value_day({}, operation.requested_us))
    applied.injected = Fault::cut_off;
  if (!operation.befallen || !faults_.contains(*operation.befallen)) return;
  if (*operation.befallen == Fault::wrong_account && operation.kind != Kind::transfer) return;
  applied.injected = *operation.befallen;
  if (applied.injected == Fault::status_split) posting.refused = true;
}

RowChange Bank::book(int account, std::int64_t delta_minor, std::uint64_t mark) {
  Account& at = accounts_.at(account);
  const std::int64_t before = at.balance_minor;
  at.balance_minor += delta_minor;
  ++at.count;
  at.hash += mark;
  return {account, before, at.balance_minor};
}

RowChange Bank::move(int account, std::int64_t amount_minor, std::uint64_t mark) {
  return book(account, amount_minor, mark_of(mark));
}

void Bank::book_rows(const Operation& operation, const Posting& posting, std::vector<RowChange>& rows) {
  rows.push_back(book(operation.account, posting.first_delta, mark_of(operation.number)));
  if (operation.second == 0) return;
  int credited = operation.second;
  if (operation.befallen == Fault::wrong_account && faults_.contains(Fault::wrong_account)) {
    do credited = credited % static_cast<int>(accounts_.size()) + 1;
    while (credited == operation.account || credited == operation.second || !accounts_.contains(credited));
  }
  rows.push_back(book(credited, posting.second_delta, mark_of(operation.number)));
}

std::string Bank::answer(const Operation& operation, const Posting& posting, std::int64_t balance_minor,
                         const Applied& applied) const {
  constexpr std::array<const char*, 6> kKinds{"read", "deposit", "withdrawal", "transfer", "interest", "open"};
  const bool wrong = applied.injected == Fault::response_only;
  std::string amount = money(posting.amount_minor);
  if (applied.injected == Fault::type_format) amount = '"' + amount + '"';
  // Alternately the fee and the balance.
  const bool wrong_fee = wrong && operation.number % 2 == 0;
  return fmt::format(
      R"({{"posting_id":"{}{}","kind":"{}","account_id":{},"tier":"{}","currency":"EUR","amount":{},"fee":{},"balance_after":{},"value_day":{}}})",
      side_ == Side::legacy ? 'L' : 'm', operation.number, kKinds[static_cast<std::size_t>(operation.kind)],
      operation.account, name_of(tier_of(operation.account)), amount,
      money(posting.fee_minor + (wrong_fee ? kWrongMinor : 0)),
      money(balance_minor + (wrong && !wrong_fee ? kWrongMinor : 0)), value_day(faults_, operation.requested_us));
}

}  // namespace phoenix::detector
