// Judges exchanges where both ledgers' change streams are read: turns answers into facts for the posting ledger, and
// its findings into verdicts. What exchange_judge and alignment are in query mode. Internal to the decision core; pure.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "arbiter/accepted_change_policy.hpp"
#include "arbiter/consequence.hpp"
#include "arbiter/core_book.hpp"
#include "arbiter/posting_ledger.hpp"
#include "arbiter/sweep_judge.hpp"

namespace phoenix::arbiter {

class StateJudge {
 public:
  /// `policy` may be nullptr: nothing is accepted. Everything passed must outlive it.
  StateJudge(const config::Config& config, CoreBook& book, AcceptedChangePolicy* policy, std::int64_t absence_us,
             LedgerState state);

  void judge(ExchangeEvent exchange, const std::string& frame, std::int64_t offset, const Moment& now);
  void apply(const StateRecord& record, const Moment& now);
  void rebase(const std::string& account, const std::array<std::optional<Decimal>, 2>& balances, const Moment& now);
  /// What a sweep found of an account, while nothing of it was under way.
  Result<ComparisonOutcome> compare_ledgers(const LedgerComparison& comparison, const Moment& now);
  /// Both streams have told all that was committed before, by their markers' clocks. 0: not known.
  [[nodiscard]] std::int64_t told_until_us() const {
    const auto& [legacy, modern] = ledger_.state().streams;
    return std::min(legacy.told_until_us, modern.told_until_us);
  }
  void note_lost(const Moment& now);
  void pass_time(const Moment& now, std::int64_t settled_until_us);
  [[nodiscard]] const PostingLedger& ledger() const { return ledger_; }

 private:
  struct RouteRules {
    CompareRules compare;
    bool async = false;
    std::int64_t async_max_us = 0;
    config::ReadsBalance reads_balance = config::ReadsBalance::none;
  };
  struct Judged {
    ExchangeEvent exchange;
    ResponseDifference responses;
    std::size_t frame_bytes = 0;
  };
  const RouteRules& rules_of(const std::string& route) const;
  ResponseDifference compare(const ExchangeEvent& exchange) const;
  ExchangeFacts facts_of(const ExchangeEvent& exchange, const ResponseDifference& responses, std::int64_t offset) const;
  PostingLedger::Accounts accounts();
  void settle(const Judged* present);
  void keep(Judged judged);
  Judged take_waiting(const std::string& exchange_id);
  void decide(const ExchangeEvent& exchange, const ResponseDifference& responses, PostingFinding& finding);
  void accept(const Acceptance& acceptance, PostingFinding& finding);
  void note_created(const StateChange& change, const Moment& now);
  std::string explain_consequence(const ExchangeEvent& exchange, const ResponseDifference& responses,
                                  PostingFinding& finding);
  std::string explain_amounts(const ExchangeEvent& exchange, const ResponseDifference& responses,
                              PostingFinding& finding);
  std::string explain_absence(const ExchangeEvent& exchange, const PostingFinding& finding);
  void learn_rule(const ExchangeEvent& exchange, const PostingFinding& finding);
  void excuse(PostingFinding& finding, Verdict verdict);
  void revise(const PostingFinding& finding);

  CoreBook& book_;
  AcceptedChangePolicy* policy_;
  std::string default_slice_;
  std::int64_t slack_us_;
  std::map<std::string, RouteRules> routes_;
  std::map<std::string, std::vector<std::string>> running_balances_;
  PostingLedger ledger_;
  /// Exchanges that wait, as they were read and compared: most are decided a moment later. What finds no room is read
  /// from its frame again.
  std::unordered_map<std::string, Judged> waiting_;
  std::size_t waiting_bytes_ = 0;  // of their frames
};

}  // namespace phoenix::arbiter
