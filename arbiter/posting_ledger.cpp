#include "arbiter/posting_ledger.hpp"

#include <xxhash.h>

#include <algorithm>

namespace phoenix::arbiter {
namespace {

/// A heartbeat's bound is about what was received; the id was minted within this of it.
constexpr std::int64_t kMintedWithinUs = 1'000'000;
constexpr std::int64_t kForeignWindowUs = 60'000'000;  // where no job is configured

std::int64_t gap_by(Side side, std::int64_t delta) {
  return side == Side::modern ? delta : wrapping_sub(0, delta);
}

std::int64_t latest(const Moment& now) {
  return std::max(now.event_time_us, now.log_time_us);
}

bool matches(std::string_view pattern, std::string_view text) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (text.substr(0, star) != pattern.substr(0, star) || text.size() < star) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (std::size_t at = star; at <= text.size(); ++at) {
    if (matches(rest, text.substr(at))) return true;
  }
  return false;
}

const config::JobConfig* job_of(const std::vector<config::JobConfig>& jobs, std::string_view account) {
  for (const auto& job : jobs) {
    for (const auto& pattern : job.accounts) {
      if (matches(pattern, account)) return &job;
    }
  }
  return nullptr;
}

}  // namespace

PostingLedger::PostingLedger(Options options, Accounts accounts, Decided& decided, LedgerState state)
    : options_(std::move(options)), accounts_(std::move(accounts)), decided_(decided), state_(std::move(state)) {}

// ---- the streams -------------------------------------------------------------------------------------------------

void PostingLedger::begin(Side side, const Moment& now) {
  StreamState& stream = state_.streams[index(side)];
  if (std::exchange(stream.begun, true)) return;
  stream.began_us = latest(now);
}

void PostingLedger::take(const StateChange& change, const Moment& now) {
  begin(change.side, now);
  StreamState& stream = state_.streams[index(change.side)];
  AccountState& account = accounts_.touch(change.account);
  account.last_completed_us = std::max(account.last_completed_us, change.committed_at_us);
  const auto decided = decided_.find(change.exchange_id);
  const TakenChange taken =
      take_change(account, change,
                  {stream.generation, now.event_time_us, decided == decided_.end(), open_postings_ < kOpenPostings});
  if (taken.kind == ChangeKind::repeated) return;
  if (taken.broke) broken_[index(change.side)].insert(change.account);
  if (taken.kind == ChangeKind::given_up) ++state_.postings_given_up;
  const bool foreign = taken.kind == ChangeKind::foreign;
  if (foreign) note_foreign(change.account, account, change, taken.delta, now);

  if (taken.kind == ChangeKind::posted || taken.kind == ChangeKind::again) {
    if (taken.fresh) index_posting(change.exchange_id, change.account);
    const auto waiting = open_.find(change.exchange_id);
    const bool undecided = waiting != open_.end() && waiting->second.facts.offset >= covered_to();
    if (waiting != open_.end() && waiting->second.facts.may_post_late()) {
      note_apart(waiting->second.facts, account, now);
    }
    if (decided != decided_.end() || (waiting != open_.end() && !undecided)) {
      account.postings.find_open(change.exchange_id)->legs[index(change.side)].late = true;
      const std::int64_t offset = waiting != open_.end() ? waiting->second.facts.offset : decided->second.offset;
      late_[index(change.side)].emplace(offset, change.exchange_id);
    } else if (taken.fresh && waiting == open_.end()) {
      const std::int64_t minted = accounts_.minted_us(change.exchange_id);
      orphans_.emplace(minted != 0 ? minted : now.event_time_us, change.exchange_id);
    }
  }
  const std::int64_t own = foreign && taken.broke ? gap_by(change.side, taken.delta) : 0;
  const bool moved = refresh_gap(account, latest(now),
                                 {foreign ? "a foreign change" : change.exchange_id, taken.of, own, taken.number});
  if (moved || taken.paired) wake(change.account);
  if (options_.whole_transactions) {
    const std::uint64_t transaction = XXH3_64bits(change.transaction.data(), change.transaction.size());
    if (stream.transaction != transaction) {
      end_transaction(change.side, now);
      stream.transaction = transaction;
      stream.exchange_id = change.exchange_id;
    }
  }
  work(now);
}

