// What an exchange's postings, answers and stated balances say. The order of the questions is that of
// docs/state-comparison.md.
#include <algorithm>

#include "arbiter/posting_ledger_impl.hpp"

namespace phoenix::arbiter {
namespace {

using Ledgers = PostingLedger::Touched::Ledgers;

Ledgers compare(const Posting& posting) {
  const auto& [legacy, modern] = posting.legs;
  if (!posting.exact()) return Ledgers::inexact;
  if (!posting.on_both()) return Ledgers::lacking;
  if (legacy.delta == modern.delta) return Ledgers::equal;
  // Without its further transactions one side would have done what the other did.
  const bool repeated = legacy.transactions > 1 || modern.transactions > 1;
  return repeated && legacy.first_delta == modern.first_delta ? Ledgers::duplicate : Ledgers::unequal;
}

std::string describe(const std::string& name, const AccountState& account, const Posting& posting) {
  const auto side_text = [&](Side side) {
    const PostedLeg& leg = posting.legs[index(side)];
    if (leg.transactions == 0) return std::string("nothing");
    if (!leg.exact) return std::string("an amount that its stream does not tell");
    return leg.transactions == 1 ? account.format(leg.delta)
                                 : fmt::format("{} in {} transactions", account.format(leg.delta), leg.transactions);
  };
  return fmt::format("account {}: legacy posted {}, modern {}", name, side_text(Side::legacy), side_text(Side::modern));
}

/// A row was written again with the balance that it had: as good as nothing, which is what the other side posted. An
/// account's first row or last one is none of these, nor is an amount that was posted and taken back.
bool is_idle(const AccountState& account, const Posting& posting) {
  const PostedLeg& leg = posting.legs[posting.posted(Side::legacy) ? 0 : 1];
  return account.postings.known() && leg.rewritten;
}

/// The gap changed more often since then than is remembered.
bool lost_steps(const PostingState& postings, std::int64_t since_us) {
  return postings.steps_lost_us != 0 && postings.steps_lost_us >= since_us;
}

void add_detail(std::string& detail, const std::string& more) {
  detail += (detail.empty() ? "" : "; ");
  detail += more;
}

}  // namespace

bool PostingLedger::complete(const Posting& posting) const {
  for (std::size_t side = 0; side < 2; ++side) {
    const PostedLeg& leg = posting.legs[side];
    if (leg.transactions == 0) continue;
    if (leg.late || (state_.streams[side].transaction != 0 && leg.transaction == state_.streams[side].transaction))
      return false;
  }
  return true;
}

PostingLedger::Touched PostingLedger::look_at(const ExchangeFacts& facts) const {
  Touched touched;
  const auto at = accounts_of_.find(facts.exchange_id);
  if (at == accounts_of_.end()) {
    for (const auto& name : facts.accounts) {
      const AccountState* account = accounts_.find(name);
      touched.trusted = touched.trusted && (account == nullptr || trusted(*account));
    }
    return touched;
  }
  for (const auto& name : at->second) {
    AccountState* account = accounts_.find(name);
    const Posting* posting = account == nullptr ? nullptr : account->postings.find_open(facts.exchange_id);
    if (posting == nullptr) continue;
    Ledgers ledgers = compare(*posting);
    if (ledgers == Ledgers::lacking && is_idle(*account, *posting)) ledgers = Ledgers::idle;
    touched.complete = touched.complete && complete(*posting);
    touched.trusted = touched.trusted && trusted(*account);
    touched.may_close = touched.may_close || may_close(account->postings);
    const std::size_t other = posting->posted(Side::legacy) ? 1 : 0;
    if (ledgers == Ledgers::lacking) touched.lacking[other] = true;
    if (ledgers == Ledgers::idle) touched.idle[other] = true;
    if (ledgers != Ledgers::equal) add_detail(touched.detail, describe(name, *account, *posting));
    touched.ledgers = std::max(touched.ledgers, ledgers);
  }
  return touched;
}

PostingLedger::Assessment PostingLedger::assess(const ExchangeFacts& facts, std::uint64_t& mark, const Moment& now) {
  Assessment found;
  const bool covered = facts.offset < covered_to();
  const Touched touched = look_at(facts);
  assess_postings(facts, touched, covered, found, now);
  if (found.state == Assessment::State::decided && found.verdict == Verdict::unknown &&
      facts.answers == AnswerFact::different) {
    found.decide(Verdict::mismatch, found.detail);  // that much is certain
  }
  excuse_balance(facts, touched, found);
  if (found.open()) assess_answers(facts, touched, covered, found);
  if (found.open()) assess_balance(facts, covered, mark, found);
  found.late = found.late || mark != 0;
  return found;
}

/// Leaves the assessment open where the ledgers agree: then answers and balances decide.
void PostingLedger::assess_postings(const ExchangeFacts& facts, const Touched& touched, bool covered, Assessment& found,
                                    const Moment& now) const {
  const Ledgers ledgers = touched.ledgers;
  if (!facts.write && ledgers == Ledgers::nothing) return;
  if (!covered) {
    // What both did alike in whole transactions is not taken back: only good news may come early.
    const bool answered = facts.answers == AnswerFact::equal || facts.answers == AnswerFact::undecided;
    const bool refused = facts.legs[0] == LegFact::refused && facts.legs[1] == LegFact::refused;
    const bool early =
        answered && (ledgers == Ledgers::equal ? options_.whole_transactions && touched.complete && facts.both_done()
                     : ledgers == Ledgers::nothing ? refused
                                                   : false);
    if (!early) found.wait();
    return;
  }
  if (!touched.complete) return found.wait();
  switch (ledgers) {
    case Ledgers::equal:
      return;
    case Ledgers::nothing:
      if (facts.any_uncertain() && facts.answers == AnswerFact::absent) {
        return found.wait_until(facts.completed_at_us + options_.absence_us, now);
      }
      if (facts.async && facts.both_done()) {
        return found.wait_until(facts.completed_at_us + facts.async_max_us, now, "nothing was posted in time");
      }
      return;
    case Ledgers::unequal:
      return found.decide(Verdict::mismatch, touched.detail, true);
    case Ledgers::duplicate:
      return found.decide(Verdict::duplicate, touched.detail, true);
    case Ledgers::inexact:
      return found.decide(Verdict::unknown, touched.detail);
    case Ledgers::idle:
    case Ledgers::lacking:
      return assess_lacking(facts, touched, found, now);
  }
}

void PostingLedger::assess_lacking(const ExchangeFacts& facts, const Touched& touched, Assessment& found,
                                   const Moment& now) const {
  if (facts.any_uncertain()) {
    return found.wait_until(facts.completed_at_us + options_.absence_us, now,
                            touched.detail + "; the other leg's outcome is uncertain");
  }
  if (facts.async) {
    return found.wait_until(facts.completed_at_us + facts.async_max_us, now, touched.detail);
  }
  const bool idle = touched.ledgers == Ledgers::idle;
  const auto& lacking = idle ? touched.idle : touched.lacking;
  const bool both_ways = lacking[0] && lacking[1];
  const std::size_t side = lacking[0] ? 0 : 1;
  if (facts.legs[side] == LegFact::none || (both_ways && facts.legs[1] == LegFact::none)) {
    return found.decide(Verdict::unknown, touched.detail + "; that leg was lost through us");
  }
  if (touched.may_close) return found.wait();
  const bool whole = touched.trusted && facts.received_at_us >= state_.streams[side].began_us + options_.slack_us &&
                     (!both_ways || facts.received_at_us >= state_.streams[1].began_us + options_.slack_us);
  if (!whole) return found.decide(Verdict::unknown, touched.detail + "; its stream has a gap there");
  const bool one_refused = (facts.legs[0] == LegFact::refused) != (facts.legs[1] == LegFact::refused);
  if (idle && !one_refused) return;  // nothing is missing where nothing was posted
  if (!facts.both_done() || both_ways) return found.decide(Verdict::mismatch, touched.detail, true);
  found.decide(side == 0 ? Verdict::missing_legacy : Verdict::missing_modern, touched.detail, true);
}

/// An outcome that follows from the balance differs where the balance did: by an order of overlapping writes, or by a
/// gap that is no proven fault. Where it is one, what it entails is a difference as any other.
void PostingLedger::excuse_balance(const ExchangeFacts& facts, const Touched& touched, Assessment& found) const {
  if (found.state != Assessment::State::decided || found.verdict != Verdict::mismatch) return;
  if (facts.reads_balance == config::ReadsBalance::none || facts.accounts.empty()) return;
  AccountState* account = accounts_.find(facts.accounts.front());
  if (account == nullptr) return;
  const auto excuse = [&](Verdict verdict, const char* why) {
    found.decide(verdict, fmt::format("{}{}{}", touched.detail, touched.detail.empty() ? "" : "; ", why));
    found.confirmed = false;
  };
  PostingState& postings = account->postings;
  const Posting* own = postings.find_open(facts.exchange_id);
  const bool differed = postings.through_us || postings.uncertain_at_us >= facts.received_at_us - options_.slack_us ||
                        lacks_counterpart(postings, own);
  const auto refused = [&](std::size_t side) {
    return facts.legs[side] == LegFact::refused && facts.legs[1 - side] == LegFact::done;
  };
  if (refused(0) || refused(1)) {
    if (facts.overlap) return excuse(Verdict::order_dependent, "refused on one side, beside overlapping writes");
    if (differed && !(own != nullptr && had_enough(facts, *account, *own, found)))
      excuse(Verdict::unknown, "refused on one side, whose balance differs by a gap that is no proven fault");
    return;
  }
  const bool amounts = facts.reads_balance == config::ReadsBalance::amount && touched.ledgers == Ledgers::unequal;
  if (!amounts || !facts.both_done() || own == nullptr || own->legs[0].before == own->legs[1].before) return;
  found.from_balances = true;
  if (facts.overlap && !(own->legs[0].predecessors == own->legs[1].predecessors))
    return excuse(Verdict::order_dependent, "computed from different balances, after different overlapping writes");
  if (differed) excuse(Verdict::unknown, "computed from balances that differ by a gap that is no proven fault");
}

/// The side that refused had no less than the one that accepted: no balance explains that. Says so.
bool PostingLedger::had_enough(const ExchangeFacts& facts, const AccountState& account, const Posting& own,
                               Assessment& found) const {
  const Side refused = facts.legs[0] == LegFact::refused ? Side::legacy : Side::modern;
  const PostingState& postings = account.postings;
  const std::int64_t recent_us = facts.received_at_us - options_.slack_us;
  if (!trusted(account) || !postings.known() || lost_steps(postings, recent_us) || may_close(postings)) return false;
  if (!had_at_least_the_others_balance(postings, refused, recent_us, own)) return false;
  add_detail(found.detail, fmt::format("refused by {}, whose balance was not the lower one", to_string(refused)));
  return true;
}

void PostingLedger::assess_answers(const ExchangeFacts& facts, const Touched& touched, bool covered,
                                   Assessment& found) const {
  if (!facts.compared) return found.decide(Verdict::unknown, "");  // its postings are settled, no more
  switch (facts.answers) {
    case AnswerFact::absent:
      if (touched.ledgers != Ledgers::equal) return found.decide(Verdict::unknown, "");
      found.late = true;
      return found.decide(Verdict::match, "both ledgers posted the same; an answer was lost");
    case AnswerFact::different:
      if (!covered) return found.wait();
      if (facts.same_apart_from_order && !facts.write && !facts.accounts.empty()) {
        const AccountState* account = accounts_.find(facts.accounts.front());
        if (account != nullptr && account->order_differed) {
          return found.decide(Verdict::order_dependent, "the same postings, applied in another order");
        }
      }
      return found.decide(Verdict::mismatch, "");
    case AnswerFact::equal:
    case AnswerFact::undecided:
      return;
  }
}

/// Another posting, before this number, of which it is not known what it did to balances: its counterpart is not there,
/// or its event, which tells whether its legs were uncertain. Pairs whose exchange waits itself are none, so that no
/// two wait for each other.
bool PostingLedger::unsettled(const PostingState& postings, std::uint64_t before, const std::string& except) const {
  return std::any_of(postings.open.begin(), postings.open.end(), [&](const Posting& posting) {
    return posting.number < before && posting.exchange_id != except &&
           (!posting.on_both() || !open_.contains(posting.exchange_id));
  });
}

/// Of what stands on one side alone by a leg whose end nobody knows, or that posts later: it will be sealed, or be a
/// pair whose parts came apart. Either way balances that were stated meanwhile show it, or do not.
std::vector<std::int64_t> PostingLedger::undone_steps(const PostingState& postings, std::uint64_t before) const {
  std::vector<std::int64_t> steps;
  if (open_may_post_late_ == 0)
    return steps;  // nearly always, and looking each of them up is a quarter of a hot account
  for (const auto& posting : postings.open) {
    if (before != 0 && posting.number >= before) break;
    if (posting.on_both() || !posting.exact() || !complete(posting)) continue;
    const auto waiting = open_.find(posting.exchange_id);
    if (waiting == open_.end() || !waiting->second.facts.may_post_late()) continue;
    if (steps.size() < kUndoneSteps) steps.push_back(wrapping_sub(0, posting.difference()));
  }
  return steps;
}

void PostingLedger::assess_balance(const ExchangeFacts& facts, bool covered, std::uint64_t& mark, Assessment& found) {
  const Verdict good = facts.answers == AnswerFact::undecided ? Verdict::unknown : Verdict::match;
  if (!facts.stated[0] || !facts.stated[1]) return found.decide(good, "");
  const auto wrong = [&](Verdict verdict, const std::string& more) {
    found.decide(verdict, fmt::format("stated balances: legacy {}, modern {}{}", facts.stated[0]->to_string(),
                                      facts.stated[1]->to_string(), more));
  };
  const bool same = *facts.stated[0] == *facts.stated[1];
  if (facts.accounts.empty()) return same ? found.decide(good, "") : wrong(Verdict::mismatch, "");

  AccountState& account = accounts_.touch(facts.accounts.front());
  PostingState& postings = account.postings;
  const bool scaled = account.amount(*facts.stated[0]) && account.amount(*facts.stated[1]);
  const auto legacy = account.amount(*facts.stated[0]);  // again: the other may have grown the scale
  const auto modern = account.amount(*facts.stated[1]);
  std::int64_t difference = 0;
  if (!scaled || !legacy || !modern || __builtin_sub_overflow(*modern, *legacy, &difference)) {
    return same ? found.decide(good, "") : wrong(Verdict::mismatch, " (beyond 64 bits)");
  }
  const bool known = trusted(account);
  const std::int64_t recent_us = facts.received_at_us - options_.slack_us;
  const bool steps_lost = lost_steps(postings, recent_us);
  // What has waited is held against the gap as it was.
  if (difference == account.gap && known && (mark == 0 || steps_lost)) return found.decide(good, "");
  if (same && !(known && postings.known())) return found.decide(good, "");

  const Posting* own = postings.find_open(facts.exchange_id);
  const bool own_pair = own != nullptr && own->on_both() && own->exact();
  const bool ordered = own_pair && own->legs[0].ordered && own->legs[1].ordered;
  const bool own_states = own_pair && own->legs[0].delta == own->legs[1].delta &&
                          difference == wrapping_sub(own->legs[1].after, own->legs[0].after);
  // Both answers tell what the posting left behind, on top of the same exchanges.
  if (ordered && own_states && own->legs[0].predecessors == own->legs[1].predecessors) return found.decide(good, "");
  if (!covered) return found.wait();
  found.late = true;
  const bool in_place = ordered && !facts.overlap;
  if (known && had_gap(postings, account.gap, difference,
                       {recent_us, in_place ? own : nullptr, mark, undone_steps(postings, mark)}))
    return found.decide(good, "");
  if (mark == 0) mark = postings.next_number;  // what is open now may explain it
  if (unsettled(postings, mark, facts.exchange_id) || may_close(postings)) return found.wait();
  if (facts.overlap && !facts.write) return wrong(Verdict::order_dependent, ": read beside a write of the account");
  if (own_states) {
    return wrong(Verdict::order_dependent,
                 ": each is what its side's posting left behind, both posted the same, after other exchanges");
  }
  if (!known) return wrong(Verdict::unknown, "; the account is unknown until it is compared as a whole");
  if (steps_lost) {
    return wrong(Verdict::unknown, "; the account's gap changed too often at that time");
  }
  const std::string gap_text = account.format(account.gap);
  wrong(Verdict::mismatch, fmt::format(" (known gap {})", gap_text));
}

}  // namespace phoenix::arbiter
