#include "arbiter/state_judge.hpp"

#include "arbiter/exchange_judge.hpp"
#include "core/model/business_key.hpp"
#include "core/model/exchange_id.hpp"

namespace phoenix::arbiter {
namespace {

constexpr std::size_t kWaitingKept = 8'192;
constexpr std::size_t kWaitingBytesKept = 16 << 20;

std::int64_t microseconds_of(std::chrono::milliseconds time) {
  return time.count() * 1'000;
}

/// When the gateway made the id; 0 where it is not one of its ids.
std::int64_t minted_us(const std::string& exchange_id) {
  const auto id = ExchangeId::parse(exchange_id);
  if (!id || (id->bytes[6] >> 4) != 7) return 0;
  std::int64_t ms = 0;
  for (std::size_t i = 0; i < 6; ++i) ms = ms << 8 | id->bytes[i];
  return ms * 1'000;
}

LegFact leg_fact(const ExchangeEvent& exchange, const LegRecord& leg) {
  if (exchange.dropped == kLostWithGateway) return LegFact::uncertain;
  switch (leg.outcome) {
    case LegOutcome::none:
    case LegOutcome::connect_failed:
    case LegOutcome::dropped:
      return LegFact::none;
    case LegOutcome::ok:
      if (leg.status >= 200 && leg.status < 300) return LegFact::done;
      return leg.uncertain || leg.status >= 500 ? LegFact::uncertain : LegFact::refused;
    default:
      return LegFact::uncertain;
  }
}

AnswerFact answer_fact(const ExchangeEvent& exchange, const ResponseDifference& responses) {
  const bool both = exchange.serving.outcome == LegOutcome::ok && exchange.shadow.outcome == LegOutcome::ok;
  if (!both || !exchange.dropped.empty()) return AnswerFact::absent;
  switch (responses.outcome) {
    case ResponseDifference::Outcome::equal:
      return AnswerFact::equal;
    case ResponseDifference::Outcome::different:
      return AnswerFact::different;
    default:
      return AnswerFact::undecided;
  }
}

/// The member that states a balance; in XML its text stands below it.
const std::string& name_of(const JsonPath& balance) {
  return balance.size() > 1 && balance.back() == "#text" ? balance[balance.size() - 2] : balance.back();
}

std::string joined(const std::string& first, const std::string& second) {
  if (first.empty() || second.empty()) return first + second;
  return first + "; " + second;
}

/// One side's posting stands on an account that the exchange does not name, and the other side's, of the same amount,
/// on one that this side has left alone.
std::string posted_elsewhere(const ExchangeEvent& exchange, const std::vector<AccountPosting>& postings) {
  const auto named = [&](const std::string& account) {
    return std::any_of(exchange.keys.begin(), exchange.keys.end(), [&](const auto& key) { return key.key == account; });
  };
  for (const Side side : {Side::legacy, Side::modern}) {
    const auto here = index(side), there = index(other(side));
    for (const auto& stray : postings) {
      if (named(stray.account) || stray.legs[here].transactions == 0 || stray.legs[there].transactions > 0) continue;
      const auto right = std::find_if(postings.begin(), postings.end(), [&](const auto& posting) {
        return &posting != &stray && posting.legs[here].transactions == 0 && posting.legs[there].transactions > 0 &&
               posting.legs[there].delta == stray.legs[here].delta && posting.scale == stray.scale;
      });
      if (right == postings.end()) continue;
      return fmt::format("{} posted {} to account {}, which the exchange does not name; {} to account {}",
                         to_string(side), format_minor(stray.legs[here].delta, stray.scale), stray.account,
                         to_string(other(side)), right->account);
    }
  }
  return {};
}

/// Of the account that the answers speak of; of another one where that was not posted to.
PostingFacts facts_for_cause(const ExchangeEvent& exchange, const PostingFinding& finding) {
  PostingFacts facts;
  if (finding.verdict == Verdict::order_dependent) facts.order_proof = finding.detail;
  facts.other_account = posted_elsewhere(exchange, finding.postings);
  const AccountPosting* of = nullptr;
  for (const auto& posting : finding.postings) {
    const bool first_key = !exchange.keys.empty() && posting.account == exchange.keys.front().key;
    if (of == nullptr || first_key) of = &posting;
  }
  if (of == nullptr) return facts;
  facts.scale = of->scale;
  for (std::size_t side = 0; side < 2; ++side) {
    const auto& leg = of->legs[side];
    facts.posted[side].transactions = static_cast<int>(leg.transactions);
    if (leg.transactions == 0) continue;
    facts.posted[side].before = leg.before;
    facts.posted[side].delta = leg.delta;
  }
  return facts;
}

}  // namespace

StateJudge::StateJudge(const config::Config& config, CoreBook& book, AcceptedChangePolicy* policy,
                       std::int64_t absence_us, LedgerState state)
    : book_(book),
      policy_(policy),
      default_slice_(config.slices.empty() ? "" : config.slices.front().name),
      slack_us_(microseconds_of(config.arbiter.settle)),
      ledger_(
          {config.arbiter.state_source != config::StateSource::debezium, absence_us, slack_us_, config.arbiter.jobs},
          accounts(), book.decided, std::move(state)) {
  for (const auto& route : config.gateway.routes) {
    RouteRules rules{CompareRules::from_config(route.compare), route.posting == config::Posting::async,
                     microseconds_of(route.async_max), route.reads_balance};
    if (rules.compare.balance && !rules.compare.balance->empty()) {
      running_balances_[route.slice].push_back(name_of(*rules.compare.balance));
    }
    routes_.emplace(route.name, std::move(rules));
  }
  for (const auto& [id, open] : book.open_exchanges) {
    const ExchangeEvent exchange = read_exchange(open.frame).value();
    ledger_.restore(facts_of(exchange, compare(exchange), open.offset), open.mark);
  }
  for (auto& [name, account] : book.accounts) ledger_.restore(name, account);
}

PostingLedger::Accounts StateJudge::accounts() {
  return {[this](const std::string& name) -> AccountState& {
            AccountState& account = book_.touch(name);
            if (account.slice.empty()) account.slice = default_slice_;
            return account;
          },
          [this](const std::string& name) -> AccountState* {
            const auto at = book_.accounts.find(name);
            return at == book_.accounts.end() ? nullptr : &at->second;
          },
          minted_us};
}

const StateJudge::RouteRules& StateJudge::rules_of(const std::string& route) const {
  static const RouteRules kNoRules;
  const auto at = routes_.find(route);
  return at == routes_.end() ? kNoRules : at->second;
}

ResponseDifference StateJudge::compare(const ExchangeEvent& exchange) const {
  if (exchange.serving.outcome != LegOutcome::ok || exchange.shadow.outcome != LegOutcome::ok) return {};
  static const std::vector<std::string> kNone;
  const auto names = running_balances_.find(exchange.slice);
  return compare_responses(exchange.leg(Side::legacy), exchange.leg(Side::modern), rules_of(exchange.route).compare,
                           names == running_balances_.end() ? kNone : names->second);
}

ExchangeFacts StateJudge::facts_of(const ExchangeEvent& exchange, const ResponseDifference& responses,
                                   std::int64_t offset) const {
  const RouteRules& rules = rules_of(exchange.route);
  ExchangeFacts facts;
  facts.exchange_id = exchange.exchange_id;
  facts.offset = offset;
  facts.received_at_us = exchange.received_at_us;
  facts.completed_at_us = exchange.completed_at_us;
  for (const auto& key : exchange.keys) {
    if (key.key != kUnknownKey) facts.accounts.push_back(key.key);
  }
  facts.write = exchange.write;
  facts.compared = exchange.excluded.empty();
  facts.answers = answer_fact(exchange, responses);
  facts.same_apart_from_order = responses.same_apart_from_order;
  for (const Side side : {Side::legacy, Side::modern}) facts.legs[index(side)] = leg_fact(exchange, exchange.leg(side));
  facts.stated = {responses.legacy_balance, responses.modern_balance};
  facts.overlap = exchange.overlap;
  facts.reads_balance = rules.reads_balance;
  facts.async = rules.async;
  facts.async_max_us = rules.async_max_us;
  return facts;
}

void StateJudge::judge(ExchangeEvent exchange, const std::string& frame, std::int64_t offset, const Moment& now) {
  for (const auto& key : exchange.keys) {
    if (key.key == kUnknownKey) continue;
    AccountState& account = book_.touch(key.key);
    account.slice = exchange.slice;
    account.last_completed_us = std::max(account.last_completed_us, exchange.completed_at_us);
  }
  Judged judged{std::move(exchange), {}, frame.size()};
  judged.responses = compare(judged.exchange);
  ledger_.judge(facts_of(judged.exchange, judged.responses, offset), now);
  const bool waits = ledger_.waits(judged.exchange.exchange_id);
  if (waits) {
    OpenExchange open{false, false, book_.event_time_us, frame, offset, ledger_.mark(judged.exchange.exchange_id)};
    book_.open(judged.exchange.exchange_id, std::move(open));
  }
  settle(&judged);
  if (waits) keep(std::move(judged));
}

void StateJudge::keep(Judged judged) {
  if (const auto older = waiting_.extract(judged.exchange.exchange_id)) waiting_bytes_ -= older.mapped().frame_bytes;
  if (waiting_.size() >= kWaitingKept || waiting_bytes_ + judged.frame_bytes > kWaitingBytesKept) return;
  waiting_bytes_ += judged.frame_bytes;
  std::string id = judged.exchange.exchange_id;
  waiting_.emplace(std::move(id), std::move(judged));
}

/// Closes an exchange that waited.
StateJudge::Judged StateJudge::take_waiting(const std::string& exchange_id) {
  const OpenExchange open = book_.close(exchange_id);
  if (auto node = waiting_.extract(exchange_id)) {
    waiting_bytes_ -= node.mapped().frame_bytes;
    return std::move(node.mapped());
  }
  Judged judged{read_exchange(open.frame).value(), {}, open.frame.size()};
  judged.responses = compare(judged.exchange);
  return judged;
}

void StateJudge::apply(const StateRecord& record, const Moment& now) {
  if (const auto* change = std::get_if<StateChange>(&record)) {
    ledger_.take(*change, now);
    note_created(*change, now);
  } else if (const auto* marker = std::get_if<StateMarker>(&record)) {
    ledger_.take(*marker, now);
  } else if (const auto* gap = std::get_if<StateGap>(&record)) {
    ledger_.take(*gap, now);
  }
  settle(nullptr);
}

void StateJudge::rebase(const std::string& account, const std::array<std::optional<Decimal>, 2>& balances,
                        const Moment& now) {
  ledger_.rebase(account, balances, now);
  settle(nullptr);
}

Result<ComparisonOutcome> StateJudge::compare_ledgers(const LedgerComparison& comparison, const Moment& now) {
  AccountState& account = book_.touch(comparison.account);
  Findings findings;
  const auto taken = take_stream_comparison(account, comparison, ledger_.trusted(account), findings);
  if (!taken) return taken.error();
  if (taken->begin_with) {
    ledger_.rebase(comparison.account, *taken->begin_with, now);
  }
  for (const auto& finding : findings.settled) book_.decide_account(comparison.account, finding);
  book_.confirm(account.slice, findings.confirmed, findings.confirmed_detail);
  settle(nullptr);
  return taken->outcome;
}

void StateJudge::note_lost(const Moment& now) {
  ledger_.note_lost(now);
  settle(nullptr);
}

void StateJudge::pass_time(const Moment& now, std::int64_t settled_until_us) {
  ledger_.pass_time(now, settled_until_us);
  settle(nullptr);
}

/// Writes down what became known. `present`: the exchange of the current record, if it is one.
void StateJudge::settle(const Judged* present) {
  for (const auto& id : ledger_.take_marked()) {
    book_.mark_open(id, ledger_.mark(id));
    if (book_.decided.contains(id)) book_.changes.decided.push_back(id);
  }
  for (auto& finding : ledger_.take_findings()) {
    switch (finding.kind) {
      case PostingFinding::Kind::exchange:
        if (finding.before) {
          revise(finding);
        } else if (present != nullptr && finding.exchange_id == present->exchange.exchange_id) {
          decide(present->exchange, present->responses, finding);
        } else {
          const Judged judged = take_waiting(finding.exchange_id);
          decide(judged.exchange, judged.responses, finding);
        }
        // Waited for longer than ids are remembered: nothing corrects it any more.
        if (!book_.seen.contains(finding.exchange_id)) book_.decided.erase(finding.exchange_id);
        break;
      case PostingFinding::Kind::account:
        book_.decide_account(finding.account,
                             {"", finding.verdict, finding.detail, finding.verdict_id, finding.event_time_us});
        break;
      case PostingFinding::Kind::retract:
        book_.retract(finding.account, finding.verdict_id, 0, finding.verdict);
        break;
      case PostingFinding::Kind::unpaired:
        book_.note_unpaired(finding.account, finding.side, finding.delta);
        break;
    }
  }
}

void StateJudge::decide(const ExchangeEvent& exchange, const ResponseDifference& responses, PostingFinding& finding) {
  DecidedExchange& decided = book_.decided.at(finding.exchange_id);
  decided.slice = exchange.slice;
  decided.route = exchange.route;
  decided.rung = exchange.rung;
  decided.served = exchange.serving.status >= 200 && exchange.serving.status < 300;
  book_.changes.decided.push_back(finding.exchange_id);
  if (!decided.compared) return;

  std::string detail = joined(responses.summary(), finding.detail);
  if (finding.verdict == Verdict::unknown && decided.answers == AnswerFact::absent) {
    detail = joined(leg_problem(exchange), finding.detail);
  }
  const bool excused = finding.from_balances && finding.verdict != Verdict::mismatch;
  std::string follows = excused ? explain_amounts(exchange, responses, finding) : "";
  if (policy_ != nullptr) policy_->note(exchange);
  if (finding.verdict == Verdict::mismatch && policy_ != nullptr) {
    if (const auto acceptance = policy_->judge({exchange, responses, finding.postings})) {
      accept(*acceptance, finding);
      detail = joined(fmt::format("{}: {}", acceptance->rule_id, acceptance->detail), detail);
    }
  }
  if (finding.verdict == Verdict::mismatch && !excused) follows = explain_consequence(exchange, responses, finding);
  learn_rule(exchange, finding);
  detail = joined(detail, follows);
  decided.verdict = finding.verdict;
  decided.confirmed = finding.confirmed;
  CoreBook::Compared compared;
  if (responses.legacy_balance) compared.legacy = responses.legacy_balance->to_string();
  if (responses.modern_balance) compared.modern = responses.modern_balance->to_string();
  compared.differences = responses.values;
  compared.facts = facts_for_cause(exchange, finding);
  if (finding.verdict == Verdict::unknown) compared.facts.follows = std::move(follows);
  compared.postings = std::move(finding.postings);
  const auto counted = book_.count_decision(exchange, finding.verdict, detail, compared);
  decided.current = counted.current;
  decided.first = counted.first;
  if (finding.confirmed) {
    book_.confirm(exchange.slice, 1, fmt::format("exchange {}: {}", exchange.exchange_id, finding.detail));
  }
}

/// The accounts carry what was accepted, so that later balances still compare.
void StateJudge::accept(const Acceptance& acceptance, PostingFinding& finding) {
  finding.verdict = Verdict::accepted_change;
  finding.confirmed = false;
  for (const auto& [name, drift] : acceptance.drift) {
    for (auto& posting : finding.postings) {
      if (posting.account != name) continue;
      AccountState& account = book_.touch(name);
      std::int64_t units = drift;
      for (int scale = posting.scale; scale < account.scale; ++scale) units *= 10;
      account.postings.carry = wrapping_add(account.postings.carry, units);
      if (account.postings.carry == account.gap) account.differs_since.clear();
    }
  }
}

void StateJudge::revise(const PostingFinding& finding) {
  DecidedExchange& decided = book_.decided.at(finding.exchange_id);
  book_.changes.decided.push_back(finding.exchange_id);
  book_.revise(finding.exchange_id, decided, *finding.before, finding.verdict, finding.detail, finding.postings);
  if (decided.confirmed != finding.confirmed) {
    book_.confirm(decided.slice, finding.confirmed ? 1 : -1,
                  fmt::format("exchange {}: {}", finding.exchange_id, finding.detail));
  }
  decided.confirmed = finding.confirmed;
}

}  // namespace phoenix::arbiter
