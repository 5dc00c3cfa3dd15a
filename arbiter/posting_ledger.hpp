// Pairs the postings of both ledgers with the exchanges that caused them, and decides when nothing more can change a
// verdict. Pure: records in, findings out; no clock, no sleep. docs/state-comparison.md describes the algorithm.
//
// Nothing is decided by waiting: a posting is missing when a marker of its side, written after the answer, has come
// through the side's stream; an exchange is not known here when its gateway's heartbeat says that everything older has
// been told. What arrives later all the same supersedes the verdict.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "arbiter/id_map.hpp"
#include "arbiter/posting_account.hpp"
#include "arbiter/posting_facts.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

/// When a record is applied.
struct Moment {
  std::int64_t event_time_us = 0;
  std::int64_t log_time_us = 0;  ///< when the log took the record; 0: not known
};

/// A verdict that became possible.
struct PostingFinding {
  enum class Kind : std::uint8_t {
    exchange,  ///< of an exchange; `before` holds its verdict when it supersedes one
    account,   ///< of an account or of a posting without exchange, under `verdict_id`
    retract,   ///< `verdict_id` was superseded
    unpaired,  ///< a foreign change that no counterpart came for
  };
  Kind kind = Kind::exchange;
  std::string exchange_id;
  std::string account;
  Verdict verdict = Verdict::unknown;
  std::optional<Verdict> before;
  Side side = Side::legacy;    ///< unpaired: where it was made
  std::int64_t delta = 0;      ///< unpaired: by how much, in units of the account
  std::string detail;          ///< about the ledgers alone, one line
  bool confirmed = false;      ///< the ledgers prove that a balance went wrong
  bool late = false;           ///< only equal once the ledgers had caught up
  bool from_balances = false;  ///< both posted, and computed the amounts from balances that differ
  bool keep_postings = false;  ///< `postings` are wanted of a match, too
  std::string verdict_id;
  std::int64_t event_time_us = 0;
  std::vector<AccountPosting> postings;
};

/// One side's stream, for all accounts.
struct StreamState {
  bool begun = false;
  std::int64_t began_us = 0;      ///< the stream is whole from then on: of what is older, nothing can be missing
  std::int64_t covers = 0;        ///< offset below which every exchange's postings have been seen
  std::uint32_t generation = 0;   ///< counts gaps
  std::uint64_t transaction = 0;  ///< hash of the one whose changes are coming in; 0: none
  std::string exchange_id;        ///< of that transaction
  /// All that was committed before has been told, by the clock of whoever writes the markers; 0: not known.
  std::int64_t told_until_us = 0;
};

struct LedgerState {
  std::array<StreamState, 2> streams;  ///< by side
  std::uint64_t postings_given_up = 0;
};
std::string encode(const LedgerState& state);
Result<LedgerState> decode_ledger_state(std::string_view text);

class PostingLedger {
 public:
  struct Options {
    bool whole_transactions = true;  ///< a side's changes come one transaction after the other (not so in Debezium)
    std::int64_t absence_us = 0;     ///< event time after its answer in which an uncertain write may still be applied
    std::int64_t slack_us = 0;       ///< how far clocks of gateways, databases and the log may be apart
    std::vector<config::JobConfig> jobs;
  };
  /// Where accounts stand; `touch` makes one that is not there and notes that it changes.
  struct Accounts {
    std::function<AccountState&(const std::string&)> touch;
    std::function<AccountState*(const std::string&)> find;
    std::function<std::int64_t(const std::string& exchange_id)> minted_us;  ///< 0: not known
  };
  using Decided = IdMap<DecidedExchange>;

  PostingLedger(Options options, Accounts accounts, Decided& decided, LedgerState state);

  void take(const StateChange& change, const Moment& now);
  /// Once the partitions that it names have been read.
  void take(const StateMarker& marker, const Moment& now);
  void take(const StateGap& gap, const Moment& now);
  /// Records were lost before they were read, of either side.
  void note_lost(const Moment& now);

  /// An exchange, once. True when it was decided at once; otherwise it is kept by its facts, and `mark` tells how far
  /// its account's open postings concern it (0: not covered yet).
  bool judge(ExchangeFacts facts, const Moment& now);
  /// The same after a restart, without judging.
  void restore(ExchangeFacts facts, std::uint64_t mark);
  /// The postings of accounts that were restored.
  void restore(const std::string& name, AccountState& account);
  [[nodiscard]] bool waits(const std::string& exchange_id) const { return open_.contains(exchange_id); }
  [[nodiscard]] std::uint64_t mark(const std::string& exchange_id) const;
  /// Exchanges whose mark changed since the last call.
  std::vector<std::string> take_marked() { return std::exchange(marked_, {}); }

  /// Event time has come this far; no exchange received before `settled_until_us` is still to come.
  void pass_time(const Moment& now, std::int64_t settled_until_us);

  /// The account's balances at the present place of both streams: it is known again.
  void rebase(const std::string& account, const std::array<std::optional<Decimal>, 2>& balances, const Moment& now);

