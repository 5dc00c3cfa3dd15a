// When an exchange is decided, what that settles, and what a late posting changes.
#include <algorithm>

#include "arbiter/posting_ledger_impl.hpp"

namespace phoenix::arbiter {
namespace {

std::int64_t latest(const Moment& now) {
  return std::max(now.event_time_us, now.log_time_us);
}

AccountPosting evidence_of(const std::string& name, const AccountState& account, const Posting* posting) {
  AccountPosting evidence;
  evidence.account = name;
  evidence.currency = account.currency;
  evidence.scale = account.scale;
  evidence.gap = account.gap;
  evidence.carry = account.postings.carry;
  if (posting == nullptr) return evidence;
  for (std::size_t side = 0; side < 2; ++side) {
    const PostedLeg& leg = posting->legs[side];
    evidence.legs[side] = {leg.transactions, leg.delta, leg.before, leg.after, leg.position.first, leg.position.second};
  }
  evidence.same_predecessors = posting->on_both() && posting->legs[0].ordered && posting->legs[1].ordered &&
                               posting->legs[0].predecessors == posting->legs[1].predecessors;
  return evidence;
}

}  // namespace

bool PostingLedger::judge(ExchangeFacts facts, const Moment& now) {
  if (!facts.compared && !facts.write) return true;
  for (const auto& name : facts.accounts) {  // a posting that had been given up for want of this event
    AccountState* account = accounts_.find(name);
    if (account == nullptr || account->postings.sealed.empty() || !reopen_posting(*account, facts.exchange_id))
      continue;
    accounts_.touch(name);
    index_posting(facts.exchange_id, name);
    if (refresh_gap(*account, latest(now), {facts.exchange_id})) wake(name);
    PostingFinding finding;
    finding.kind = PostingFinding::Kind::retract;
    finding.account = name;
    finding.verdict = Verdict::unknown;
    finding.verdict_id = fmt::format("posting/{}/{}", facts.exchange_id, name);
    findings_.push_back(std::move(finding));
  }
  note_late_postings(facts, now);
  if (const auto posted = accounts_of_.find(facts.exchange_id); posted != accounts_of_.end()) {
    for (const auto& name : posted->second) {
      if (facts.may_post_late()) note_apart(facts, accounts_.touch(name), now);
      wake(name);  // who waited for this event
    }
  }
  Waiting waiting{std::move(facts), 0};
  Assessment found = assess(waiting.facts, waiting.mark, now);
  if (!found.open() && found.state == Assessment::State::decided) {
    conclude(waiting.facts, std::move(found), now);
    work(now);
    return true;
  }
  const std::string id = waiting.facts.exchange_id;
  const Waiting& kept = keep_open(id, std::move(waiting));
  if (kept.facts.offset >= covered_to()) uncovered_.emplace(kept.facts.offset, id);
  wait(kept, found);
  make_room(now);
  work(now);
  return false;
}

PostingLedger::Waiting& PostingLedger::keep_open(const std::string& id, Waiting waiting) {
  if (const auto earlier = open_.find(id); earlier != open_.end()) take_open(earlier);
  open_may_post_late_ += waiting.facts.may_post_late() ? 1 : 0;
  return open_.emplace(id, std::move(waiting)).first->second;
}

PostingLedger::Waiting PostingLedger::take_open(std::unordered_map<std::string, Waiting>::iterator at) {
  auto node = open_.extract(at);
  open_may_post_late_ -= node.mapped().facts.may_post_late() ? 1 : 0;
  return std::move(node.mapped());
}

/// Remembers what may change the assessment.
void PostingLedger::wait(const Waiting& waiting, const Assessment& found) {
  const ExchangeFacts& facts = waiting.facts;
  if (found.again_us != 0) deadlines_.emplace(found.again_us, facts.exchange_id);
  if (waiting.mark != 0) waiters_[facts.accounts.front()].emplace(facts.offset, facts.exchange_id);
}

/// Bounded: the oldest ones are given up, which is no verdict on anybody.
void PostingLedger::make_room(const Moment& now) {
  while (open_.size() > kOpenExchanges && !uncovered_.empty()) {
    const std::string id = uncovered_.begin()->second;
    uncovered_.erase(uncovered_.begin());
    const auto at = open_.find(id);
    if (at == open_.end()) continue;
    Assessment found;
    found.decide(Verdict::unknown, "too many exchanges are waiting for the ledgers' streams");
    conclude(take_open(at).facts, std::move(found), now);
  }
}

void PostingLedger::wake(const std::string& account) {
  const auto at = waiters_.find(account);
  if (at == waiters_.end()) return;
  for (const auto& [offset, id] : at->second) ready_.push_back(id);
}

void PostingLedger::work(const Moment& now) {
  for (std::size_t i = 0; i < ready_.size(); ++i) {
    const std::string id = ready_[i];
    evaluate(id, now);
  }
  ready_.clear();
}

void PostingLedger::evaluate(const std::string& id, const Moment& now) {
  const auto at = open_.find(id);
  if (at == open_.end()) {
    if (const auto decided = decided_.find(id); decided != decided_.end()) evaluate_late(id, decided->second, now);
    return;
  }
  const std::uint64_t mark = at->second.mark;
  Assessment found = assess(at->second.facts, at->second.mark, now);
  if (found.state != Assessment::State::decided) {
    if (at->second.mark != mark) marked_.push_back(id);
    return wait(at->second, found);
  }
  const Waiting ended = take_open(at);
  const ExchangeFacts& facts = ended.facts;
  uncovered_.erase({facts.offset, id});
  if (!facts.accounts.empty()) {
    const auto waiters = waiters_.find(facts.accounts.front());
    if (waiters != waiters_.end()) {
      waiters->second.erase({facts.offset, id});
      if (waiters->second.empty()) waiters_.erase(waiters);
    }
  }
  conclude(facts, std::move(found), now);
}

/// Nearby answers may have been given before or after its posting.
void PostingLedger::note_late_postings(const ExchangeFacts& facts, const Moment& now) {
  if (!facts.write || !facts.may_post_late()) return;
  for (const auto& name : facts.accounts) accounts_.touch(name).postings.uncertain_at_us = latest(now);
}

void PostingLedger::conclude(const ExchangeFacts& facts, Assessment found, const Moment& now) {
  note_late_postings(facts, now);
  PostingFinding finding;
  finding.exchange_id = facts.exchange_id;
  finding.verdict = found.verdict == Verdict::match && found.late ? Verdict::match_late : found.verdict;
  finding.detail = std::move(found.detail);
  finding.confirmed = found.confirmed;
  finding.from_balances = found.from_balances;
  finding.keep_postings = facts.reads_balance == config::ReadsBalance::amount;
  finding.event_time_us = facts.completed_at_us;

  DecidedExchange decided;
  decided.verdict = finding.verdict;
  decided.compared = facts.compared;
  decided.write = facts.write;
  decided.both_done = facts.both_done();
  decided.answers = facts.answers;
  decided.confirmed = found.confirmed;
  decided.offset = facts.offset;
  decided.received_at_us = facts.received_at_us;
  decided.completed_at_us = facts.completed_at_us;
  if (!facts.accounts.empty()) decided.account = facts.accounts.front();
  settle(facts.exchange_id, finding, decided, now);
  if (finding.verdict != Verdict::match && finding.postings.empty()) {
    for (const auto& name : facts.accounts) {
      if (const AccountState* account = accounts_.find(name))
        finding.postings.push_back(evidence_of(name, *account, nullptr));
    }
  }
  decided_.insert_or_assign(facts.exchange_id, std::move(decided));
  findings_.push_back(std::move(finding));
}

/// Takes the exchange's postings out of the open ones.
void PostingLedger::settle(const std::string& id, PostingFinding& finding, DecidedExchange& decided,
                           const Moment& now) {
  const auto found = accounts_of_.extract(id);
  if (found.empty()) return;
  for (const auto& name : found.mapped()) {
    AccountState& account = accounts_.touch(name);
    const auto posting = settle_posting(account, id);
    if (!posting) continue;
    --open_postings_;
    for (const int side : {0, 1}) {
      if (posting->legs[static_cast<std::size_t>(side)].transactions > 0)
        decided.posted |= static_cast<std::uint8_t>(1 << side);
    }
    if (!posting->on_both()) ++decided.lacking;
    if (posting->difference() != 0 && !is_inconsistent(finding.verdict)) account.postings.through_us = true;
    refresh_gap(account, latest(now), {id, 0, 0, posting->number});
    wake(name);
    AccountPosting evidence = evidence_of(name, account, &*posting);
    if (posting->on_both() && !evidence.same_predecessors) account.order_differed = true;
    if (finding.verdict != Verdict::match || finding.keep_postings) finding.postings.push_back(std::move(evidence));
  }
}

/// A posting came after its exchange had been decided: what had been said is said again, better.
void PostingLedger::evaluate_late(const std::string& id, DecidedExchange& decided, const Moment& now) {
  const auto at = accounts_of_.find(id);
  if (at == accounts_of_.end()) return;
  if (decided.offset >= covered_to()) {  // it was decided early
    uncovered_.emplace(decided.offset, id);
    return;
  }
  bool duplicate = false, unequal = false, lacking = false;
  int paired = 0;
  PostingFinding finding;
  for (const auto& name : at->second) {
    AccountState& account = accounts_.touch(name);
    const Posting* posting = account.postings.find_open(id);
    if (posting == nullptr) continue;
    if (!complete(*posting)) return;
    account.postings.uncertain_at_us = latest(now);
    if (posting->on_both()) {
      if (!posting->exact()) {
        lacking = true;
      } else if (posting->legs[0].delta != posting->legs[1].delta) {
        unequal = true;
      }
      if (decided.lacking > 0) ++paired;
    } else {
      const int side = posting->posted(Side::legacy) ? 1 : 2;
      const bool first_here = (decided.posted & side) == 0;
      if (first_here && decided.posted == 0 && now.event_time_us < posting->since_us + options_.absence_us) {
        deadlines_.emplace(posting->since_us + options_.absence_us, id);  // its counterpart may be as late
        return;
      }
      (first_here ? lacking : duplicate) = true;
      if (finding.detail.empty()) {
        finding.detail = fmt::format("account {}: {} posted {} {}", name, side == 1 ? "legacy" : "modern",
                                     account.format(posting->legs[side == 1 ? 0 : 1].delta),
                                     first_here ? "late, its counterpart is not there" : "once more");
      }
    }
  }
  finding.exchange_id = id;
  finding.before = decided.verdict;
  finding.event_time_us = decided.completed_at_us;
  finding.verdict = decided.verdict;
  decided.lacking = static_cast<std::uint8_t>(std::max(0, decided.lacking - paired));
  if (duplicate) {
    finding.verdict = Verdict::duplicate;
    finding.confirmed = true;
  } else if (unequal) {
    finding.verdict = Verdict::mismatch;
    finding.confirmed = true;
    finding.detail = "both ledgers posted, one of them late, and not the same";
  } else if (lacking) {
    if (decided.verdict == Verdict::match || decided.verdict == Verdict::match_late) finding.verdict = Verdict::unknown;
  } else if (paired > 0 && decided.lacking == 0 && decided.answers != AnswerFact::different) {
    finding.verdict = decided.answers == AnswerFact::undecided ? Verdict::unknown : Verdict::match_late;
    finding.detail = "both ledgers posted the same, one of them late";
  }
  marked_.push_back(id);
  for (const auto& name : at->second) {
    if (decided.posted != 0) break;  // else its part was sealed, which the gap tells
    PostingState& postings = accounts_.touch(name).postings;
    const Posting* posting = postings.find_open(id);
    if (posting == nullptr || !posting->on_both()) continue;
    for (const Side side : {Side::legacy, Side::modern}) arbiter::note_apart(postings, *posting, side, latest(now));
  }
  const std::uint8_t lacking_before = decided.lacking;
  settle(id, finding, decided, now);
  if (duplicate) decided.lacking = lacking_before;  // nothing that a later posting could make good
  if (finding.verdict == decided.verdict) return;
  decided.verdict = finding.verdict;
  if (decided.compared) findings_.push_back(std::move(finding));
}

}  // namespace phoenix::arbiter
