#include "arbiter/posting_state.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "arbiter/compact_text.hpp"

namespace phoenix::arbiter {

SetHash SetHash::of(std::string_view exchange_id) {
  const XXH128_hash_t hash = XXH3_128bits(exchange_id.data(), exchange_id.size());
  return {hash.high64, hash.low64};
}

SetHash& SetHash::operator+=(const SetHash& other) {
  low += other.low;
  high += other.high + (low < other.low ? 1 : 0);
  return *this;
}

SetHash& SetHash::operator-=(const SetHash& other) {
  high -= other.high + (low < other.low ? 1 : 0);
  low -= other.low;
  return *this;
}

std::int64_t Posting::difference() const {
  return wrapping_sub(legs[1].delta, legs[0].delta);
}

std::int64_t PostingState::gap() const {
  if (!known()) return loose;
  std::int64_t gap = wrapping_sub(chains[1].balance, chains[0].balance);
  for (const auto& posting : open) {
    if (!posting.on_both()) gap = wrapping_sub(gap, posting.difference());
  }
  return gap;
}

Posting* PostingState::find_open(std::string_view exchange_id) {
  const auto at = std::find_if(open.begin(), open.end(), [&](const auto& p) { return p.exchange_id == exchange_id; });
  return at == open.end() ? nullptr : &*at;
}

void PostingState::collect_amounts(std::vector<std::int64_t*>& amounts) {
  for (auto& chain : chains) amounts.push_back(&chain.balance);
  for (auto* postings : {&open, &sealed}) {
    for (auto& posting : *postings) {
      for (auto& leg : posting.legs)
        amounts.insert(amounts.end(), {&leg.delta, &leg.first_delta, &leg.before, &leg.after});
    }
  }
  for (auto& broken : breaks) amounts.insert(amounts.end(), {&broken.left, &broken.right});
  for (auto& step : steps) amounts.push_back(&step.by);
  for (auto& change : foreign) amounts.push_back(&change.delta);
  amounts.insert(amounts.end(), {&carry, &loose});
}

// ---- text --------------------------------------------------------------------------------------------------------

namespace {

void write(CompactWriter& out, const std::vector<Posting>& postings) {
  out.numbers(postings.size());
  for (const auto& posting : postings) {
    out.text(posting.exchange_id);
    out.numbers(posting.number, posting.since_us, int{posting.counted});
    for (const auto& leg : posting.legs) {
      out.numbers(leg.transactions);
      if (leg.transactions == 0) continue;
      out.numbers(int{leg.exact}, int{leg.ordered}, int{leg.rewritten}, int{leg.late}, leg.delta, leg.first_delta,
                  leg.before, leg.after, leg.transaction, leg.predecessors.high, leg.predecessors.low,
                  leg.position.first, leg.position.second);
    }
  }
}

void read(CompactReader& in, std::vector<Posting>& postings, int version) {
  for (std::size_t n = in.count(); n > 0; --n) {
    Posting& posting = postings.emplace_back();
    posting.exchange_id = in.text();
    in.numbers(posting.number, posting.since_us);
    posting.counted = in.flag();
    for (auto& leg : posting.legs) {
      in.numbers(leg.transactions);
      if (leg.transactions == 0) continue;
      leg.exact = in.flag();
      leg.ordered = in.flag();
      leg.rewritten = version > 2 && in.flag();
      leg.late = in.flag();
      in.numbers(leg.delta, leg.first_delta, leg.before, leg.after, leg.transaction, leg.predecessors.high,
                 leg.predecessors.low, leg.position.first, leg.position.second);
    }
  }
}

void read_lists(CompactReader& in, PostingState& state, int version) {
  for (std::size_t n = in.count(); n > 0; --n) {
    ChainBreak& broken = state.breaks.emplace_back();
    broken.side = in.side();
    in.numbers(broken.low.first, broken.low.second, broken.high.first, broken.high.second, broken.left, broken.right);
    broken.told = in.flag();
  }
  for (std::size_t n = in.count(); n > 0; --n) {
    GapStep& step = state.steps.emplace_back();
    in.numbers(step.by, step.at_us);
    if (version > 1) in.numbers(step.of);
    if (version < 3) continue;
    in.numbers(step.commits[0], step.commits[1], step.number);
    step.apart = in.flag();
  }
  for (std::size_t n = in.count(); n > 0; --n) {
    ForeignChange& change = state.foreign.emplace_back();
    change.side = in.side();
    in.numbers(change.delta, change.at_us, change.due_us);
  }
}

/// Version 1 kept the gaps themselves.
void make_steps(PostingState& state) {
  for (std::size_t i = 0; i < state.steps.size(); ++i) {
    const std::int64_t next = i + 1 < state.steps.size() ? state.steps[i + 1].by : state.gap();
    state.steps[i].by = wrapping_sub(next, state.steps[i].by);
  }
}

}  // namespace

std::string encode(const PostingState& state) {
  CompactWriter out;
  out.numbers(3);  // version of this text
  for (const auto& chain : state.chains) {
    out.numbers(int{chain.known}, chain.balance, chain.position.first, chain.position.second, chain.count,
                chain.hash.high, chain.hash.low, chain.generation);
  }
  write(out, state.open);
  write(out, state.sealed);
  out.numbers(state.breaks.size());
  for (const auto& b : state.breaks) {
    out.numbers(index(b.side), b.low.first, b.low.second, b.high.first, b.high.second, b.left, b.right, int{b.told});
  }
  out.numbers(state.steps.size());
  for (const auto& step : state.steps) {
    out.numbers(step.by, step.at_us, step.of, step.commits[0], step.commits[1], step.number, int{step.apart});
  }
  out.numbers(state.foreign.size());
  for (const auto& change : state.foreign) out.numbers(index(change.side), change.delta, change.at_us, change.due_us);
  out.numbers(state.steps_lost_us, state.carry, state.loose, state.next_number, int{state.overflowed},
              state.uncertain_at_us, int{state.through_us});
  return out.take();
}

Result<PostingState> decode_posting_state(std::string_view text) {
  try {
    CompactReader in(text);
    PostingState state;
    int version = 0;
    in.numbers(version);
    if (version < 1 || version > 3) return invalid_input(fmt::format("posting state: unknown version {}", version));
    for (auto& chain : state.chains) {
      chain.known = in.flag();
      in.numbers(chain.balance, chain.position.first, chain.position.second, chain.count, chain.hash.high,
                 chain.hash.low, chain.generation);
    }
    read(in, state.open, version);
    read(in, state.sealed, version);
    read_lists(in, state, version);
    std::int64_t unread = 0;  // times that earlier versions kept
    in.numbers(state.steps_lost_us);
    if (version < 3) in.numbers(unread);
    in.numbers(state.carry, state.loose, state.next_number);
    state.overflowed = in.flag();
    if (version == 1) in.numbers(unread);
    in.numbers(state.uncertain_at_us);
    state.through_us = in.flag();
    if (version == 1) make_steps(state);
    return state;
  } catch (const Failure& failure) {
    return invalid_input(failure.what());
  }
}

}  // namespace phoenix::arbiter
