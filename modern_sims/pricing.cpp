#include "modern_sims/pricing.hpp"

#include "modern_sims/precision.hpp"
#include "modern_sims/tariff.hpp"

namespace phoenix::modern_bank {

const Pricing kLedger{transfer_fee_minor,
                      [](FeeRule, std::int64_t balance_minor, int days, sim::Rounding rounding, int year_days) {
                        return interest_minor(balance_minor, days, rounding, year_days);  // legacy is right here
                      }};

const Pricing kPrecision{[](FeeRule rule, std::string_view, std::int64_t amount_minor, sim::Rounding rounding) {
                           return precision::transfer_fee_minor(rule, amount_minor, rounding);
                         },
                         precision::interest_minor};

}  // namespace phoenix::modern_bank
