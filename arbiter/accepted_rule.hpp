// Rules of accepted changes as declared, and how each of them fares. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/result.hpp"

namespace phoenix::arbiter {

struct AcceptedRule {
  std::string id;
  std::string reason;
  std::string approver;
  std::string expires;             ///< YYYY-MM-DD, the last day on which it holds (UTC)
  std::int64_t expires_at_us = 0;  ///< end of that day, Unix time
  std::vector<std::string> routes;
  bool has_expect = false, has_consequence = false;
  int line = 0;  ///< in the rules file
};

/// What became of a rule's evaluations, since it was first activated.
struct AcceptedRuleCounts {
  std::uint64_t matched = 0;       ///< exchanges that differ as predicted
  std::uint64_t consequences = 0;  ///< exchanges that differ because of what was accepted before
  std::uint64_t refused = 0;       ///< exchanges that it claimed and predicted wrongly
  std::uint64_t errors = 0;        ///< raised an error, exceeded a bound, or returned nonsense
  std::uint64_t expired = 0;       ///< differing exchanges of its routes after its last day
  std::string last_error;
  std::int64_t last_matched_us = 0;         ///< event time, of a match or consequence; 0: never
  std::int64_t active_since_us = 0;         ///< event time of the first exchange of its routes
  std::uint64_t exchanges_since_match = 0;  ///< of its routes, equal ones too
  friend bool operator==(const AcceptedRuleCounts&, const AcceptedRuleCounts&) = default;
};

/// For status pages, metrics and tables.
struct AcceptedRuleStatus {
  AcceptedRule rule;
  AcceptedRuleCounts counts;
  bool expired = false;  ///< by event time
  /// Nothing matched it for kUnusedExchanges exchanges of its routes, or for kUnusedUs while there were any.
  bool unused = false;
  static constexpr std::uint64_t kUnusedExchanges = 10'000;
  static constexpr std::int64_t kUnusedUs = 7ll * 24 * 3600 * 1'000'000;
};

/// Of one rule as counted by several shards.
AcceptedRuleCounts operator+(AcceptedRuleCounts a, const AcceptedRuleCounts& b);

/// By rule id; text for the stored state.
using AcceptedCounts = std::map<std::string, AcceptedRuleCounts>;
std::string encode(const AcceptedCounts& counts);
Result<AcceptedCounts> decode_accepted_counts(std::string_view text);

/// The end of the day YYYY-MM-DD in UTC, as Unix time; an error for what is no date.
Result<std::int64_t> end_of_day_us(std::string_view date);

}  // namespace phoenix::arbiter
