// What the arbiter knows of one account: the gap it carries, what is still open, and the latest readings of both
// ledgers. Plain data with a text form, stored with every batch, so that a restart continues where the last commit
// ended.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arbiter/key_writers.hpp"
#include "arbiter/posting_state.hpp"
#include "core/events/control_events.hpp"
#include "core/model/decimal.hpp"
#include "core/model/result.hpp"

namespace phoenix::arbiter {

/// An exchange that overlapped with another write and whose two balances differ by something else than the known gap:
/// an order of commits, or a wrong posting. Open until the account is seen aligned.
struct Suspect {
  std::string exchange_id;
  std::int64_t difference = 0;  ///< modern - legacy, in units of 10^-scale
  std::int64_t completed_at_us = 0;
};

/// A difference seen in aligned ledgers that nothing explains yet. It is held for a moment, because the exchange that
/// caused it may be answered, and so arrive here, after the reading.
struct Suspicion {
  std::int64_t difference = 0;
  std::int64_t read_at_us = 0;
  std::int64_t covers_us = 0;
  std::string detail;
  bool positioned = false;
};

/// An account verdict that was written; an exchange that arrives later and explains it takes its place.
struct SealedDifference {
  std::string verdict_id;
  std::int64_t read_at_us = 0;
  std::uint64_t rung = 0;  ///< under which it was counted
};

struct AccountState {
  std::string slice;
  std::string currency;
  int scale = 2;         ///< digits after the point of every amount here; only ever grows
  std::int64_t gap = 0;  ///< modern - legacy as known so far

  /// A known mismatch whose effect on the gap has not been seen yet; the next certain balance re-learns the gap.
  std::string moved_by;
  /// A leg, an event or an exchange was lost through us: the next change of the gap proves nothing against modern.
  bool lost = false;
  std::int64_t disturbed_at_us = 0;  ///< completion of the last exchange that moved the gap or may have
  std::int64_t last_completed_us = 0;
  std::int64_t judged_us = 0;   ///< the latest completion among the exchanges that were judged
  std::string differs_since;    ///< exchange (or reading) after which the two sides are known to differ
  bool order_differed = false;  ///< some overlapping writes were applied in another order
  bool dirty = false;           ///< both ledgers must be read again
  std::vector<Suspect> suspects;
  /// Per gateway process: the next sequence number of this key. The process judged last stands last.
  std::vector<std::pair<std::string, std::uint64_t>> next_sequence;
  std::vector<KeyWriter> writers;

  std::array<std::vector<BalanceReading>, 2> readings;  ///< by side, oldest first, at most kReadingsKept
  std::int64_t unaligned_since_us = 0;  ///< first reading of the differing positions that still stand; 0: they agree
  bool aligned_once = false;
  bool rebased = false;  ///< counts are compared from `base` on; hashes can no longer be
  std::array<std::int64_t, 2> base{};
  std::array<std::optional<std::int64_t>, 2> balance;  ///< last known, by side
  /// Event time at which the side's change stream told that the row was made; 0: it was there before, or is not there.
  std::array<std::int64_t, 2> created_us{};
  std::optional<Suspicion> suspicion;
  std::optional<SealedDifference> sealed;
  std::int64_t repaired_us = 0;  ///< until then somebody changed it by hand, and made both sides equal
  PostingState postings;         ///< where both ledgers' change streams are read; empty in query mode

  static constexpr std::size_t kReadingsKept = 4;
  static constexpr std::size_t kIncarnationsKept = 4;
  static constexpr int kMaxScale = 9;

  [[nodiscard]] std::uint64_t expected_sequence(const std::string& incarnation) const;
  /// Whether another process of the same gateway (names are GATEWAY/INCARNATION) was the last one judged.
  [[nodiscard]] bool restarted_since(const std::string& incarnation) const;
  void advance_sequence(const std::string& incarnation, std::uint64_t next);
  /// The amount in this account's units, growing the scale where the amount needs it; nothing when it does not fit.
  std::optional<std::int64_t> amount(const Decimal& value);
  /// The gap beyond what was accepted, in minor units of the account's currency (finer digits are rounded away from
  /// zero: drift never hides).
  [[nodiscard]] std::int64_t gap_minor() const { return minor(wrapping_sub(gap, postings.carry)); }
  /// An amount in minor units of the account's currency; finer digits are rounded away from zero.
  [[nodiscard]] std::int64_t minor(std::int64_t amount) const;
  [[nodiscard]] std::string format(std::int64_t amount) const { return format_minor(amount, scale); }
};

std::string encode(const AccountState& account);
Result<AccountState> decode_account_state(std::string_view text);

}  // namespace phoenix::arbiter
