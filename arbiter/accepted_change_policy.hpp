// Where the decision core asks whether a difference is intended. Rules are somebody else's business; the core verifies
// nothing itself and only carries what was accepted.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "arbiter/posting_facts.hpp"
#include "arbiter/response_differ.hpp"
#include "core/events/exchange_event.hpp"

namespace phoenix::arbiter {

/// A difference of one exchange, complete: everything it posted has been seen.
struct DifferenceFacts {
  const ExchangeEvent& exchange;
  const ResponseDifference& responses;
  const std::vector<AccountPosting>& postings;  ///< of every account; balances before, deltas, accepted drift so far
};

/// The whole difference is intended, exactly as a rule predicts.
struct Acceptance {
  std::string rule_id;
  std::string detail;                         ///< one line for people
  std::map<std::string, std::int64_t> drift;  ///< by account: modern - legacy that is accepted, in its posting's units
};

class AcceptedChangePolicy {
 public:
  virtual ~AcceptedChangePolicy() = default;
  /// Nothing where no rule explains the whole difference. Must not throw; the same facts must give the same answer, so
  /// rules and their activation come from the log.
  virtual std::optional<Acceptance> judge(const DifferenceFacts& facts) = 0;
};

}  // namespace phoenix::arbiter
