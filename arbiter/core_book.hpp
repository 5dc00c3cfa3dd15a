// The bookkeeping behind the decisions: who was seen, what was counted, which verdicts were written, how much does not
// add up. Remembers what changed since the last commit. Internal to the decision core; pure.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <unordered_map>

#include "arbiter/alignment.hpp"
#include "arbiter/cause_book.hpp"
#include "arbiter/decision_core.hpp"
#include "arbiter/id_map.hpp"

namespace phoenix::arbiter {

class CoreBook {
 public:
  CoreBook(const config::Config& config, CoreState& state);

  /// Event time goes forward only. A record cannot claim to be much newer than the log took it: one broken clock would
  /// age everything that is open.
  void advance(std::int64_t time_us, const LogRecord& record, bool exchange);

  /// False when the id was seen before.
  bool remember(const std::string& exchange_id);
  void receive(const ExchangeEvent& exchange);
  /// Whether its keys are written through other gateways at the same time.
  void note_writers(const ExchangeEvent& exchange);
  void reject(const LogRecord& record, const std::string& reason);

  AccountState& touch(const std::string& account);

  void open(const std::string& exchange_id, OpenExchange exchange);
  OpenExchange close(const std::string& exchange_id);

  /// What the comparison of two answers found.
  struct Compared {
    std::string legacy, modern;  ///< balances as text
    std::vector<ValueDifference> differences{};
    std::string undecided{};  ///< why something other than the balance could not be compared
    std::vector<AccountPosting> postings{};
    PostingFacts facts{};  ///< what the cause is recomputed from beside the answers
  };
  struct Counted {
    bool current = false;  ///< the exchange is of the present rung
    bool first = false;    ///< of its unit
  };
  void decide(const ExchangeEvent& exchange, Verdict verdict, const std::string& detail, const Compared& compared) {
    count_decision(exchange, verdict, detail, compared);
  }
  Counted count_decision(const ExchangeEvent& exchange, Verdict verdict, const std::string& detail,
                         const Compared& compared);
  void decide_account(const std::string& account, const Finding& finding);
  /// A sweep found what no verdict had said.
  void count_undetected(const std::string& slice);
  void retract(const std::string& account, const std::string& verdict_id, std::uint64_t rung,
               Verdict verdict = Verdict::mismatch);
  /// Late postings changed the verdict of a decided exchange.
  void revise(const std::string& exchange_id, const DecidedExchange& was, Verdict before, Verdict now,
              const std::string& detail, const std::vector<AccountPosting>& postings);
  /// A change without an exchange that no counterpart came for.
  void note_unpaired(const std::string& account, Side side, std::int64_t delta);
  void mark_open(const std::string& exchange_id, std::uint64_t mark);
  void confirm(const std::string& slice, int count, const std::string& detail);

  /// What is known now is what is stored.
  void begin_changes();
  CoreChanges take_changes();

  /// Brings drift up to date with the accounts touched by the current record.
  void note_drift();

  ScoreWindow& window(const std::string& slice);

  std::int64_t event_time_us = 0;
  std::int64_t exchange_time_us = 0;
  std::unordered_map<std::string, AccountState> accounts;
  std::map<std::string, OpenExchange> open_exchanges;
  std::map<std::string, ScoreWindow> windows;
  std::deque<std::pair<std::int64_t, IdHash>> seen_order;  ///< event time
  struct Seen {};
  IdMap<Seen> seen;
  std::map<CounterKey, std::int64_t> counters;
  std::map<std::string, std::uint64_t> rejected;
  IdMap<DecidedExchange> decided;  ///< of those seen; where change streams are read
  std::unordered_map<std::string, DriftEntry> drift;
  std::map<std::pair<std::string, std::string>, std::int64_t> drift_sums;  ///< slice, currency -> Σ |gap|
  std::set<std::pair<std::int64_t, std::string>> open_by_age;
  CauseBook causes;
  CoreChanges changes;
  std::vector<std::string> touched;  ///< by the current record

 private:
  void count(const std::string& slice, const std::string& route, std::uint64_t rung, std::string what, int by = 1);
  void note_cause(VerdictEvent& event, Cause cause);
  void forget_old_ids();
  void note_split(const std::string& key, const KeyWriter& first, const KeyWriter& second);
  void update_drift(const std::string& name);

  AccountState* last_touched_ = nullptr;        // touched.back(); none: by an earlier record
  std::pair<std::string, std::string> summed_;  // slice and currency that were last seen to have a sum
  const config::Config& config_;
};

}  // namespace phoenix::arbiter