/// What is posted late may have come long after the other one: balances stated between them show one alone.
void PostingLedger::note_apart(const ExchangeFacts& facts, AccountState& account, const Moment& now) {
  const Posting* pair = account.postings.find_open(facts.exchange_id);
  if (pair == nullptr || !pair->on_both()) return;
  for (const Side side : {Side::legacy, Side::modern}) {
    if (facts.may_post_late(side)) arbiter::note_apart(account.postings, *pair, side, latest(now));
  }
}

/// What its exchange posted on this side is complete, unless more transactions follow.
void PostingLedger::end_transaction(Side side, const Moment&) {
  StreamState& stream = state_.streams[index(side)];
  stream.transaction = 0;
  if (!stream.exchange_id.empty()) ready_.push_back(std::exchange(stream.exchange_id, {}));
}

void PostingLedger::index_posting(const std::string& exchange_id, const std::string& account) {
  ++open_postings_;
  auto& names = accounts_of_[exchange_id];  // in one order, also after a restart
  names.insert(std::upper_bound(names.begin(), names.end(), account), account);
}

/// Its partitions have been read: StateFeed holds it until then.
void PostingLedger::take(const StateMarker& marker, const Moment& now) {
  begin(marker.side, now);
  StreamState& stream = state_.streams[index(marker.side)];
  if (marker.covers < stream.covers) return;  // comes again: transactions after it may still be coming in
  end_transaction(marker.side, now);
  stream.covers = std::max(stream.covers, marker.covers);
  stream.told_until_us = std::max(stream.told_until_us, marker.written_at_us);
  foreign_due_.merge(foreign_behind_[index(marker.side)]);
  for (const auto& [offset, id] : std::exchange(late_[index(marker.side)], {})) {
    const auto names = accounts_of_.find(id);
    if (names == accounts_of_.end()) continue;
    for (const auto& name : names->second) {
      AccountState& account = accounts_.touch(name);
      if (Posting* posting = account.postings.find_open(id)) posting->legs[index(marker.side)].late = false;
    }
    ready_.push_back(id);
  }
  cover(now);
  tell_breaks(marker.side, now);
  work(now);
}

std::int64_t PostingLedger::covered_to() const {
  return std::min(state_.streams[0].covers, state_.streams[1].covers);
}

/// Exchanges that both sides' markers cover now: everything that they posted has been seen.
void PostingLedger::cover(const Moment&) {
  const std::int64_t to = covered_to();
  while (!uncovered_.empty() && uncovered_.begin()->first < to) {
    ready_.push_back(uncovered_.begin()->second);
    uncovered_.erase(uncovered_.begin());
  }
}

/// A break that is still there at the next marker of its side stays: everything before the marker has been in the log.
void PostingLedger::tell_breaks(Side side, const Moment& now) {
  for (const auto& name : std::exchange(broken_[index(side)], {})) {
    AccountState& account = accounts_.touch(name);
    std::erase_if(account.postings.breaks,
                  [&](const ChainBreak& broken) { return broken.side == side && broken.opening(); });
    for (const auto& posting : account.postings.open) ready_.push_back(posting.exchange_id);
    wake(name);
    for (auto& broken : account.postings.breaks) {
      if (broken.side != side || std::exchange(broken.told, true)) continue;
      PostingFinding finding;
      finding.kind = PostingFinding::Kind::account;
      finding.account = name;
      finding.verdict = Verdict::unknown;
      finding.verdict_id =
          fmt::format("discontinuity/{}/{}/{}.{}", name, to_string(side), broken.high.first, broken.high.second);
      finding.detail =
          fmt::format("account {}: discontinuity on {}: {} before a change, but {} after the one before it", name,
                      to_string(side), account.format(broken.right), account.format(broken.left));
      finding.event_time_us = now.event_time_us;
      findings_.push_back(std::move(finding));
    }
  }
}

void PostingLedger::take(const StateGap& gap, const Moment& now) {
  begin(gap.side, now);
  if (!gap.account.empty()) {  // of one account alone
    accounts_.touch(gap.account).postings.overflowed = true;
    wake(gap.account);
    return work(now);
  }
  StreamState& stream = state_.streams[index(gap.side)];
  ++stream.generation;
  stream.began_us = latest(now);
  end_transaction(gap.side, now);
  work(now);
}

