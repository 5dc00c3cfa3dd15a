// What the arbiter knows of one account's postings when it reads both ledgers' change streams: where each stream
// stands, which postings lack their counterpart, what was sealed. Plain data with a text form; part of AccountState.
// docs/state-comparison.md has the formulas.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/result.hpp"
#include "core/model/traffic_policy.hpp"

namespace phoenix::arbiter {

/// Σ hash128(exchange id) mod 2^128: the same for the same set, in whatever order it was applied.
struct SetHash {
  std::uint64_t high = 0, low = 0;
  static SetHash of(std::string_view exchange_id);
  SetHash& operator+=(const SetHash& other);
  SetHash& operator-=(const SetHash& other);
  friend bool operator==(const SetHash&, const SetHash&) = default;
};

using StreamPosition = std::pair<std::uint64_t, std::uint64_t>;

/// What one side posted to the account for one exchange. Amounts in units of 10^-scale of the account.
struct PostedLeg {
  std::uint32_t transactions = 0;  ///< 0: nothing was posted
  bool exact = true;               ///< false: the stream did not tell an amount
  bool ordered = true;             ///< false: came after its place, `predecessors` is not known
  bool rewritten = true;           ///< its rows were updated with the balance that they had, nothing else
  bool late = false;               ///< more may come of its transaction until the next marker of its side
  std::int64_t delta = 0;          ///< of all its transactions
  std::int64_t first_delta = 0;    ///< of the first one
  std::int64_t before = 0, after = 0;
  std::uint64_t transaction = 0;  ///< hash of the latest one's name
  SetHash predecessors;           ///< what the side had applied to the account before
  StreamPosition position{0, 0};  ///< of its latest change
};

/// One exchange on one account.
struct Posting {
  std::string exchange_id;
  std::array<PostedLeg, 2> legs;  ///< by side
  std::uint64_t number = 0;       ///< order of appearance on the account
  std::int64_t since_us = 0;      ///< event time of its appearance
  bool counted = false;           ///< stands in its sides' count and hash

  [[nodiscard]] bool posted(Side side) const { return legs[index(side)].transactions > 0; }
  [[nodiscard]] bool on_both() const { return legs[0].transactions > 0 && legs[1].transactions > 0; }
  [[nodiscard]] bool exact() const { return legs[0].exact && legs[1].exact; }
  /// modern - legacy of what was posted; wraps where amounts are beyond all reason.
  [[nodiscard]] std::int64_t difference() const;
};

/// One side of the account, as its stream tells it.
struct SideChain {
  bool known = false;        ///< `balance` follows from the stream
  std::int64_t balance = 0;  ///< after the newest change
  StreamPosition position{0, 0};
  std::int64_t count = 0;  ///< exchanges applied and not sealed: with `hash` the aligned position {n, H}
  SetHash hash;
  std::uint32_t generation = 0;  ///< of the side's stream when the account was last known whole
};

/// A break of the chain: the balance before a change is not the one after its predecessor. Records between both
/// positions may still come (then it closes); what they did together is right - left. The one before an account's first
/// change (`opening`) has no left; nothing is wrong with it, and the next marker of its side ends it.
struct ChainBreak {
  Side side = Side::legacy;
  StreamPosition low, high;
  std::int64_t left = 0, right = 0;
  bool told = false;
  [[nodiscard]] bool opening() const { return low == StreamPosition{0, 0}; }
};

/// A change of the gap, or one that an uncertain leg may have made before its counterpart: what may have been still to
/// come when a balance was read.
struct GapStep {
  std::int64_t by = 0;
  std::int64_t at_us = 0;  ///< when it became known; 0: no time was known yet
  std::uint64_t of = 0;    ///< hash of side and transaction, whose further rows belong to it; 0: none
  /// Of a pair: its commits on both sides. What either side posted after them was posted on top of it. 0: none.
  std::array<std::uint64_t, 2> commits{};
  std::uint64_t number = 0;  ///< of its posting; a foreign change has the next posting's; 0: may be as old as any
  bool apart = false;        ///< of an uncertain leg: its pair does not move the gap
};

/// A change without an exchange, waiting for its counterpart on the other side.
struct ForeignChange {
  Side side = Side::legacy;
  std::int64_t delta = 0;
  std::int64_t at_us = 0;  ///< event time
  std::int64_t due_us = 0;
};

struct PostingState {
  std::array<SideChain, 2> chains;  ///< by side
  std::vector<Posting> open;        ///< not decided, or late; in the order of their numbers
  std::vector<Posting> sealed;      ///< decided without a counterpart; a late one supersedes
  std::vector<ChainBreak> breaks;
  std::vector<GapStep> steps;  ///< newest last
  std::vector<ForeignChange> foreign;
  std::int64_t steps_lost_us = 0;    ///< event time until which there were steps that are not kept any more
  std::int64_t uncertain_at_us = 0;  ///< of the latest exchange whose posting was uncertain, or turned up late
  bool through_us = false;  ///< part of the gap is no proven fault: a lost leg, a foreign change, an order of commits
  std::int64_t carry = 0;   ///< accepted drift: part of the gap that is intended
  std::int64_t loose =
      0;  ///< the gap while one side's balance is not known: what was learned, sealed or foreign so far
  std::uint64_t next_number = 1;
  bool overflowed = false;  ///< postings were given up for want of space, an amount did not fit, or a record was lost

  static constexpr std::size_t kOpenKept = 512;
  static constexpr std::size_t kSealedKept = 16;
  static constexpr std::size_t kBreaksKept = 8;
  static constexpr std::size_t kStepsKept = 12;
  static constexpr std::size_t kForeignKept = 64;

  [[nodiscard]] bool known() const { return chains[0].known && chains[1].known; }
  [[nodiscard]] bool empty() const {
    return !chains[0].known && !chains[1].known && open.empty() && sealed.empty() && loose == 0;
  }
  /// modern - legacy of both balances without what is open: rule "gap = base + matched + sealed + foreign", by
  /// continuity of both chains. Where not known(): what is known so far.
  [[nodiscard]] std::int64_t gap() const;
  [[nodiscard]] Posting* find_open(std::string_view exchange_id);
  /// Both sides have applied the same set of exchanges.
  [[nodiscard]] bool aligned() const { return chains[0].count == chains[1].count && chains[0].hash == chains[1].hash; }

  /// Every amount, to change their unit.
  void collect_amounts(std::vector<std::int64_t*>& amounts);
};

/// Compact text, written with every batch.
std::string encode(const PostingState& state);
Result<PostingState> decode_posting_state(std::string_view text);

/// Arithmetic that wraps instead of being undefined; amounts are bounded far below where it would.
[[nodiscard]] constexpr std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
[[nodiscard]] constexpr std::int64_t wrapping_sub(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

}  // namespace phoenix::arbiter
