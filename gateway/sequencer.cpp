#include "gateway/sequencer.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "gateway/key_entry.hpp"

namespace phoenix::gateway {

Sequencer::Sequencer(std::size_t max_idle_keys) : max_idle_keys_(max_idle_keys) {}
Sequencer::~Sequencer() = default;

KeyEntry& Sequencer::entry(const BusinessKey& key) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) return found->second;
  if (entries_.size() >= max_idle_keys_) evict_idle();
  const auto made = entries_.try_emplace(key).first;
  made->second.name = &made->first;
  return made->second;
}

// Forgets some idle keys. Their sequence starts again at 1, which readers take as a new start.
void Sequencer::evict_idle() {
  constexpr int kLookAt = 64;
  auto it = entries_.begin();
  for (int i = 0; i < kLookAt && it != entries_.end(); ++i) it = it->second.idle() ? entries_.erase(it) : std::next(it);
}

void Sequencer::pin(Ticket& ticket) {
  ticket.places_.clear();
  ticket.places_.reserve(ticket.keys.size());  // places are linked to each other: they must not move
  for (const auto& key : ticket.keys) {
    KeyEntry& at = entry(key);
    ++at.pins;
    Ticket::Place& place = ticket.places_.emplace_back();
    place.entry = &at;
    place.ticket = &ticket;
  }
}

void Sequencer::unpin(Ticket& ticket) {
  for (auto& place : ticket.places_) --place.entry->pins;
  ticket.places_.clear();
}

bool Sequencer::current(const Ticket& ticket, Side side) const {
  const auto mine = static_cast<std::size_t>(index(side));
  const auto theirs = static_cast<std::size_t>(index(other(side)));
  if (any_key_writes_in_flight_[theirs] > 0) return false;
  if (ticket.any_key)
    return !all_incomplete_[mine] && behind_[mine] == 0 && writes_in_flight_[theirs] == 0 && incomplete_[mine] == 0;
  return std::all_of(ticket.places_.begin(), ticket.places_.end(), [&](const Ticket::Place& place) {
    const KeyEntry& key = *place.entry;
    // Of a key that the other side is known to lack something of, this one has all.
    const bool complete = !key.incomplete[mine] && (!all_incomplete_[mine] || key.incomplete[theirs]);
    return complete && key.behind[mine] == 0 && key.writes_in_flight[theirs] == 0;
  });
}

bool Sequencer::writes_in_flight(const Ticket& ticket) {
  return std::any_of(ticket.places_.begin(), ticket.places_.end(), [](const Ticket::Place& place) {
    return place.entry->writes_in_flight[0] + place.entry->writes_in_flight[1] > 0;
  });
}

bool Sequencer::stands_in_line(const Ticket& ticket) const {
  if (!ticket.strict || !ticket.write) return false;
  const std::lock_guard lock(mutex_);
  return ticket.waiting_ && (writes_in_flight(ticket) || earlier_waiter_shares_key(ticket));
}

std::optional<Side> Sequencer::side_for(const Ticket& ticket) const {
  if (ticket.strict && ticket.write && writes_in_flight(ticket)) return std::nullopt;
  if (current(ticket, ticket.target)) return ticket.target;
  if (ticket.other_side_allowed && current(ticket, other(ticket.target))) return other(ticket.target);
  return std::nullopt;
}

// A read whose shadow leg is on its way to the side that is now given a write may see that write.
void Sequencer::overtake_reads(KeyEntry& key, Side side) {
  // Where writes are owed to the other side the queue is long, and has none of these.
  if (key.queued_reads[static_cast<std::size_t>(index(other(side)))] == 0) return;
  for (Ticket::Place* place = key.first; place != nullptr; place = place->behind) {
    if (place->ticket->side == other(side))
      std::atomic_ref(place->ticket->overlap).store(true, std::memory_order_relaxed);
  }
}

