// Judges exchanges where both ledgers' change streams are read: turns answers into facts for the posting ledger, and
// its findings into verdicts. What exchange_judge and alignment are in query mode. Internal to the decision core; pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "arbiter/accepted_change_policy.hpp"
#include "arbiter/core_book.hpp"
#include "arbiter/posting_ledger.hpp"

namespace phoenix::arbiter {

class StateJudge {
 public:
  /// `policy` may be nullptr: nothing is accepted. Everything passed must outlive it.
  StateJudge(const config::Config& config, CoreBook& book, AcceptedChangePolicy* policy, std::int64_t absence_us,
             LedgerState state);

  void judge(const ExchangeEvent& exchange, const std::string& frame, std::int64_t offset, const Moment& now);
  void apply(const StateRecord& record, const Moment& now);
  void rebase(const std::string& account, const std::array<std::optional<Decimal>, 2>& balances, const Moment& now);
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
    const ExchangeEvent* exchange = nullptr;
    const std::string* frame = nullptr;
    const ResponseDifference* responses = nullptr;
  };
  const RouteRules& rules_of(const std::string& route) const;
  ResponseDifference compare(const ExchangeEvent& exchange) const;
  ExchangeFacts facts_of(const ExchangeEvent& exchange, const ResponseDifference& responses, std::int64_t offset) const;
  PostingLedger::Accounts accounts();
  void settle(const Judged& present);
  void decide(const ExchangeEvent& exchange, const ResponseDifference& responses, PostingFinding& finding);
  void accept(const Acceptance& acceptance, PostingFinding& finding);
  void revise(const PostingFinding& finding);

  CoreBook& book_;
  AcceptedChangePolicy* policy_;
  std::string default_slice_;
  std::map<std::string, RouteRules> routes_;
  std::map<std::string, std::vector<std::string>> running_balances_;
  PostingLedger ledger_;
};

}  // namespace phoenix::arbiter
