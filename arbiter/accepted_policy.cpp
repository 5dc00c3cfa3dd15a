#include "arbiter/accepted_policy.hpp"

#include <algorithm>

namespace phoenix::arbiter {
namespace {

AcceptedAccount account_of(const AccountPosting& posting) {
  AcceptedAccount account;
  account.name = posting.account;
  account.currency = posting.currency;
  account.digits = posting.scale;
  account.carry = posting.carry;
  const auto& [legacy, modern] = std::tie(posting.legs[index(Side::legacy)], posting.legs[index(Side::modern)]);
  if (legacy.transactions > 0) {
    account.legacy_before = legacy.before;
    account.legacy_delta = legacy.delta;
  }
  if (modern.transactions > 0) {
    account.modern_before = modern.before;
    account.modern_delta = modern.delta;
  }
  return account;
}

/// Keys first, in their order; then others that were posted to.
std::vector<AcceptedAccount> accounts_of(const DifferenceFacts& facts) {
  std::vector<AcceptedAccount> accounts;
  const auto has = [&](const std::string& name) {
    return std::any_of(accounts.begin(), accounts.end(), [&](const auto& account) { return account.name == name; });
  };
  for (const auto& key : facts.exchange.keys) {
    if (has(key.key)) continue;
    const auto posting = std::find_if(facts.postings.begin(), facts.postings.end(),
                                      [&](const AccountPosting& p) { return p.account == key.key; });
    if (posting != facts.postings.end()) {
      accounts.push_back(account_of(*posting));
    } else {
      accounts.emplace_back().name = key.key;
    }
  }
  for (const auto& posting : facts.postings) {
    if (!has(posting.account)) accounts.push_back(account_of(posting));
  }
  return accounts;
}

}  // namespace

void AcceptedPolicy::note(const ExchangeEvent& exchange) {
  if (rules_.changes().empty()) return;
  rules_.changes().note_exchange(exchange.route, exchange.completed_at_us);
}

std::optional<Acceptance> AcceptedPolicy::judge(const DifferenceFacts& facts) {
  AcceptedChanges& rules = rules_.changes();
  if (rules.empty() || !rules.concerns(facts.exchange.route)) return std::nullopt;
  changed_ = true;
  const AcceptedInput input{facts.exchange, facts.responses, accounts_of(facts), facts.streams,
                            facts.exchange.completed_at_us};
  const AcceptedOutcome outcome = rules.evaluate(input);
  if (outcome.kind == AcceptedOutcome::Kind::none) return std::nullopt;
  Acceptance acceptance;
  acceptance.rule_id = outcome.rule;
  acceptance.detail = outcome.kind == AcceptedOutcome::Kind::change
                          ? "accepted change, as the rule computes it"
                          : "consequence of what was accepted before, as recomputed";
  for (const auto& [account, shift] : outcome.shift) acceptance.drift.emplace(account, shift);
  return acceptance;
}

}  // namespace phoenix::arbiter
