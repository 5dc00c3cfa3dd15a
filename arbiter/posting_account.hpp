// One account's postings: takes the changes of both ledgers' streams, pairs them by exchange, keeps the gap. Pure;
// verdicts are the business of posting_ledger.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arbiter/account_state.hpp"
#include "arbiter/state_record.hpp"

namespace phoenix::arbiter {

/// What a change turned out to be.
enum class ChangeKind : std::uint8_t {
  repeated,  ///< was taken before
  seeded,    ///< tells the balance only
  foreign,   ///< without an exchange
  posted,    ///< first of its exchange on this side, or more of the same transaction
  again,     ///< another transaction of an exchange that this side has already
  given_up,  ///< no room, or the amount does not fit: the account is unknown
};

struct TakenChange {
  ChangeKind kind = ChangeKind::repeated;
  std::int64_t delta = 0;
  bool broke = false;        ///< a break, or an opening, was added
  bool fresh = false;        ///< the posting was not open before
  bool paired = false;       ///< the posting has become one of both sides
  std::uint64_t of = 0;      ///< GapStep::of
  std::uint64_t number = 0;  ///< GapStep::number
};

/// `generation`: of the side's stream now. `fresh_exchange`: the exchange has not been decided, so that its posting
/// counts in {n, H}. `open_allowed`: false when there are too many open postings in all.
struct TakeOptions {
  std::uint32_t generation = 0;
  std::int64_t event_time_us = 0;
  bool fresh_exchange = true;
  bool open_allowed = true;
};
TakenChange take_change(AccountState& account, const StateChange& change, const TakeOptions& options);

/// The exchange is over: takes its posting out of the open ones; one without counterpart is sealed and moves the gap.
/// `without_event`: an unequal one is kept too, for the event may still come. Returns it as it was.
std::optional<Posting> settle_posting(AccountState& account, const std::string& exchange_id,
                                      bool without_event = false);
/// Takes a sealed posting back among the open ones (a late arrival, or the exchange's event). False when unknown.
bool reopen_posting(AccountState& account, const std::string& exchange_id);

/// What moved the gap.
struct GapCause {
  std::string name;      ///< an exchange, or words
  std::uint64_t of = 0;  ///< GapStep::of
  std::int64_t own = 0;  ///< of a foreign change at a break: its own part; the rest is that of records still to come
  std::uint64_t number = 0;  ///< GapStep::number
};
/// Brings the account's gap up to date after any of the above. True when it changed.
bool refresh_gap(AccountState& account, std::int64_t event_time_us, const GapCause& cause);

/// Remembers that this side's part of a pair may have been still to come when the other's was there: its leg was
/// uncertain, or nobody told of it in time. The gap does not show that, for it moves by whole pairs.
void note_apart(PostingState& postings, const Posting& pair, Side side, std::int64_t event_time_us);

/// Which changes of the gap may have been still to come when balances were stated.
struct StatedAt {
  std::int64_t since_us = 0;  ///< those that became known from here on
  /// What was stated is not older than this posting, and nothing overlapped it: pairs that both sides had committed
  /// before it were not to come. nullptr: not known.
  const Posting* after = nullptr;
  /// Postings from this number on, and foreign changes since, were committed when the answers had been given. 0: not
  /// known.
  std::uint64_t before = 0;
  std::vector<std::int64_t> undone = {};  ///< steps that are still open; few
};
/// Whether a gap of this size may have been in force: the present one (`now`) without what came later, and without some
/// of the steps, which became known in another order than they were made.
bool had_gap(const PostingState& postings, std::int64_t now, std::int64_t gap, const StatedAt& stated);

/// Whether this side's balance cannot have been below the other's when an exchange reached both after the same ones: by
/// the gap, without whatever raised it since `since_us`, and with every posting that lacks its counterpart counted
/// against this side. `own`: what the exchange itself posted.
bool had_at_least_the_others_balance(const PostingState& postings, Side side, std::int64_t since_us,
                                     const Posting& own);

/// A posting that lacks its counterpart, other than `own` (nullptr: none) and those that were made on top of it.
bool lacks_counterpart(const PostingState& postings, const Posting* own);

/// A break that is there may still close: the next marker of its side tells.
bool may_close(const PostingState& postings);

/// The account is known whole: both balances as they are at the present place of both streams. Nothing where the stream
/// already tells it.
void rebase(AccountState& account, const std::array<std::optional<Decimal>, 2>& balances,
            const std::array<std::uint32_t, 2>& generations);

}  // namespace phoenix::arbiter
