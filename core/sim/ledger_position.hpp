// Where an account stands in its own history: how many postings touched it, and an order-insensitive hash of their
// exchange ids. Two ledgers whose positions agree have applied the same set of postings, in whatever order.
#pragma once

#include <cstdint>
#include <string_view>

namespace phoenix::sim {

/// XXH3-64 of the id, cut to 63 bits so that it fits a signed SQL bigint.
std::int64_t position_hash(std::string_view exchange_id);

struct LedgerPosition {
  std::int64_t txn_count = 0;
  std::int64_t txn_hash = 0;  ///< Σ position_hash modulo 2^63

  [[nodiscard]] LedgerPosition after(std::string_view exchange_id) const;
  friend bool operator==(const LedgerPosition&, const LedgerPosition&) = default;
};

}  // namespace phoenix::sim
