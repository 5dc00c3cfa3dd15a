// Differences that follow from an earlier one and are nobody's new fault: amounts that both sides computed alike, each
// from its own balance, and answers about an account that one side does not have. Recognised by recomputation alone.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arbiter/account_state.hpp"
#include "arbiter/balance_rule.hpp"
#include "arbiter/posting_facts.hpp"
#include "arbiter/posting_ledger.hpp"
#include "arbiter/response_differ.hpp"
#include "core/events/exchange_event.hpp"

namespace phoenix::arbiter {

/// What both sides computed, each from its balance, which was another one.
struct FromBalances {
  BalanceAmount legacy, modern;
  int scale = 2;
  bool same_predecessors = false;

  /// "legacy 4.25 of 1000.00, modern 3.82 of 900.00".
  [[nodiscard]] std::string text() const;
};

/// As both ledgers tell it. Nothing where anything else differs too: another account, another field, a stated balance
/// that is not what the posting left behind.
std::optional<FromBalances> posted_from_balances(const ExchangeEvent& exchange, const ResponseDifference& responses,
                                                 const std::vector<AccountPosting>& postings);
/// As both answers tell it, where the ledgers' postings are not known: one field differs, and the stated balances.
std::optional<FromBalances> answered_from_balances(const ResponseDifference& responses, int scale);

/// What legacy alone computed: rules are learned from it.
std::optional<BalanceAmount> legacy_from_balance(const ExchangeEvent& exchange,
                                                 const std::vector<AccountPosting>& postings);

/// Whether `side` had no row of the account when the exchange was received, or may have had none: the other side made
/// it while this side's stream ran, and it did not come here, or came late.
bool was_absent(const AccountState& account, Side side, const StreamState& stream, std::int64_t received_at_us,
                std::int64_t slack_us);
/// The side that answered that there is no such account; nothing when neither or both did, or an answer is lacking.
std::optional<Side> found_nothing(const ExchangeEvent& exchange);

}  // namespace phoenix::arbiter
