#include "arbiter/exchange_judge.hpp"

#include "arbiter/clean_text.hpp"
#include "core/model/business_key.hpp"

namespace phoenix::arbiter {
namespace {

using Outcome = ResponseDifference::Outcome;

bool is_success(int status) {
  return status >= 200 && status < 300;
}

/// Whether the backend may have applied the write. A refusal (4xx) has not; a 5xx may have.
bool may_have_applied(const LegRecord& leg) {
  switch (leg.outcome) {
    case LegOutcome::none:
    case LegOutcome::connect_failed:
    case LegOutcome::dropped:
      return false;
    case LegOutcome::ok:
      return leg.status < 400 || leg.status >= 500;
    default:
      return true;
  }
}

/// The member that states a balance; in XML its text stands below it.
const std::string& name_of(const JsonPath& balance) {
  return balance.size() > 1 && balance.back() == "#text" ? balance[balance.size() - 2] : balance.back();
}

bool same_balance(const ResponseDifference& result) {
  return !result.legacy_balance || !result.modern_balance || *result.legacy_balance == *result.modern_balance;
}

}  // namespace

std::string leg_problem(const ExchangeEvent& exchange) {
  if (exchange.dropped == kLostWithGateway) return "lost with its gateway: what became of its legs is not known";
  if (!exchange.dropped.empty()) return "shadow leg dropped: " + exchange.dropped;
  const bool serving = exchange.serving.outcome != LegOutcome::ok;
  const auto outcome = serving ? exchange.serving.outcome : exchange.shadow.outcome;
  const Side side = serving ? exchange.serving_side : other(exchange.serving_side);
  return fmt::format("{} leg on {}: {}", serving ? "serving" : "shadow", to_string(side), to_string(outcome));
}

Result<ExchangeEvent> read_exchange(const std::string& frame) {
  auto exchange = decode_exchange_event(frame);
  if (!exchange) return exchange;
  if (exchange->exchange_id.empty()) return invalid_input("exchange event: exchange_id is empty");
  for (auto* name :
       {&exchange->exchange_id, &exchange->gateway, &exchange->incarnation, &exchange->route, &exchange->slice}) {
    clean(*name);
  }
  for (auto& key : exchange->keys) clean(key.key);
  return exchange;
}

ExchangeJudge::ExchangeJudge(const config::Config& config, CoreBook& book, bool ledgers, AcceptedChangePolicy* policy)
    : book_(book), ledgers_(ledgers), policy_(policy) {
  for (const auto& route : config.gateway.routes) {
    RouteRules rules{CompareRules::from_config(route.compare), route.compare.balance,
                     route.ordering != config::Ordering::none};
    if (rules.compare.balance) {
      carries_balances_ = true;
      if (!rules.compare.balance->empty()) running_balances_[route.slice].push_back(name_of(*rules.compare.balance));
    }
    routes_.emplace(route.name, std::move(rules));
  }
}

const ExchangeJudge::RouteRules& ExchangeJudge::rules_of(const std::string& route) const {
  static const RouteRules kNoRules;
  const auto at = routes_.find(route);
  return at == routes_.end() ? kNoRules : at->second;
}

void ExchangeJudge::judge(const ExchangeEvent& exchange, const std::string& frame, bool late) {
  const bool both = exchange.serving.outcome == LegOutcome::ok && exchange.shadow.outcome == LegOutcome::ok;
  const bool lost = exchange.dropped == kLostWithGateway;
  const bool applied =
      exchange.write && (lost || may_have_applied(exchange.serving) || may_have_applied(exchange.shadow));
  if (!exchange.excluded.empty()) {
    if (applied) both && !lost ? mark_dirty(exchange) : lose(exchange);
    return;
  }
  if (!both || !exchange.dropped.empty()) {
    if (applied) lose(exchange);
    return book_.decide(exchange, Verdict::unknown, leg_problem(exchange), {});
  }
  compare(exchange, frame, late);
}

void ExchangeJudge::compare(const ExchangeEvent& exchange, const std::string& frame, bool late) {
  const RouteRules& rules = rules_of(exchange.route);
  const auto& legacy = exchange.leg(Side::legacy);
  const auto& modern = exchange.leg(Side::modern);
  const auto result = compare_responses(legacy, modern, rules.compare, running_balances_[exchange.slice]);
  const bool different = result.outcome == Outcome::different;
  const bool uncertain = exchange.write && (legacy.uncertain || modern.uncertain);

  Comparison seen{exchange, frame, rules, result, {}, {}};
  seen.observation.exchange_id = exchange.exchange_id;
  seen.observation.received_at_us = exchange.received_at_us;
  seen.observation.completed_at_us = exchange.completed_at_us;
  seen.observation.certain = rules.ordered && !exchange.overlap && !late;
  seen.observation.late = late;
  seen.observation.known_mismatch = different;
  seen.observation.write = exchange.write && (is_success(legacy.status) || is_success(modern.status) || uncertain);
  if (result.legacy_balance) seen.compared.legacy = result.legacy_balance->to_string();
  if (result.modern_balance) seen.compared.modern = result.modern_balance->to_string();
  seen.compared.differences = result.values;
  if (seen.observation.write) uncertain && !different ? lose(exchange) : mark_dirty(exchange);
  if (policy_ != nullptr) {
    policy_->note(exchange);
    // Of writes that overlapped it is not known what each of them did.
    if (different && seen.observation.certain) accept(seen);
  }
  judge_balances(seen);
}

/// An accepted change moves the gap by what its rule says, no more and no less; where the answers state balances they
/// must show that.
void ExchangeJudge::accept(Comparison& seen) {
  std::vector<AccountPosting> accounts;
  for (const auto& key : seen.exchange.keys) {
    const AccountState& account = book_.accounts[key.key];
    AccountPosting& known = accounts.emplace_back();
    known.account = key.key;
    known.currency = account.currency;
    known.scale = account.scale;
    known.gap = account.gap;
    known.carry = account.postings.carry;
  }
  const auto acceptance = policy_->judge({seen.exchange, seen.result, accounts, false});
  if (!acceptance) return;
  const auto drift_of = [&](const std::string& name) {
    const auto at = acceptance->drift.find(name);
    return at == acceptance->drift.end() ? 0 : at->second;
  };
  if (!accounts.empty() && seen.result.legacy_balance && seen.result.modern_balance) {
    AccountState& account = book_.touch(accounts.front().account);
    const auto balance = account.balance;
    const auto difference = difference_of(account, seen);
    account.balance = balance;  // judge_balances() takes it
    const bool as_said = difference && account.scale == accounts.front().scale &&
                         *difference == wrapping_add(account.gap, drift_of(accounts.front().account));
    if (!as_said) return;
  }
  for (const auto& known : accounts) {
    const std::int64_t drift = drift_of(known.account);
    if (drift == 0) continue;
    AccountState& account = book_.touch(known.account);
    account.gap = wrapping_add(account.gap, drift);
    account.postings.carry = wrapping_add(account.postings.carry, drift);
    // What was read of it before proves nothing now.
    account.disturbed_at_us = std::max(account.disturbed_at_us, seen.exchange.completed_at_us);
    account.suspicion.reset();
  }
  seen.observation.known_mismatch = false;
  seen.accepted = fmt::format("{}: {}", acceptance->rule_id, acceptance->detail);
}

void ExchangeJudge::judge_balances(Comparison& seen) {
  const auto& keys = seen.exchange.keys;
  if (keys.empty()) {
    return conclude(seen, same_balance(seen.result) ? BalanceVerdict::equal : BalanceVerdict::different, "0");
  }
  AccountState& account = book_.touch(keys.front().key);
  const bool stated = seen.result.legacy_balance && seen.result.modern_balance;
  const auto before = account.balance;
  const int scale_before = account.scale;
  if (stated) seen.observation.difference = difference_of(account, seen);
  const auto& difference = seen.observation.difference;
  const bool moved = difference && *difference != account.gap;
  const std::string gap_before = account.format(account.gap);
  PostingFacts& facts = seen.compared.facts;
  facts.scale = account.scale;
  if (difference) facts.balance_moved = *difference - account.gap;
  if (difference && seen.observation.certain && scale_before == account.scale) {
    facts.inferred = true;
    for (const std::size_t side : {0, 1}) {
      if (!before[side] || !account.balance[side]) continue;
      facts.posted[side] = {before[side], *account.balance[side] - *before[side], std::nullopt};
    }
  }

  Findings findings;
  BalanceVerdict balance = judge_exchange(account, seen.observation, findings);
  settle(keys.front().key, findings);
  if (stated && !difference && !same_balance(seen.result)) balance = BalanceVerdict::different;  // beyond 64 bits
  if (seen.observation.known_mismatch && seen.observation.certain && moved) balance = BalanceVerdict::different;
  if (seen.observation.known_mismatch || balance == BalanceVerdict::different) note_other_keys(seen);
  conclude(seen, balance, gap_before);
}

/// A wrong transfer may have moved its other account too, which the answer does not state.
void ExchangeJudge::note_other_keys(const Comparison& seen) {
  const auto& keys = seen.exchange.keys;
  for (std::size_t i = 1; i < keys.size(); ++i) {
    Findings findings;
    note_mismatch(book_.touch(keys[i].key), seen.observation, findings);
    settle(keys[i].key, findings);
  }
}

std::optional<std::int64_t> ExchangeJudge::difference_of(AccountState& account, const Comparison& seen) {
  const auto first = account.amount(*seen.result.legacy_balance);
  const auto modern = account.amount(*seen.result.modern_balance);
  if (!first || !modern) return std::nullopt;
  const auto legacy = account.amount(*seen.result.legacy_balance);  // again: the other may have grown the scale
  std::int64_t difference = 0;
  if (!legacy || __builtin_sub_overflow(*modern, *legacy, &difference)) return std::nullopt;
  if (seen.observation.certain) account.balance = {legacy, modern};
  return difference;
}

void ExchangeJudge::conclude(const Comparison& seen, BalanceVerdict balance, const std::string& gap_before) {
  const auto& exchange = seen.exchange;
  std::string detail = seen.result.summary();
  if (balance == BalanceVerdict::different) {
    detail += fmt::format("{}{}: legacy {}, modern {} (known gap {})", detail.empty() ? "" : "; ",
                          seen.rules.balance_path, seen.compared.legacy, seen.compared.modern, gap_before);
  }
  if (seen.observation.known_mismatch) return conclude_known(seen, std::move(detail));
  switch (balance) {
    case BalanceVerdict::different:
      return book_.decide(exchange, Verdict::mismatch, detail, seen.compared);
    case BalanceVerdict::unknown:
      return book_.decide(exchange, Verdict::unknown,
                          seen.observation.late ? "balance: arrived after later exchanges of its account"
                                                : "balance: the gap changed after a leg or an event was lost",
                          seen.compared);
    case BalanceVerdict::pending:
      return book_.open(exchange.exchange_id, {false, seen.observation.late, book_.event_time_us, seen.frame});
    case BalanceVerdict::equal:
      if (!seen.accepted.empty())
        return book_.decide(exchange, Verdict::accepted_change, seen.accepted + "; " + detail, seen.compared);
      const bool cut = seen.result.outcome == Outcome::undecided;
      return book_.decide(exchange, cut ? Verdict::unknown : Verdict::match, detail, seen.compared);
  }
}

void ExchangeJudge::conclude_known(const Comparison& seen, std::string detail) {
  const auto& exchange = seen.exchange;
  if (!exchange.write && !exchange.keys.empty()) {
    const AccountState& account = book_.accounts[exchange.keys.front().key];
    if (seen.result.same_apart_from_order && (account.order_differed || !account.suspects.empty())) {
      return book_.decide(exchange, Verdict::order_dependent, "same elements in another order: " + detail,
                          seen.compared);
    }
    if (!account.differs_since.empty())
      detail += fmt::format(" (account already differs since {})", account.differs_since);
  }
  book_.decide(exchange, Verdict::mismatch, detail, seen.compared);
}

void ExchangeJudge::lose(const ExchangeEvent& exchange) {
  for (const auto& key : exchange.keys) note_lost(book_.touch(key.key), exchange.completed_at_us);
  mark_dirty(exchange);
}

void ExchangeJudge::mark_dirty(const ExchangeEvent& exchange) {
  if (!ledgers_) return;
  for (const auto& key : exchange.keys) {
    if (key.key != kUnknownKey) book_.touch(key.key).dirty = true;
  }
}

void ExchangeJudge::give_up(const std::string& exchange_id) {
  const ExchangeEvent exchange = read_exchange(book_.close(exchange_id).frame).value();
  AccountState& account = book_.touch(exchange.keys.front().key);
  std::erase_if(account.suspects, [&](const Suspect& s) { return s.exchange_id == exchange_id; });
  book_.decide(exchange, Verdict::unknown, "balance: overlapped with another write and was never seen aligned",
               compared_of(exchange));
}

void ExchangeJudge::settle(const std::string& account, const Findings& findings) {
  if (!findings.retracted.empty()) book_.retract(account, findings.retracted, findings.retracted_rung);
  for (const auto& finding : findings.settled) {
    if (finding.exchange_id.empty()) {
      book_.decide_account(account, finding);
    } else if (book_.open_exchanges.contains(finding.exchange_id)) {
      const ExchangeEvent exchange = read_exchange(book_.close(finding.exchange_id).frame).value();
      const auto compared = compared_of(exchange);
      if (compared.undecided.empty() || is_inconsistent(finding.verdict)) {
        book_.decide(exchange, finding.verdict, finding.detail, compared);
      } else {
        book_.decide(exchange, Verdict::unknown, compared.undecided, compared);
      }
    }
  }
  book_.confirm(book_.accounts[account].slice, findings.confirmed, findings.confirmed_detail);
}

CoreBook::Compared ExchangeJudge::compared_of(const ExchangeEvent& exchange) const {
  const auto result =
      compare_responses(exchange.leg(Side::legacy), exchange.leg(Side::modern), rules_of(exchange.route).compare);
  return {result.legacy_balance ? result.legacy_balance->to_string() : "",
          result.modern_balance ? result.modern_balance->to_string() : "", result.values,
          result.outcome == Outcome::undecided ? result.note : ""};
}

}  // namespace phoenix::arbiter
