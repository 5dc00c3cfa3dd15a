#include "legacy_sims/booking.hpp"

namespace phoenix::legacy_bank {

using sim::Refusal;

const char* Order::kind() const {
  if (interest_days > 0) return "interest";
  return transfer() ? "transfer_out" : payer != 0 ? "withdrawal" : "deposit";
}

const AccountRow& holder_of(const Accounts& accounts, const Order& order) {
  return accounts.front().id == order.holder() ? accounts.front() : accounts.back();
}

Booking price(const Pricing& pricing, sim::Arithmetic arithmetic, Order order, const AccountRow& holder,
              const std::string& exchange_id) {
  if (order.interest_days > 0)
    order.amount_minor =
        pricing.interest(holder.balance_minor, order.interest_days, arithmetic.rounding, arithmetic.year_days);
  const std::int64_t fee =
      order.transfer() ? pricing.transfer_fee(holder.tier, order.amount_minor, arithmetic.rounding) : 0;
  return {order, fee, exchange_id};
}

std::optional<Refusal> carry_out(const Pricing& pricing, const Booking& booking, Accounts& accounts) {
  const Order& order = booking.order;
  for (AccountRow& account : accounts) {
    const bool pays = account.id == order.payer;
    account.balance_minor = pricing.sum(account.balance_minor, pays ? -order.amount_minor : order.amount_minor);
    if (account.id == order.holder()) account.balance_minor = pricing.sum(account.balance_minor, -booking.fee_minor);
    account.position = account.position.after(booking.exchange_id);
  }
  if (holder_of(accounts, order).balance_minor < 0) return Refusal::insufficient_funds;
  for (const AccountRow& account : accounts)
    if (account.balance_minor > sim::kMaxBalanceMinor) return Refusal::balance_limit;
  return std::nullopt;
}

}  // namespace phoenix::legacy_bank
