// What a sweep makes of the rows of both sides and of what the log says about them. Pure.
//
// Two databases share no snapshot, so a row that differs is at first a candidate. It is read again after a pause, and
// decided only when both readings are the same and no exchange touched its account from the first to the last of them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/events/ledger_comparison.hpp"
#include "core/model/decimal.hpp"

namespace phoenix::arbiter {

/// Count, sum of balances and sum of row hashes of one key range on one side; sums as exact text.
struct RangeDigest {
  std::int64_t rows = 0;
  std::string sum = "0";
  std::string hash_sum = "0";
  friend bool operator==(const RangeDigest&, const RangeDigest&) = default;
};
/// False also where a sum is no number ("NaN"): equal nonsense proves nothing.
bool same_digest(const RangeDigest& legacy, const RangeDigest& modern);

/// By key. A key that stands twice has no single balance: it is marked by `amount` kTwice.
using LedgerRows = std::unordered_map<std::string, LedgerComparison::Balance>;
inline constexpr std::string_view kTwice = "(several rows)";
void add_row(LedgerRows& rows, std::string key, LedgerComparison::Balance balance);

using BalancePair = std::array<LedgerComparison::Balance, 2>;  // by side
/// Keys whose rows are not the same, or no exact number, in the order of their text.
std::map<std::string, BalancePair> differing_rows(const LedgerRows& legacy, const LedgerRows& modern);
BalancePair pair_of(const std::string& key, const LedgerRows& legacy, const LedgerRows& modern);
bool equal(const BalancePair& pair);
/// modern - legacy; an absent account counts as 0. Nothing where a balance is no exact number that fits 64 bits.
std::optional<Decimal> difference_of(const BalancePair& pair);

/// What the log says about one account, as far as it has been read.
struct KeyFacts {
  bool seen = false;             ///< an exchange or a change of it has been in the log
  std::int64_t touched_us = 0;   ///< completion of its latest exchange, event time
  bool open = false;             ///< something of it is not decided yet
  bool unknown = false;          ///< records were lost: what is known of its balance proves nothing
  bool known_to_differ = false;  ///< a verdict or a gap stands on it
  std::optional<Decimal> gap;    ///< modern - legacy, as the log says
};
struct StreamFacts {
  std::int64_t settled_until_us = 0;    ///< exchanges received before it have ended and are in the log; INT64_MAX: no
                                        ///< gateway says
  std::int64_t any_key_touched_us = 0;  ///< the latest exchange whose keys could not be had
  std::unordered_map<std::string, KeyFacts> keys;
};

/// Two readings of both sides are one window: before the first query, after the last. Unix time of this machine.
struct Window {
  std::int64_t low_us = 0;
  std::int64_t high_us = 0;
};

struct Candidate {
  std::string key;
  std::optional<BalancePair> seen;  ///< nothing: not read yet
  Window window;                    ///< of that reading
  int tries = 0;                    ///< readings that decided nothing
  bool rebase = false;              ///< wanted because the account is unknown, not because it differs
};

enum class SweepFinding {
  again,       ///< it moved: the reading is the first of a new pair
  equal,       ///< nothing differs (any more)
  rebased,     ///< unknown to the log before; both sides seen at rest, so it can be told again what they hold
  explained,   ///< differs by the gap that the log knows
  undetected,  ///< differs, and the log shows its exchanges and no reason: an error of the detector
  changed,     ///< differs by something else than the gap or verdict that the log knows
  unseen,      ///< differs, and no exchange of it was ever in the log
  unreadable,  ///< a balance is no exact number, or the key stands in several rows
  busy,        ///< moved in every reading; nothing is said about it
};
std::string_view to_string(SweepFinding finding);
/// Whether both ledgers are known to differ.
bool is_difference(SweepFinding finding);

/// Decides what a second reading in `now` says; updates the candidate to begin anew where it says `again`. `facts` must
/// be settled beyond now.high_us. `most_tries`: then it is busy.
SweepFinding judge_candidate(Candidate& candidate, const BalancePair& pair, Window now, const StreamFacts& facts,
                             int most_tries);

/// Gateways and this machine have clocks of their own: a touch counts from so long before a window on.
inline constexpr std::int64_t kClockSlackUs = 1'000'000;
/// Whether the facts tell all exchanges that the window can have seen half of.
bool settled(const StreamFacts& facts, Window window);

/// Counts, sums and costs of one sweep; stored with its place after every chunk.
struct SweepProgress {
  std::optional<std::string> after_key;  ///< chunks up to and with this key are done
  bool scanned = false;                  ///< all chunks are; candidates are being read again
  std::int64_t chunks = 0;
  std::int64_t chunks_differing = 0;  ///< whose rows were fetched
  std::int64_t estimated_rows = 0;    ///< of legacy; 0: not known
  std::array<std::int64_t, 2> rows{};
  std::array<std::string, 2> sums{"0", "0"};  ///< of balances, over all currencies: a cheap invariant beside the rows
  std::array<std::int64_t, 2> rows_fetched{};
  std::array<std::int64_t, 2> database_us{};  ///< time that queries of this side took, seen from here
  std::int64_t busy_us = 0;                   ///< time of work, without the rests between chunks
  std::map<std::string, std::int64_t> found;  ///< by the name of a SweepFinding, but `again` and `equal`
};
std::string encode(const SweepProgress& progress);
Result<SweepProgress> decode_sweep_progress(std::string_view text);
/// Adds two exact sums; "NaN" once either is no number.
std::string add_sums(const std::string& a, const std::string& b);

/// The rest after a chunk that keeps a side within `rows_per_second`, given what the chunk took.
std::int64_t rest_us(std::int64_t rows, std::int64_t took_us, int rows_per_second);

}  // namespace phoenix::arbiter
