// What one posting does to the legacy bank's accounts. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/sim/answers.hpp"
#include "core/sim/ledger_position.hpp"
#include "legacy_sims/pricing.hpp"

namespace phoenix::legacy_bank {

struct AccountRow {
  std::int64_t id = 0;
  std::string tier;
  std::string currency;
  std::int64_t balance_minor = 0;
  sim::LedgerPosition position;
};
/// The one or two that a posting touches.
using Accounts = std::vector<AccountRow>;

/// What one posting asks for; deposits and interest have no payer, withdrawals no payee.
struct Order {
  std::int64_t payer = 0;
  std::int64_t payee = 0;
  std::int64_t amount_minor = 0;
  int interest_days = 0;  ///< above 0: the amount follows from the balance
  [[nodiscard]] bool transfer() const { return payer != 0 && payee != 0; }
  /// Whose balance the answer shows, and who pays the fee.
  [[nodiscard]] std::int64_t holder() const { return payer != 0 ? payer : payee; }
  /// As the holder's statement names it.
  [[nodiscard]] const char* kind() const;
};

/// An order with its amount and fee, as it is booked.
struct Booking {
  Order order;
  std::int64_t fee_minor = 0;
  std::string exchange_id;
};

const AccountRow& holder_of(const Accounts& accounts, const Order& order);

/// Amount and fee by the pricing, on the holder's account as it stands.
Booking price(const Pricing& pricing, sim::Arithmetic arithmetic, Order order, const AccountRow& holder,
              const std::string& exchange_id);

/// Leaves the accounts as they stand after the booking; says why where that cannot be.
std::optional<sim::Refusal> carry_out(const Pricing& pricing, const Booking& booking, Accounts& accounts);

}  // namespace phoenix::legacy_bank
