// What the decision core makes of a ledger comparison that came through the log: a verdict on the account, or a fresh
// start for what is known of it. Pure, and a function of the log alone.
#pragma once

#include <array>
#include <optional>

#include "arbiter/alignment.hpp"
#include "core/events/ledger_comparison.hpp"
#include "core/model/decimal.hpp"

namespace phoenix::arbiter {

enum class ComparisonOutcome {
  stale,       ///< the log shows more of this account than the comparison can have seen: nothing was done
  consistent,  ///< as the log says, or begun anew with it
  different,   ///< a verdict was found
  undetected,  ///< so was it, and the log showed the account's exchanges and no reason: an error of the detector
};

/// Takes the comparison into the account. `waiting`: exchanges of it wait for a predecessor. Errors: invalid_input for
/// a balance that is no exact number or does not fit.
Result<ComparisonOutcome> take_comparison(AccountState& account, const LedgerComparison& comparison, bool waiting,
                                          Findings& findings);

/// The same where both change streams are read. `trusted`: what they say of the account holds. Where the account has to
/// begin anew with the comparison's balances, they stand in `begin_with`, by side (an absent account holds 0).
struct StreamComparison {
  ComparisonOutcome outcome = ComparisonOutcome::stale;
  std::optional<std::array<std::optional<Decimal>, 2>> begin_with;
};
Result<StreamComparison> take_stream_comparison(AccountState& account, const LedgerComparison& comparison, bool trusted,
                                                Findings& findings);

/// Whether something of the account is not decided yet, so that a comparison of its balances says nothing.
bool has_open_ends(const AccountState& account);

}  // namespace phoenix::arbiter
