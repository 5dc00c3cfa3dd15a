// Which mismatches of both ledgers follow from an earlier difference. The recomputing is consequence's and
// balance_rule's.
#include <fmt/format.h>

#include <algorithm>

#include "arbiter/cause_facts.hpp"
#include "arbiter/state_judge.hpp"

namespace phoenix::arbiter {

void StateJudge::note_created(const StateChange& change, const Moment& now) {
  if (change.op != StateChange::Op::create) return;
  auto& created_us = book_.touch(change.account).created_us[index(change.side)];
  if (created_us == 0) created_us = std::max(now.event_time_us, now.log_time_us);
}

/// Why the difference follows from an earlier one; then it is no mismatch any more. Empty: it does not.
std::string StateJudge::explain_consequence(const ExchangeEvent& exchange, const ResponseDifference& responses,
                                            PostingFinding& finding) {
  std::string follows = explain_absence(exchange, finding);
  if (follows.empty()) return explain_amounts(exchange, responses, finding);
  excuse(finding, Verdict::unknown);
  return follows;
}

/// Amounts computed from balances that differ: by one rule on both sides, or not.
std::string StateJudge::explain_amounts(const ExchangeEvent& exchange, const ResponseDifference& responses,
                                        PostingFinding& finding) {
  if (rules_of(exchange.route).reads_balance != config::ReadsBalance::amount || exchange.keys.empty()) return {};
  auto amounts = posted_from_balances(exchange, responses, finding.postings);
  const AccountState& account = book_.accounts[exchange.keys.front().key];
  if (!amounts && !ledger_.trusted(account)) amounts = answered_from_balances(responses, account.scale);
  if (!amounts) return {};
  const auto counts = requested_counts(exchange);
  const auto days = counts.empty() ? std::nullopt : std::optional(counts.front());
  const auto& rules = book_.causes.balance_rules(exchange.slice, exchange.route);
  switch (rules.recompute(amounts->legacy, amounts->modern, days)) {
    case Recomputed::follows:
      excuse(finding, exchange.overlap && !amounts->same_predecessors ? Verdict::order_dependent : Verdict::unknown);
      return fmt::format("one rule gives both, on balances that had differed before: {}", amounts->text());
    case Recomputed::contradicts:
      finding.confirmed = finding.confirmed || finding.verdict != Verdict::mismatch;
      finding.verdict = Verdict::mismatch;
      return fmt::format("legacy's own rule gives its amount and not modern's: {}", amounts->text());
    default:
      return {};
  }
}

/// One side has no such account: it was opened on the other one alone.
std::string StateJudge::explain_absence(const ExchangeEvent& exchange, const PostingFinding& finding) {
  const auto side = found_nothing(exchange);
  if (!side) return {};
  for (const auto& posting : finding.postings) {
    if (posting.legs[index(*side)].transactions > 0) return {};
  }
  for (const auto& key : exchange.keys) {
    const AccountState& account = book_.accounts[key.key];
    if (!was_absent(account, *side, ledger_.state().streams[index(*side)], exchange.received_at_us, slack_us_))
      continue;
    return fmt::format("account {} was opened on {} alone{}", key.key, to_string(other(*side)),
                       account.differs_since.empty() ? "" : ", differs since exchange " + account.differs_since);
  }
  return {};
}

/// Nobody's new fault. What it adds to the accounts' gaps is none either.
void StateJudge::excuse(PostingFinding& finding, Verdict verdict) {
  finding.verdict = verdict;
  finding.confirmed = false;
  for (const auto& posting : finding.postings) {
    if (posting.legs[0].delta != posting.legs[1].delta || posting.legs[0].transactions != posting.legs[1].transactions)
      book_.touch(posting.account).postings.through_us = true;
  }
}

void StateJudge::learn_rule(const ExchangeEvent& exchange, const PostingFinding& finding) {
  if (rules_of(exchange.route).reads_balance != config::ReadsBalance::amount) return;
  const auto legacy = legacy_from_balance(exchange, finding.postings);
  if (!legacy) return;
  const auto counts = requested_counts(exchange);
  book_.causes.learn_balance_rules(exchange.slice, exchange.route)
      .observe(legacy->before, counts.empty() ? std::nullopt : std::optional(counts.front()), legacy->amount);
}

}  // namespace phoenix::arbiter
