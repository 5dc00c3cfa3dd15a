// Explains two amounts that differ by recomputing both from the amounts beside them. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "arbiter/cause_facts.hpp"
#include "arbiter/cause_label.hpp"
#include "arbiter/cause_rates.hpp"

namespace phoenix::arbiter {

/// What other exchanges told of the rates of a field, from a base.
struct RateLookup {
  /// Of one side, for the tier of this exchange; nullptr when nothing was seen. May be empty.
  std::function<const RateVotes*(Side side, const std::string& path, const std::string& base)> votes;
  /// Whether some tier has this rate, on either side. May be empty.
  std::function<bool(const std::string& path, const std::string& base, std::int64_t rate)> used;
};

/// The hypotheses in the order of their trial: same rule and rate but another rounding (binary tie, truncation,
/// rounding mode), a discount after rounding, rounding at each step, day count, another rate. Where a side's rate is
/// known from other exchanges only that rate is tried; else rates of whole quarters of a per cent.
CauseFinding explain_amounts(const AmountPair& pair, const std::string& tier, const RateLookup& rates);

}  // namespace phoenix::arbiter
