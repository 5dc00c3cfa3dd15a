#include "core/sim/ledger_position.hpp"

#include <xxhash.h>

namespace phoenix::sim {

namespace {
constexpr std::uint64_t kMask = (std::uint64_t{1} << 63) - 1;
}

std::int64_t position_hash(std::string_view exchange_id) {
  return static_cast<std::int64_t>(XXH3_64bits(exchange_id.data(), exchange_id.size()) & kMask);
}

LedgerPosition LedgerPosition::after(std::string_view exchange_id) const {
  // Unsigned addition wraps at 2^64, and 2^63 divides that: masking afterwards is addition modulo 2^63.
  const auto sum = static_cast<std::uint64_t>(txn_hash) + static_cast<std::uint64_t>(position_hash(exchange_id));
  return {txn_count + 1, static_cast<std::int64_t>(sum & kMask)};
}

}  // namespace phoenix::sim
