#include "arbiter/posting_account.hpp"

#include <xxhash.h>

#include <algorithm>
#include <bit>

namespace phoenix::arbiter {
namespace {

/// Far above any balance, far below where sums of a few would wrap.
constexpr std::int64_t kMostUnits = std::int64_t{1} << 59;

std::uint64_t hash_of(std::string_view text) {
  return XXH3_64bits(text.data(), text.size());
}

std::optional<std::int64_t> amount_of(AccountState& account, const std::optional<Decimal>& value) {
  if (!value) return 0;
  const auto units = account.amount(*value);
  return units && *units<kMostUnits&& * units> - kMostUnits ? units : std::nullopt;
}

struct Amounts {
  std::optional<std::int64_t> before, after;
};

/// Both in one unit. An absent row holds nothing; an old row that the stream does not tell follows from the chain,
/// unless the change belongs between others.
Amounts amounts_of(AccountState& account, const StateChange& change, bool between) {
  if (!amount_of(account, change.before)) return {};
  const auto after = amount_of(account, change.after);
  if (!after) return {};
  Amounts amounts{amount_of(account, change.before), after};  // again: the other may have grown the scale
  const SideChain& chain = account.postings.chains[index(change.side)];
  if (!change.before && change.op != StateChange::Op::create) {
    amounts.before = chain.known && !between ? std::optional(chain.balance) : std::nullopt;
  }
  return amounts;
}

ChainBreak* break_around(PostingState& postings, Side side, StreamPosition position) {
  for (auto& broken : postings.breaks) {
    if (broken.side == side && broken.low < position && position < broken.high) return &broken;
  }
  return nullptr;
}

void add_break(PostingState& postings, ChainBreak broken) {
  if (postings.breaks.size() < PostingState::kBreaksKept) {
    postings.breaks.push_back(broken);
  } else {
    postings.overflowed = true;
  }
}

/// A record that belongs between two others: what is missing there shrinks, splits or closes.
void fill_break(PostingState& postings, ChainBreak& broken, StreamPosition position, std::int64_t before,
                std::int64_t after) {
  const bool fits_left = before == broken.left && !broken.opening();
  const bool fits_right = after == broken.right;
  if (fits_left && fits_right) {
    postings.breaks.erase(postings.breaks.begin() + (&broken - postings.breaks.data()));
  } else if (fits_left) {
    broken.low = position;
    broken.left = after;
  } else if (fits_right) {
    broken.high = position;
    broken.right = before;
  } else {
    ChainBreak upper = broken;
    upper.low = position;
    upper.left = after;
    broken.high = position;
    broken.right = before;
    add_break(postings, upper);
  }
}

/// Moves the chain of the change's side on.
void advance_chain(AccountState& account, const StateChange& change, const Amounts& amounts, bool between,
                   const TakeOptions& options, TakenChange& taken) {
  PostingState& postings = account.postings;
  SideChain& chain = postings.chains[index(change.side)];
  if (between) {
    ChainBreak& broken = *break_around(postings, change.side, change.position);
    if (amounts.before) fill_break(postings, broken, change.position, *amounts.before, *amounts.after);
    return;
  }
  if (chain.known && amounts.before && *amounts.before != chain.balance) {
    const StreamPosition low = std::max(chain.position, StreamPosition{0, 1});  // {0, 0} would be an opening
    add_break(postings, {change.side, low, change.position, chain.balance, *amounts.before, false});
    taken.broke = true;
  }
  if (!chain.known) chain.generation = options.generation;
  // Neighbours may change places, so the account's first change may follow this one.
  const bool first = chain.position == StreamPosition{0, 0} && !chain.known && change.op != StateChange::Op::snapshot;
  if (first && amounts.before) {
    add_break(postings, {change.side, {0, 0}, change.position, 0, *amounts.before, false});
    taken.broke = true;
  }
  chain.known = true;
  chain.balance = *amounts.after;
  chain.position = change.position;
}

void begin_leg(AccountState& account, Posting& posting, const StateChange& change, const Amounts& amounts,
               bool between) {
  PostedLeg& leg = posting.legs[index(change.side)];
  SideChain& chain = account.postings.chains[index(change.side)];
  leg.before = amounts.before.value_or(0);
  leg.ordered = !between;
  leg.predecessors = chain.hash;
  if (!posting.counted) return;
  ++chain.count;
  chain.hash += SetHash::of(posting.exchange_id);
}

Posting* open_posting(AccountState& account, const StateChange& change, const TakeOptions& options) {
  PostingState& postings = account.postings;
  if (Posting* posting = postings.find_open(change.exchange_id)) return posting;
  if (reopen_posting(account, change.exchange_id)) return &postings.open.back();
  if (postings.open.size() >= PostingState::kOpenKept || !options.open_allowed) return nullptr;
  Posting& posting = postings.open.emplace_back();
  posting.exchange_id = change.exchange_id;
  posting.number = postings.next_number++;
  posting.since_us = options.event_time_us;
  posting.counted = options.fresh_exchange;
  return &posting;
}

/// Adds the change to its exchange's posting.
void post(AccountState& account, const StateChange& change, const Amounts& amounts, bool between,
          const TakeOptions& options, TakenChange& taken) {
  taken.fresh = account.postings.find_open(change.exchange_id) == nullptr;
  Posting* posting = open_posting(account, change, options);
  if (posting == nullptr) {
    account.postings.overflowed = true;
    taken.kind = ChangeKind::given_up;
    return;
  }
  PostedLeg& leg = posting->legs[index(change.side)];
  const std::uint64_t transaction = hash_of(change.transaction);
  const bool first = leg.transactions == 0;
  const bool another = first || leg.transaction != transaction;
  if (first) begin_leg(account, *posting, change, amounts, between);
  if (another) ++leg.transactions;
  leg.transaction = transaction;
  leg.exact = leg.exact && amounts.before.has_value();
  leg.rewritten = leg.rewritten && leg.exact && change.op == StateChange::Op::update && taken.delta == 0;
  leg.delta = wrapping_add(leg.delta, taken.delta);
  if (leg.transactions == 1) leg.first_delta = leg.delta;
  if (leg.position < change.position) {
    leg.position = change.position;
    leg.after = *amounts.after;
  }
  taken.number = between ? 0 : posting->number;
  taken.kind = !first && another ? ChangeKind::again : ChangeKind::posted;
  taken.paired = first && posting->on_both();
}

}  // namespace

TakenChange take_change(AccountState& account, const StateChange& change, const TakeOptions& options) {
  TakenChange taken;
  SideChain& chain = account.postings.chains[index(change.side)];
  const bool started = chain.position != StreamPosition{0, 0};
  const bool between = started && change.position <= chain.position;
  if (between && break_around(account.postings, change.side, change.position) == nullptr) return taken;
  if (!change.currency.empty()) account.currency = change.currency;

  const Amounts amounts = amounts_of(account, change, between);
  if (!amounts.after) {  // does not fit: what follows cannot be told from it
    account.postings.overflowed = true;
    chain.known = false;
    chain.position = std::max(chain.position, change.position);
    taken.kind = ChangeKind::given_up;
    return taken;
  }
  if (change.op == StateChange::Op::snapshot) {
    advance_chain(account, change, {chain.known ? amounts.after : std::nullopt, amounts.after}, between, options,
                  taken);
    taken.kind = ChangeKind::seeded;
    return taken;
  }
  taken.of = hash_of(change.transaction) * 2 + static_cast<std::uint64_t>(index(change.side));
  taken.delta = amounts.before ? wrapping_sub(*amounts.after, *amounts.before) : 0;
  advance_chain(account, change, amounts, between, options, taken);
  if (change.exchange_id.empty()) {
    // Another column of the row: nothing was posted.
    taken.kind = change.op == StateChange::Op::update && amounts.before && taken.delta == 0 ? ChangeKind::seeded
                                                                                            : ChangeKind::foreign;
    if (taken.kind == ChangeKind::seeded) return taken;
    taken.number = between ? 0 : account.postings.next_number++;
    account.postings.through_us = true;
    std::int64_t& loose = account.postings.loose;
    loose = change.side == Side::modern ? wrapping_add(loose, taken.delta) : wrapping_sub(loose, taken.delta);
  } else {
    post(account, change, amounts, between, options, taken);
  }
  return taken;
}

std::optional<Posting> settle_posting(AccountState& account, const std::string& exchange_id, bool without_event) {
  PostingState& postings = account.postings;
  Posting* found = postings.find_open(exchange_id);
  if (found == nullptr) return std::nullopt;
  Posting posting = std::move(*found);
  postings.open.erase(postings.open.begin() + (found - postings.open.data()));
  const bool paired = posting.on_both();
  if (paired && !(without_event && posting.difference() != 0)) return posting;
  for (const int side : {0, 1}) {
    if (paired || !posting.counted || posting.legs[static_cast<std::size_t>(side)].transactions == 0) continue;
    // Out of {n, H}: both sides align again although the counterpart never comes.
    --postings.chains[static_cast<std::size_t>(side)].count;
    postings.chains[static_cast<std::size_t>(side)].hash -= SetHash::of(posting.exchange_id);
  }
  if (!postings.known()) postings.loose = wrapping_add(postings.loose, posting.difference());
  posting.counted = false;
  if (postings.sealed.size() >= PostingState::kSealedKept) postings.sealed.erase(postings.sealed.begin());
  postings.sealed.push_back(posting);
  return posting;
}

bool reopen_posting(AccountState& account, const std::string& exchange_id) {
  PostingState& postings = account.postings;
  const auto at = std::find_if(postings.sealed.begin(), postings.sealed.end(),
                               [&](const auto& p) { return p.exchange_id == exchange_id; });
  if (at == postings.sealed.end()) return false;
  if (!postings.known()) postings.loose = wrapping_sub(postings.loose, at->difference());
  at->number = postings.next_number++;
  postings.open.push_back(std::move(*at));
  postings.sealed.erase(at);
  return true;
}

namespace {

/// A transaction is one step, however many rows it changed.
void add_step(PostingState& postings, GapStep step) {
  if (step.by == 0) return;
  auto& steps = postings.steps;
  const auto begun =
      std::find_if(steps.begin(), steps.end(), [&](const auto& s) { return step.of != 0 && s.of == step.of; });
  if (begun != steps.end()) {
    begun->by = wrapping_add(begun->by, step.by);
    begun->commits = step.commits;
    if (begun->by == 0) steps.erase(begun);
    return;
  }
  steps.push_back(step);
  if (steps.size() <= PostingState::kStepsKept) return;
  postings.steps_lost_us = steps.front().at_us != 0 ? steps.front().at_us : step.at_us;
  steps.erase(steps.begin());
}

}  // namespace

bool refresh_gap(AccountState& account, std::int64_t event_time_us, const GapCause& cause) {
  PostingState& postings = account.postings;
  if (postings.known()) account.balance = {postings.chains[0].balance, postings.chains[1].balance};
  const std::int64_t gap = postings.gap();
  if (gap == account.gap && cause.own == 0) return false;
  const std::int64_t rest = wrapping_sub(wrapping_sub(gap, account.gap), cause.own);
  const Posting* pair = cause.own == 0 ? postings.find_open(cause.name) : nullptr;
  GapStep step{rest, event_time_us, cause.own == 0 ? cause.of : 0, {}, cause.own == 0 ? cause.number : 0};
  if (pair != nullptr && pair->on_both()) step.commits = {pair->legs[0].position.first, pair->legs[1].position.first};
  add_step(postings, step);
  add_step(postings, {cause.own, event_time_us, cause.of, {}, cause.number});
  account.gap = gap;
  if (gap == postings.carry) {
    postings.through_us = false;
    account.differs_since.clear();
  } else if (account.differs_since.empty()) {
    account.differs_since = cause.name;
  }
  return true;
}

void note_apart(PostingState& postings, const Posting& pair, Side side, std::int64_t event_time_us) {
  const std::uint64_t of = hash_of(pair.exchange_id) * 2 + static_cast<std::uint64_t>(index(side));
  std::erase_if(postings.steps, [&](const GapStep& step) { return step.of == of; });  // more rows have come
  const std::int64_t delta = pair.legs[index(side)].delta;
  const std::int64_t by = side == Side::modern ? delta : wrapping_sub(0, delta);
  add_step(postings, {by, event_time_us, of, {}, pair.number, true});
}

namespace {

bool became_known_since(const GapStep& step, std::int64_t since_us) {
  return step.at_us >= since_us || step.at_us == 0;
}

/// Both sides had committed it before they committed `own`.
bool stands_before(const GapStep& step, const Posting* own) {
  if (own == nullptr) return false;
  const auto before = [&](std::size_t side) {
    return step.commits[side] != 0 && step.commits[side] < own->legs[side].position.first;
  };
  return before(0) && before(1);
}

}  // namespace

bool had_gap(const PostingState& postings, std::int64_t now, std::int64_t gap, const StatedAt& stated) {
  std::vector<std::int64_t> steps = stated.undone;
  for (const auto& step : postings.steps) {
    if (stated.before != 0 && step.number >= stated.before) {
      if (!step.apart) now = wrapping_sub(now, step.by);
    } else if (became_known_since(step, stated.since_us) && !stands_before(step, stated.after)) {
      steps.push_back(step.by);
    }
  }
  if (now == gap) return true;
  const std::size_t count = steps.size();
  // Every subset once, each from the one before by one step (Gray code).
  std::uint32_t gray = 0;
  for (std::uint32_t i = 1; i < (1U << count); ++i) {
    const auto flipped = static_cast<std::size_t>(std::countr_zero(i));
    gray ^= 1U << flipped;
    now = (gray >> flipped & 1) != 0 ? wrapping_sub(now, steps[flipped]) : wrapping_add(now, steps[flipped]);
    if (now == gap) return true;
  }
  return false;
}

namespace {

/// Made on top of `own`, wherever it was made: `own` did not find it.
bool stands_after(const Posting& posting, const Posting& own) {
  return std::all_of(posting.legs.begin(), posting.legs.end(), [&](const PostedLeg& leg) {
    const PostedLeg& below = own.legs[static_cast<std::size_t>(&leg - posting.legs.data())];
    return leg.transactions == 0 || (below.transactions > 0 && below.position < leg.position);
  });
}

bool may_have_come_before(const Posting& posting, const Posting* own) {
  return own == nullptr || (&posting != own && !stands_after(posting, *own));
}

}  // namespace

bool had_at_least_the_others_balance(const PostingState& postings, Side side, std::int64_t since_us,
                                     const Posting& own) {
  const auto above = [&](std::int64_t difference) {
    return side == Side::modern ? difference : wrapping_sub(0, difference);
  };
  std::int64_t least = above(postings.gap());
  bool fits = true;
  const auto lower = [&](std::int64_t by) { fits = fits && !__builtin_sub_overflow(least, by, &least); };
  for (const auto& step : postings.steps) {
    if (became_known_since(step, since_us)) lower(std::max<std::int64_t>(0, above(step.by)));
  }
  for (const auto& posting : postings.open) {
    if (posting.on_both() || !may_have_come_before(posting, &own)) continue;
    lower(std::max<std::int64_t>(0, wrapping_sub(0, above(posting.difference()))));
  }
  return fits && least >= 0;
}

bool lacks_counterpart(const PostingState& postings, const Posting* own) {
  return std::any_of(postings.open.begin(), postings.open.end(),
                     [&](const auto& posting) { return !posting.on_both() && may_have_come_before(posting, own); });
}

bool may_close(const PostingState& postings) {
  return std::any_of(postings.breaks.begin(), postings.breaks.end(),
                     [](const ChainBreak& broken) { return !broken.told && !broken.opening(); });
}

void rebase(AccountState& account, const std::array<std::optional<Decimal>, 2>& balances,
            const std::array<std::uint32_t, 2>& generations) {
  PostingState& postings = account.postings;
  for (std::size_t side = 0; side < 2; ++side) {
    SideChain& chain = postings.chains[side];
    chain.generation = generations[side];
    if (!balances[side]) continue;
    const auto balance = amount_of(account, balances[side]);
    if (!balance) continue;
    chain.known = true;
    chain.balance = *balance;
  }
  postings.breaks.clear();
  postings.overflowed = false;
}

}  // namespace phoenix::arbiter
