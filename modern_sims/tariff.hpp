// What the rewrite charges for a transfer. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace phoenix::modern_bank {

enum class FeeRule : std::uint8_t {
  tariff,            ///< as published: standard 2.5 %, VIP 2.0 %
  legacy_compatible  ///< what the legacy bank really charges: 2.5 % for everybody
};

/// Half a cent is rounded up. Amount and result in hundredths.
std::int64_t transfer_fee_minor(FeeRule rule, std::string_view tier, std::int64_t amount_minor);

}  // namespace phoenix::modern_bank
