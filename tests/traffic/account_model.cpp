#include "tests/traffic/account_model.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/sim/bank.hpp"
#include "core/sim/exact_json.hpp"

namespace phoenix::traffic {

namespace {

std::string range_text(std::int64_t low, std::int64_t high) {
  if (low == high) return hundredths_to_text(low);
  return hundredths_to_text(low) + ".." + hundredths_to_text(high);
}

}  // namespace

AccountModel::Touch* AccountModel::InFlight::touch(std::int64_t account) {
  const auto at = std::find_if(touches.begin(), touches.end(), [&](const Touch& t) { return t.account == account; });
  return at == touches.end() ? nullptr : &*at;
}

void AccountModel::open(std::int64_t account, std::int64_t balance_minor) {
  Account& a = accounts_[account];
  a.settled_minor = balance_minor;
  a.known = true;
}

std::vector<AccountModel::Touch> AccountModel::expected_touches(const Operation& operation) const {
  const std::int64_t amount = operation.amount_minor;
  const std::int64_t most_taken = amount + right_fees(model_, operation).most;
  auto touch = [](std::int64_t account, std::int64_t low, std::int64_t high) {
    Touch t;
    t.account = account;
    t.effect = {low, high};
    return t;
  };
  switch (operation.kind) {
    case Kind::deposit:
      return {touch(operation.account, 0, amount)};
    case Kind::withdrawal:
      return {touch(operation.account, -most_taken, 0)};
    case Kind::transfer:
      return {touch(operation.account, -most_taken, 0), touch(operation.to_account, 0, amount)};
    case Kind::read:
    case Kind::statement:
    case Kind::interest:  // others count it by its days
      break;
  }
  return {touch(operation.account, 0, 0)};
}

AccountModel::Range AccountModel::possible_balance(const Touch& touch) const {
  Range balance{touch.settled_minor + touch.overlap.low, touch.settled_minor + touch.overlap.high};
  // Each on top of all that can be there, and a cent for where a sum is rounded and not its parts.
  std::int64_t paid = 0;
  for (const auto& interest : touch.overlapping_interest) {
    const std::int64_t most = std::max(balance.high, interest.most_before_minor + touch.overlap.high + paid);
    const std::int64_t more = right_interest(model_, most, interest.days) + 1;
    balance.high += more;
    paid += more;
  }
  return balance;
}

/// Interest that is still in flight is everybody's own to count.
std::int64_t AccountModel::most_without_present_interest(const Touch& touch) const {
  std::int64_t most = touch.settled_minor + touch.overlap.high;
  for (const auto& interest : touch.overlapping_interest) {
    if (interest.of == nullptr)
      most +=
          right_interest(model_, std::max(most, interest.most_before_minor + touch.overlap.high), interest.days) + 1;
  }
  return most;
}

AccountModel::Ticket AccountModel::begin(const Operation& operation, TimePoint now) {
  const Ticket ticket = next_ticket_++;
  InFlight& op = in_flight_[ticket];  // stays where it is: unordered_map never moves its elements
  op = {operation, now, expected_touches(operation)};
  const bool writes = is_write(operation.kind);
  for (Touch& mine : op.touches) {
    Account& account = accounts_[mine.account];
    mine.settled_minor = account.settled_minor;
    mine.generation = account.generation;
    for (InFlight* other : account.in_flight) {
      Touch* theirs = other->touch(mine.account);
      mine.overlap.add(theirs->effect);
      theirs->overlap.add(mine.effect);
      if (operation.kind == Kind::interest) theirs->overlapping_interest.push_back({operation.days, 0, &op});
      if (other->operation.kind == Kind::interest)
        mine.overlapping_interest.push_back({other->operation.days, most_without_present_interest(*theirs), other});
      mine.overlapped |= is_write(other->operation.kind);
      theirs->overlapped |= writes;
    }
    account.in_flight.push_back(&op);
  }
  return ticket;
}

std::vector<Difference> AccountModel::complete(Ticket ticket, const ParsedAnswer& answer, TimePoint now) {
  InFlight& op = in_flight_.at(ticket);
  std::vector<Difference> differences = answer.differences;
  const bool write = is_write(op.operation.kind);

  const bool interest = op.operation.kind == Kind::interest;

  if (write && answer.status == 422) {
    judge_refusal(op, differences);
    for (const Touch& touch : op.touches) settle(op, touch, 0);
  } else if (write && (answer.status != 201 || !answer.fee_minor || (interest && !answer.amount_minor))) {
    fail(ticket, now);  // an answer that makes no sense says nothing about what was done
    return differences;
  } else {
    const std::int64_t fee = answer.fee_minor.value_or(0);
    const std::int64_t amount = interest ? *answer.amount_minor : op.operation.amount_minor;
    const bool credit = interest || op.operation.kind == Kind::deposit;
    const std::int64_t own = !write ? 0 : credit ? amount - fee : -amount - fee;
    judge_accepted(op, answer, own, differences);
    // Those that overlapped have allowed for it.
    if (interest)
      op.touches[0].effect.high = right_interest(model_, possible_balance(op.touches[0]).high, op.operation.days);
    settle(op, op.touches[0], own);
    if (op.operation.kind == Kind::transfer) settle(op, op.touches[1], amount);
    if (answer.balance_minor) learn(op, *answer.balance_minor);
  }
  // One wrong posting is one wrong answer: after a wrong balance the account is read afresh.
  const bool wrong_balance =
      std::any_of(differences.begin(), differences.end(), [](const Difference& d) { return d.what == "balance"; });
  if (wrong_balance) forget(op.operation.account, now - settle_);
  remove(ticket);
  return differences;
}

void AccountModel::judge_refusal(const InFlight& op, std::vector<Difference>& out) const {
  const Touch& mine = op.touches[0];
  const Account& account = accounts_.at(mine.account);
  if (!account.known || account.generation != mine.generation || beyond_limit(op)) return;
  const bool credit = op.operation.kind == Kind::deposit || op.operation.kind == Kind::interest;
  const std::int64_t needed = credit ? 0 : op.operation.amount_minor + right_fees(model_, op.operation).most;
  const std::int64_t least = possible_balance(mine).low;
  if (least >= needed)
    out.push_back(
        {mine.account, "refusal",
         fmt::format("201: at least {} there, {} needed", hundredths_to_text(least), hundredths_to_text(needed)),
         "422"});
}

/// The account that it credits, or one whose balance is not known, may pass the bank's limit.
bool AccountModel::beyond_limit(const InFlight& op) const {
  if (op.operation.kind == Kind::withdrawal) return false;
  const Touch& credited = op.touches.back();
  const Account& account = accounts_.at(credited.account);
  if (!account.known || account.generation != credited.generation) return true;
  const std::int64_t most = possible_balance(credited).high;
  const std::int64_t credit =
      op.operation.kind == Kind::interest ? right_interest(model_, most, op.operation.days) : op.operation.amount_minor;
  return most + credit > sim::kMaxBalanceMinor;
}

std::optional<Difference> AccountModel::check_interest(const Operation& operation, const ParsedAnswer& answer) const {
  if (!answer.balance_minor) return std::nullopt;  // reported already
  const std::int64_t before = *answer.balance_minor - *answer.amount_minor + *answer.fee_minor;
  const std::int64_t right = right_interest(model_, before, operation.days);
  if (*answer.amount_minor == right) return std::nullopt;
  return Difference{
      operation.account, "interest",
      fmt::format("{} for {} days on {}", hundredths_to_text(right), operation.days, hundredths_to_text(before)),
      hundredths_to_text(*answer.amount_minor)};
}

void AccountModel::judge_accepted(const InFlight& op, const ParsedAnswer& answer, std::int64_t told_minor,
                                  std::vector<Difference>& out) {
  const Operation& operation = op.operation;
  if (is_write(operation.kind)) {
    const FeeRange fees = right_fees(model_, operation);
    const std::int64_t fee = *answer.fee_minor;
    if (fee != fees.least && fee != fees.most)
      out.push_back({operation.account, "fee",
                     fees.least == fees.most ? hundredths_to_text(fees.least)
                                             : hundredths_to_text(fees.least) + " or " + hundredths_to_text(fees.most),
                     hundredths_to_text(fee)});
  }
  if (operation.kind == Kind::interest)
    if (auto wrong = check_interest(operation, answer)) out.push_back(std::move(*wrong));
  const Touch& mine = op.touches[0];
  const Account& account = accounts_.at(mine.account);
  if (!answer.balance_minor || !account.known || account.generation != mine.generation) return;
  const Range before = possible_balance(mine);
  const std::int64_t low = before.low + told_minor;
  const std::int64_t high = before.high + told_minor;
  if (*answer.balance_minor < low || *answer.balance_minor > high)
    out.push_back({mine.account, "balance", range_text(low, high), hundredths_to_text(*answer.balance_minor)});
  else if (*answer.balance_minor < 0)
    out.push_back({mine.account, "balance", "0.00 or more", hundredths_to_text(*answer.balance_minor)});
}

void AccountModel::settle(InFlight& op, const Touch& touch, std::int64_t told_minor) {
  Account& account = accounts_.at(touch.account);
  account.settled_minor += told_minor;
  // A wrong fee moves the balance further than expected: those that overlapped may rightly see that.
  const Range beyond{std::min<std::int64_t>(0, told_minor - touch.effect.low),
                     std::max<std::int64_t>(0, told_minor - touch.effect.high)};
  if (beyond.low == 0 && beyond.high == 0) return;
  for (InFlight* other : account.in_flight)
    if (other != &op) other->touch(touch.account)->overlap.add(beyond);
}

void AccountModel::learn(const InFlight& op, std::int64_t balance_minor) {
  const Touch& mine = op.touches[0];
  Account& account = accounts_.at(mine.account);
  if (account.known || account.generation != mine.generation || mine.overlapped) return;
  if (op.sent_at < account.unknown_since + settle_) return;
  account.settled_minor = balance_minor;
  account.known = true;
  ++account.generation;
}

void AccountModel::fail(Ticket ticket, TimePoint now) {
  const InFlight& op = in_flight_.at(ticket);
  if (is_write(op.operation.kind))
    for (const Touch& touch : op.touches) forget(touch.account, now);
  remove(ticket);
}

void AccountModel::forget(std::int64_t account, TimePoint since) {
  Account& a = accounts_.at(account);
  a.known = false;
  a.unknown_since = std::max(a.unknown_since, since);
  ++a.generation;
}

void AccountModel::remove(Ticket ticket) {
  const InFlight* const ended = &in_flight_.at(ticket);
  for (const Touch& mine : ended->touches) {
    for (InFlight* other : accounts_[mine.account].in_flight) {
      for (auto& interest : other->touch(mine.account)->overlapping_interest) {
        if (interest.of == ended) interest.of = nullptr;
      }
    }
  }
  const auto at = in_flight_.find(ticket);
  for (const Touch& touch : at->second.touches) {
    auto& list = accounts_.at(touch.account).in_flight;
    list.erase(std::find(list.begin(), list.end(), &at->second));
  }
  in_flight_.erase(at);
}

std::optional<std::int64_t> AccountModel::exact_balance(std::int64_t account) const {
  const auto at = accounts_.find(account);
  if (at == accounts_.end() || !at->second.known || !at->second.in_flight.empty()) return std::nullopt;
  return at->second.settled_minor;
}

std::uint64_t AccountModel::unknown_accounts() const {
  return static_cast<std::uint64_t>(
      std::count_if(accounts_.begin(), accounts_.end(), [](const auto& entry) { return !entry.second.known; }));
}

}  // namespace phoenix::traffic