  std::vector<PostingFinding> take_findings() { return std::exchange(findings_, {}); }

  /// Whether what the ledgers say of the account holds.
  [[nodiscard]] bool trusted(const AccountState& account) const;
  [[nodiscard]] const LedgerState& state() const { return state_; }
  [[nodiscard]] std::size_t open_postings() const { return open_postings_; }
  [[nodiscard]] std::size_t open_exchanges() const { return open_.size(); }

  static constexpr std::size_t kOpenPostings = 200'000;  ///< of all accounts
  static constexpr std::size_t kOpenExchanges = 100'000;
  static constexpr std::size_t kUndoneSteps = 4;  ///< looked at for one balance

  struct Assessment;  // internal: posting_ledger_impl.hpp
  struct Touched;

 private:
  struct Waiting {
    ExchangeFacts facts;
    std::uint64_t mark = 0;
  };

  void begin(Side side, const Moment& now);
  void end_transaction(Side side, const Moment& now);
  void index_posting(const std::string& exchange_id, const std::string& account);
  void note_foreign(const std::string& name, AccountState& account, const StateChange& change, std::int64_t delta,
                    const Moment& now);
  static void note_apart(const ExchangeFacts& facts, AccountState& account, const Moment& now);
  [[nodiscard]] bool unsettled(const PostingState& postings, std::uint64_t before, const std::string& except) const;
  void tell_breaks(Side side, const Moment& now);
  [[nodiscard]] std::int64_t covered_to() const;
  void cover(const Moment& now);

  void evaluate(const std::string& exchange_id, const Moment& now);
  Waiting& keep_open(const std::string& id, Waiting waiting);
  Waiting take_open(std::unordered_map<std::string, Waiting>::iterator at);
  void wait(const Waiting& waiting, const Assessment& found);
  void wake(const std::string& account);
  void work(const Moment& now);
  Touched look_at(const ExchangeFacts& facts) const;
  Assessment assess(const ExchangeFacts& facts, std::uint64_t& mark, const Moment& now);
  void assess_postings(const ExchangeFacts& facts, const Touched& touched, bool covered, Assessment& found,
                       const Moment& now) const;
  void assess_lacking(const ExchangeFacts& facts, const Touched& touched, Assessment& found, const Moment& now) const;
  void excuse_balance(const ExchangeFacts& facts, const Touched& touched, Assessment& found) const;
  bool had_enough(const ExchangeFacts& facts, const AccountState& account, const Posting& own, Assessment& found) const;
  void assess_answers(const ExchangeFacts& facts, const Touched& touched, bool covered, Assessment& found) const;
  [[nodiscard]] std::vector<std::int64_t> undone_steps(const PostingState& postings, std::uint64_t before) const;
  void assess_balance(const ExchangeFacts& facts, bool covered, std::uint64_t& mark, Assessment& found);
  void conclude(const ExchangeFacts& facts, Assessment found, const Moment& now);
  void settle(const std::string& exchange_id, PostingFinding& finding, DecidedExchange& decided, const Moment& now);
  void evaluate_late(const std::string& exchange_id, DecidedExchange& decided, const Moment& now);
  void note_late_postings(const ExchangeFacts& facts, const Moment& now);
  void make_room(const Moment& now);
  void give_up_orphans(std::int64_t settled_until_us, const Moment& now);
  void seal_orphan(const std::string& exchange_id, const Moment& now);
  void pass_foreign(const Moment& now);
  [[nodiscard]] bool complete(const Posting& posting) const;

  const Options options_;
  const Accounts accounts_;
  Decided& decided_;
  LedgerState state_;
  std::unordered_map<std::string, Waiting> open_;             ///< changed by keep_open() and take_open() alone
  std::size_t open_may_post_late_ = 0;                        ///< of these
  std::set<std::pair<std::int64_t, std::string>> uncovered_;  ///< offset, exchange
  /// By side: exchanges whose posting came when they were covered or decided already; looked at after its next marker.
  std::array<std::set<std::pair<std::int64_t, std::string>>, 2> late_;
  std::map<std::string, std::set<std::pair<std::int64_t, std::string>>> waiters_;  ///< by account: offset, exchange
  std::unordered_map<std::string, std::vector<std::string>> accounts_of_;          ///< accounts with an open posting
  std::set<std::pair<std::int64_t, std::string>> orphans_;      ///< minted at, exchange whose event has not come
  std::set<std::pair<std::int64_t, std::string>> deadlines_;    ///< event time, exchange
  std::set<std::pair<std::int64_t, std::string>> foreign_due_;  ///< event time, account
  /// Due, but the side of the counterpart has not told everything until then.
  std::array<std::set<std::pair<std::int64_t, std::string>>, 2> foreign_behind_;
  std::array<std::set<std::string>, 2> broken_;  ///< accounts with a break that was not told
  std::vector<std::string> ready_;
  std::vector<std::string> marked_;
  std::vector<PostingFinding> findings_;
  std::size_t open_postings_ = 0;
};

}  // namespace phoenix::arbiter
