#include "legacy_sims/pricing.hpp"

#include "legacy_sims/commission.hpp"
#include "legacy_sims/float_money.hpp"

namespace phoenix::legacy_bank {

const Pricing kVipFee{commission_minor, interest_minor, [](std::int64_t a, std::int64_t b) { return a + b; }};

const Pricing kFloatRounding{[](std::string_view, std::int64_t amount_minor, sim::Rounding rounding) {
                               return float_money::commission_minor(amount_minor, rounding);
                             },
                             float_money::interest_minor, float_money::sum_minor};

}  // namespace phoenix::legacy_bank
