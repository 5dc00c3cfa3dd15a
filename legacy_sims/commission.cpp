#include "legacy_sims/commission.hpp"

namespace phoenix::legacy_bank {

std::int64_t commission_minor([[maybe_unused]] std::string_view tier, std::int64_t amount_minor) {
  return (amount_minor * 25 + 500) / 1'000;
}

}  // namespace phoenix::legacy_bank