void PostingLedger::note_lost(const Moment& now) {
  for (const Side side : {Side::legacy, Side::modern}) take(StateGap{side, "records were lost"}, now);
}

bool PostingLedger::trusted(const AccountState& account) const {
  const PostingState& postings = account.postings;
  const auto& breaks = postings.breaks;
  if (std::any_of(breaks.begin(), breaks.end(), [](const ChainBreak& b) { return !b.opening(); })) return false;
  if (postings.overflowed) return false;
  for (std::size_t side = 0; side < 2; ++side) {
    if (postings.chains[side].known && postings.chains[side].generation != state_.streams[side].generation)
      return false;
  }
  return true;
}

void PostingLedger::rebase(const std::string& name, const std::array<std::optional<Decimal>, 2>& balances,
                           const Moment& now) {
  AccountState& account = accounts_.touch(name);
  arbiter::rebase(account, balances, {state_.streams[0].generation, state_.streams[1].generation});
  refresh_gap(account, latest(now), {"a comparison of both ledgers"});
  wake(name);
  work(now);
}

// ---- foreign changes ---------------------------------------------------------------------------------------------

/// Pairs the change with one of the other side, or waits for it as long as its job says.
void PostingLedger::note_foreign(const std::string& name, AccountState& account, const StateChange& change,
                                 std::int64_t delta, const Moment& now) {
  auto& foreign = account.postings.foreign;
  if (change.committed_at_us != 0 && change.committed_at_us <= account.repaired_us) return;
  const config::JobConfig* job = job_of(options_.jobs, name);
  const std::int64_t window_us = job != nullptr ? job->window.count() * 1'000 : kForeignWindowUs;
  const bool any_amount = job != nullptr && !job->equal_amount;
  // A stream may be behind: when it was made counts.
  const std::int64_t made_us =
      change.committed_at_us != 0 ? std::min(change.committed_at_us, now.event_time_us) : now.event_time_us;
  const auto partner = std::find_if(foreign.begin(), foreign.end(), [&](const ForeignChange& other) {
    return other.side != change.side && (any_amount || other.delta == delta) && made_us <= other.due_us;
  });
  if (partner != foreign.end()) {
    foreign.erase(partner);
    return;
  }
  if (foreign.size() >= PostingState::kForeignKept) foreign.front().due_us = now.event_time_us;
  foreign.push_back({change.side, delta, now.event_time_us, now.event_time_us + window_us});
  foreign_due_.emplace(foreign.front().due_us, name);
  foreign_due_.emplace(foreign.back().due_us, name);
}

void PostingLedger::pass_foreign(const Moment& now) {
  while (!foreign_due_.empty() && foreign_due_.begin()->first <= now.event_time_us) {
    const std::string name = foreign_due_.begin()->second;
    foreign_due_.erase(foreign_due_.begin());
    AccountState& account = accounts_.touch(name);
    std::erase_if(account.postings.foreign, [&](const ForeignChange& change) {
      if (change.due_us > now.event_time_us) return false;
      const Side awaited = other(change.side);
      const StreamState& stream = state_.streams[index(awaited)];
      if (stream.told_until_us != 0 && stream.told_until_us < change.due_us) {
        foreign_behind_[index(awaited)].emplace(change.due_us, name);
        return false;
      }
      // Its counterpart may be among what was lost, or have been made before the stream began.
      if (stream.began_us > change.at_us - (change.due_us - change.at_us) || account.postings.overflowed) return true;
      PostingFinding finding;
      finding.kind = PostingFinding::Kind::unpaired;
      finding.account = name;
      finding.side = change.side;
      finding.delta = change.delta;
      finding.detail = fmt::format("account {}: {} posted {} outside Phoenix, {} did not", name, to_string(change.side),
                                   account.format(change.delta), to_string(other(change.side)));
      finding.event_time_us = change.at_us;
      findings_.push_back(std::move(finding));
      return true;
    });
  }
}

// ---- time and restarts -------------------------------------------------------------------------------------------

void PostingLedger::pass_time(const Moment& now, std::int64_t settled_until_us) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now.event_time_us) {
    ready_.push_back(deadlines_.begin()->second);
    deadlines_.erase(deadlines_.begin());
  }
  if (!ready_.empty()) work(now);
  if (!orphans_.empty()) give_up_orphans(settled_until_us, now);
  if (!foreign_due_.empty()) pass_foreign(now);
}