void Sequencer::grant(Ticket& ticket, Side side) {
  ticket.side = side;
  ticket.admitted_ = true;
  ticket.waiting_ = false;
  ticket.overlap = any_key_writes_in_flight_[0] + any_key_writes_in_flight_[1] > 0;
  const auto at = static_cast<std::size_t>(index(side));
  for (auto& place : ticket.places_) {
    KeyEntry& key = *place.entry;
    if (key.writes_in_flight[0] + key.writes_in_flight[1] > 0) ticket.overlap = true;
    if (ticket.write) {
      overtake_reads(key, side);
      ++key.writes_started;
      ++key.writes_in_flight[at];
    }
    place.writes_seen = key.writes_started;
  }
  if (ticket.write && ticket.any_key) {
    ++any_key_writes_in_flight_[at];
    ++any_key_writes_started_;
  }
  ticket.any_key_writes_seen_ = any_key_writes_started_;
  if (ticket.write) writes_in_flight_[at] += ticket.places_.size();
}

bool Sequencer::earlier_waiter_shares_key(const Ticket& ticket) const {
  for (const Ticket* waiter : waiters_) {
    if (waiter == &ticket) return false;
    for (const auto& place : waiter->places_) {
      for (const auto& own : ticket.places_) {
        if (own.entry == place.entry) return true;
      }
    }
  }
  return false;
}

Admission Sequencer::admit(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  pin(ticket);
  // Strict writers queue up; others may pass a waiter, for they cannot starve it: it waits for writes to drain.
  if (!(ticket.strict && ticket.write && earlier_waiter_shares_key(ticket))) {
    if (const auto side = side_for(ticket)) {
      grant(ticket, *side);
      return Admission::granted;
    }
  }
  ticket.waiting_ = true;
  waiters_.push_back(&ticket);
  return Admission::waiting;
}

bool Sequencer::cancel_wait(Ticket& ticket) {
  Wakes wakes;
  {
    const std::lock_guard lock(mutex_);
    if (!ticket.waiting_) return false;
    ticket.waiting_ = false;
    waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &ticket));
    unpin(ticket);
    wake_waiters(wakes);  // strict writers behind it may go now
  }
  call(wakes);
  return true;
}

void Sequencer::leave_serving(Ticket& ticket) {
  ticket.admitted_ = false;
  const auto at = static_cast<std::size_t>(index(ticket.side));
  if (ticket.any_key_writes_seen_ != any_key_writes_started_) ticket.overlap = true;
  for (auto& place : ticket.places_) {
    KeyEntry& key = *place.entry;
    if (key.writes_started != place.writes_seen) ticket.overlap = true;
    if (ticket.write) --key.writes_in_flight[at];
  }
  if (!ticket.write) return;
  writes_in_flight_[at] -= ticket.places_.size();
  if (ticket.any_key) --any_key_writes_in_flight_[at];
}

void Sequencer::abandon(Ticket& ticket) {
  Wakes wakes;
  {
    const std::lock_guard lock(mutex_);
    leave_serving(ticket);
    unpin(ticket);
    wake_waiters(wakes);
  }
  call(wakes);
}

bool Sequencer::enqueue_shadow(Ticket& ticket) {
  ticket.queued_ = true;
  ticket.not_at_front_ = 0;
  const auto lacking = static_cast<std::size_t>(index(other(ticket.side)));
  for (auto& place : ticket.places_) {
    KeyEntry& key = *place.entry;
    if (ticket.write) add_behind(key, lacking);
    if (ticket.unordered) continue;
    // Reads may run beside reads; a write waits for everything before it, and everything after waits for it.
    place.at_front = ticket.write ? key.first == nullptr : key.queued_writes == 0;
    if (!place.at_front) ++ticket.not_at_front_;
    key.push(place);
    if (ticket.write) ++key.queued_writes;
  }
  return ticket.not_at_front_ == 0;
}

