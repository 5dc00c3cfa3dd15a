// What the legacy bank charges for a transfer. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace phoenix::legacy_bank {

/// 2.5 % of the amount, half a cent rounded up. The tariff promises VIPs 2.0 %, but this system never looks at the
/// tier: the bug that the rewrite fixes (flavour `vip-fee`). Amount and result in hundredths.
std::int64_t commission_minor(std::string_view tier, std::int64_t amount_minor);

}  // namespace phoenix::legacy_bank
