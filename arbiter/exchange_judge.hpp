// Judges one exchange whose predecessors have been judged: compares the answers, carries the balance's gap, and writes
// the verdict, or leaves the exchange open until its account is seen aligned. Internal to the decision core; pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "arbiter/accepted_change_policy.hpp"
#include "arbiter/core_book.hpp"
#include "arbiter/response_differ.hpp"

namespace phoenix::arbiter {

/// The exchange of a stored frame, its names made presentable (clean_text).
Result<ExchangeEvent> read_exchange(const std::string& frame);

/// Why an exchange lacks an answer, in words.
std::string leg_problem(const ExchangeEvent& exchange);

class ExchangeJudge {
 public:
  /// `ledgers`: balances can be read, so accounts of writes are marked for reading.
  /// `policy` may be nullptr: nothing is accepted.
  ExchangeJudge(const config::Config& config, CoreBook& book, bool ledgers, AcceptedChangePolicy* policy);

  /// Whether any route states balances that have to be carried from one exchange to the next.
  [[nodiscard]] bool carries_balances() const { return carries_balances_; }
  /// Two answers of one side, by the route's rules.
  [[nodiscard]] ResponseDifference compare_repeat(const ExchangeEvent& event) const {
    return compare_responses(event.serving, event.shadow, rules_of(event.route).compare);
  }
  [[nodiscard]] const std::string& balance_path_of(const std::string& route) const {
    return rules_of(route).balance_path;
  }
  void judge(const ExchangeEvent& exchange, const std::string& frame, bool late);
  /// Writes down what became known about an account and the exchanges that waited for it.
  void settle(const std::string& account, const Findings& findings);
  /// An exchange waited for its account in vain.
  void give_up(const std::string& exchange_id);

 private:
  struct RouteRules {
    CompareRules compare;
    std::string balance_path;
    bool ordered = true;
  };
  struct Comparison {
    const ExchangeEvent& exchange;
    const std::string& frame;
    const RouteRules& rules;
    const ResponseDifference& result;
    Observation observation;
    CoreBook::Compared compared;
    std::string accepted{};  ///< the rule by which it is an accepted change, and why; empty: it is not
  };
  const RouteRules& rules_of(const std::string& route) const;
  void compare(const ExchangeEvent& exchange, const std::string& frame, bool late);
  void accept(Comparison& seen);
  void judge_balances(Comparison& seen);
  std::optional<std::int64_t> difference_of(AccountState& account, const Comparison& seen);
  void note_other_keys(const Comparison& seen);
  void conclude(const Comparison& seen, BalanceVerdict balance, const std::string& gap_before);
  void conclude_known(const Comparison& seen, std::string detail);
  void lose(const ExchangeEvent& exchange);
  void mark_dirty(const ExchangeEvent& exchange);
  CoreBook::Compared compared_of(const ExchangeEvent& exchange) const;

  CoreBook& book_;
  bool ledgers_;
  AcceptedChangePolicy* policy_;
  bool carries_balances_ = false;
  std::map<std::string, RouteRules> routes_;
  std::map<std::string, std::vector<std::string>> running_balances_;  // by slice: names of members that state a balance
};

}  // namespace phoenix::arbiter