bool Sequencer::complete(Ticket& ticket, ShadowNeed need) {
  Wakes wakes;
  bool run_now = false;
  {
    const std::lock_guard lock(mutex_);
    leave_serving(ticket);
    ticket.sequences.clear();
    for (auto& place : ticket.places_) ticket.sequences.push_back(++place.entry->sequence);
    ticket.completion = ++completions_;
    if (need == ShadowNeed::send && !ticket.write && ticket.overlap) need = ShadowNeed::none;
    if (need == ShadowNeed::send) run_now = enqueue_shadow(ticket);
    if (need == ShadowNeed::forfeit && ticket.write) mark_incomplete_locked(ticket, other(ticket.side));
    if (need != ShadowNeed::send) unpin(ticket);
    wake_waiters(wakes);
  }
  call(wakes);
  return run_now;
}

// After the queue of a key got shorter: whoever is at its front now may run, if it is at the front everywhere.
void Sequencer::advance(KeyEntry& key, Wakes& wakes) {
  if (key.first == nullptr || key.first->at_front) return;  // then so is all that may run beside it
  for (Ticket::Place* place = key.first; place != nullptr; place = place->behind) {
    Ticket& ticket = *place->ticket;
    if (ticket.write && place != key.first) break;
    if (!place->at_front) {
      place->at_front = true;
      if (--ticket.not_at_front_ == 0) wakes.emplace_back(ticket.run_shadow, &ticket);
    }
    if (ticket.write) break;
  }
}

bool Sequencer::relocate(Ticket& from, Ticket& to, bool delivered) {
  const std::lock_guard lock(mutex_);
  if (!from.queued_ || (from.not_at_front_ == 0 && !delivered)) return false;
  to.any_key = from.any_key;
  to.write = from.write;
  to.strict = from.strict;
  to.unordered = from.unordered;
  to.target = from.target;
  to.side = from.side;
  to.overlap = from.overlap;
  to.completion = from.completion;
  to.not_at_front_ = from.not_at_front_;
  to.queued_ = std::exchange(from.queued_, false);
  to.places_ = std::move(from.places_);  // its elements stay where they are
  from.places_.clear();
  for (auto& place : to.places_) place.ticket = &to;
  return true;
}

bool Sequencer::restore(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  pin(ticket);
  ticket.sequences.clear();
  for (auto& place : ticket.places_) ticket.sequences.push_back(++place.entry->sequence);
  completions_ = std::max(completions_, ticket.completion);
  return enqueue_shadow(ticket);
}

void Sequencer::shadow_done(Ticket& ticket, ShadowResult result) {
  Wakes wakes;
  {
    const std::lock_guard lock(mutex_);
    ticket.queued_ = false;
    const Side lacking_side = other(ticket.side);
    const auto lacking = static_cast<std::size_t>(index(lacking_side));
    if (ticket.write && result != ShadowResult::applied) mark_incomplete_locked(ticket, lacking_side);
    for (auto& place : ticket.places_) {
      KeyEntry& key = *place.entry;
      if (ticket.write) take_behind(key, lacking);
      if (!place.queued) continue;
      key.remove(place);
      if (ticket.write) --key.queued_writes;
      advance(key, wakes);
    }
    unpin(ticket);
    wake_waiters(wakes);
  }
  call(wakes);
}

void Sequencer::wake_waiters(Wakes& wakes) {
  for (std::size_t i = 0; i < waiters_.size();) {
    Ticket& ticket = *waiters_[i];
    const bool must_queue = ticket.strict && ticket.write && earlier_waiter_shares_key(ticket);
    const auto side = must_queue ? std::nullopt : side_for(ticket);
    if (!side) {
      ++i;
      continue;
    }
    waiters_.erase(waiters_.begin() + static_cast<std::ptrdiff_t>(i));
    grant(ticket, *side);
    wakes.emplace_back(ticket.resume, &ticket);
  }
}

}  // namespace phoenix::gateway