void PostingLedger::give_up_orphans(std::int64_t settled_until_us, const Moment& now) {
  while (!orphans_.empty() && orphans_.begin()->first < settled_until_us - kMintedWithinUs) {
    const std::string id = orphans_.begin()->second;
    orphans_.erase(orphans_.begin());
    if (open_.contains(id) || decided_.contains(id)) continue;
    seal_orphan(id, now);
  }
  work(now);
}

/// Its event does not come: what the exchange was meant to do is not known, what it did is.
void PostingLedger::seal_orphan(const std::string& id, const Moment& now) {
  const auto found = accounts_of_.extract(id);
  if (found.empty()) return;
  for (const auto& name : found.mapped()) {
    AccountState& account = accounts_.touch(name);
    const auto posting = settle_posting(account, id, true);
    if (!posting) continue;
    --open_postings_;
    for (const Side side : {Side::legacy, Side::modern}) {
      if (posting->on_both()) arbiter::note_apart(account.postings, *posting, side, latest(now));
    }
    refresh_gap(account, latest(now), {id, 0, 0, posting->number});
    wake(name);  // who waited for the posting, whether it moved the gap or not
    if (posting->on_both() && posting->difference() == 0) continue;
    PostingFinding finding;
    finding.kind = PostingFinding::Kind::account;
    finding.exchange_id = id;
    finding.account = name;
    finding.verdict = Verdict::unknown;
    finding.verdict_id = fmt::format("posting/{}/{}", id, name);
    const auto side_text = [&](Side side) {
      return posting->posted(side) ? account.format(posting->legs[index(side)].delta) : std::string("nothing");
    };
    finding.detail =
        fmt::format("account {}: exchange {} posted {} on legacy and {} on modern, but its event never came", name, id,
                    side_text(Side::legacy), side_text(Side::modern));
    finding.event_time_us = now.event_time_us;
    findings_.push_back(std::move(finding));
  }
}

void PostingLedger::restore(ExchangeFacts facts, std::uint64_t mark) {
  const std::string id = facts.exchange_id;
  const std::int64_t offset = facts.offset;
  if (offset >= covered_to()) {
    uncovered_.emplace(offset, id);
  } else {
    // No others, or verdicts would come in another order than without the restart.
    if (facts.any_uncertain()) {
      deadlines_.emplace(facts.completed_at_us + options_.absence_us, id);
    } else if (facts.async) {
      deadlines_.emplace(facts.completed_at_us + facts.async_max_us, id);
    }
    if (mark != 0) waiters_[facts.accounts.front()].emplace(offset, id);
  }
  keep_open(id, Waiting{std::move(facts), mark});
}

void PostingLedger::restore(const std::string& name, AccountState& account) {
  if (account.postings.empty()) account.postings.loose = account.gap;  // as the answers have told
  for (const auto& posting : account.postings.open) {
    index_posting(posting.exchange_id, name);
    const auto decided = decided_.find(posting.exchange_id);
    const auto waiting = open_.find(posting.exchange_id);
    for (std::size_t side = 0; side < 2; ++side) {
      if (!posting.legs[side].late) continue;
      late_[side].emplace(waiting != open_.end()      ? waiting->second.facts.offset
                          : decided != decided_.end() ? decided->second.offset
                                                      : 0,
                          posting.exchange_id);
    }
    if (decided != decided_.end()) {
      if (decided->second.offset >= covered_to()) uncovered_.emplace(decided->second.offset, posting.exchange_id);
      deadlines_.emplace(posting.since_us + options_.absence_us, posting.exchange_id);
    } else if (waiting == open_.end()) {
      const std::int64_t minted = accounts_.minted_us(posting.exchange_id);
      orphans_.emplace(minted != 0 ? minted : posting.since_us, posting.exchange_id);
    }
  }
  for (const auto& broken : account.postings.breaks) {
    if (!broken.told) broken_[index(broken.side)].insert(name);
  }
  for (const auto& change : account.postings.foreign) foreign_due_.emplace(change.due_us, name);
}

std::uint64_t PostingLedger::mark(const std::string& exchange_id) const {
  const auto at = open_.find(exchange_id);
  return at == open_.end() ? 0 : at->second.mark;
}

}  // namespace phoenix::arbiter
