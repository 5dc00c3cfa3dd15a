// Are two balances of an account equal, given what is known of it? Pure: state and observation in, findings out.
//
// The account carries a gap (modern - legacy). A balance whose difference is the gap is equal, so one wrong posting is
// one mismatch and not one for every later answer. A *certain* balance, one that no other write could have moved (an
// exchange that did not overlap, in order; or both ledgers read where their positions agree), proves or re-learns the
// gap:
//   - equal to the gap: everything open before it was harmless; suspects were applied in another order with the same
//   sum;
//   - changed, and a known mismatch lies between: that one takes the change, the others are harmless;
//   - changed, and a leg was lost through us: nothing is proven against modern, the open ones are `unknown`;
//   - changed without explanation: the suspects are mismatches; without suspects the exchange, or the account, is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arbiter/account_state.hpp"
#include "core/model/verdict.hpp"

namespace phoenix::arbiter {

/// All in event time.
struct AlignmentTimes {
  /// How long an account must have been quiet before a difference that may be a leg on its way is decided: longer than
  /// any leg can take.
  std::int64_t absence_us = 20'000'000;
  /// Every compared exchange received before this has ended and was seen, as all gateways say in their heartbeats: only
  /// a state of the ledgers that is older than this, and has not changed since, can lack a posting. No heartbeat: no
  /// bound.
  std::int64_t settled_until_us = INT64_MAX;
  std::int64_t hold_us = 100'000;  ///< how long an unexplained difference waits for the exchange that explains it
};

/// A verdict that became possible.
struct Finding {
  std::string exchange_id;  ///< of a suspect; empty: on the account alone
  Verdict verdict = Verdict::unknown;
  std::string detail;
  std::string verdict_id;          ///< of an account verdict
  std::int64_t event_time_us = 0;  ///< of an account verdict
};

struct Findings {
  std::vector<Finding> settled;
  std::string retracted;  ///< account verdict that an exchange explained after all
  std::uint64_t retracted_rung = 0;
  int confirmed = 0;  ///< balance mismatches confirmed (negative: retracted)
  std::string confirmed_detail;
};

/// What one exchange says about the account.
struct Observation {
  std::string exchange_id;
  std::int64_t received_at_us = 0;
  std::int64_t completed_at_us = 0;
  std::optional<std::int64_t> difference;  ///< modern - legacy of the stated balances
  bool certain = false;                    ///< did not overlap and came in the order of its key
  bool late = false;                       ///< came after later exchanges of its key were judged
  bool known_mismatch = false;             ///< something else than the balance differs
  bool write = false;                      ///< applied on at least one side
};

enum class BalanceVerdict { equal, different, pending, unknown };

/// Judges the balance of an exchange and updates the account. Without a difference it only notes a known mismatch.
BalanceVerdict judge_exchange(AccountState& account, const Observation& seen, Findings& findings);

/// A known mismatch may have moved this account although it does not state its balance.
void note_mismatch(AccountState& account, const Observation& seen, Findings& findings);

/// A leg of a write of this account was lost or is uncertain.
void note_lost(AccountState& account, std::int64_t completed_at_us);

/// Takes one side's reading; judges once both sides of the read are there.
void take_reading(AccountState& account, const BalanceReading& reading, std::int64_t event_time_us,
                  const AlignmentTimes& times, Findings& findings);

/// Event time has come this far: decides a held difference. Returns when to call again, if there is something held.
std::optional<std::int64_t> pass_time(AccountState& account, std::int64_t event_time_us, const AlignmentTimes& times,
                                      Findings& findings);

}  // namespace phoenix::arbiter
