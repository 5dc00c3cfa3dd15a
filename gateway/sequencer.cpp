#include "gateway/sequencer.hpp"

#include <algorithm>

namespace phoenix::gateway {

struct KeyEntry {
  std::array<std::uint32_t, 2> behind{};            // writes this side has yet to apply
  std::array<std::uint32_t, 2> writes_in_flight{};  // served by this side right now
  std::array<bool, 2> incomplete{};                 // this side lost a write, or the sides disagreed on one
  std::uint64_t writes_started = 0;
  std::uint64_t sequence = 0;
  std::uint32_t pins = 0;
  std::uint32_t queued_writes = 0;
  std::vector<Ticket*> shadow_queue;

  [[nodiscard]] bool idle() const {
    return pins == 0 && behind[0] == 0 && behind[1] == 0 && !incomplete[0] && !incomplete[1] && shadow_queue.empty();
  }
};

Sequencer::Sequencer(std::size_t max_idle_keys) : max_idle_keys_(max_idle_keys) {}
Sequencer::~Sequencer() = default;

KeyEntry& Sequencer::entry(const BusinessKey& key) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) return found->second;
  if (entries_.size() >= max_idle_keys_) evict_idle();
  return entries_[key];
}

// Forgets some idle keys. Their sequence starts again at 1, which readers take as a new start.
void Sequencer::evict_idle() {
  constexpr int kLookAt = 64;
  auto it = entries_.begin();
  for (int i = 0; i < kLookAt && it != entries_.end(); ++i) it = it->second.idle() ? entries_.erase(it) : std::next(it);
}

void Sequencer::pin(Ticket& ticket) {
  ticket.places_.clear();
  for (const auto& key : ticket.keys) {
    KeyEntry& at = entry(key);
    ++at.pins;
    ticket.places_.push_back({&at, 0, false});
  }
}

void Sequencer::unpin(Ticket& ticket) {
  for (auto& place : ticket.places_) --place.entry->pins;
  ticket.places_.clear();
}

bool Sequencer::current(const Ticket& ticket, Side side) const {
  const auto mine = static_cast<std::size_t>(index(side));
  const auto theirs = static_cast<std::size_t>(index(other(side)));
  if (all_incomplete_[mine] || any_key_writes_in_flight_[theirs] > 0) return false;
  if (ticket.any_key) return behind_[mine] == 0 && writes_in_flight_[theirs] == 0 && incomplete_[mine] == 0;
  return std::all_of(ticket.places_.begin(), ticket.places_.end(), [&](const Ticket::Place& place) {
    const KeyEntry& key = *place.entry;
    return key.behind[mine] == 0 && key.writes_in_flight[theirs] == 0 && !key.incomplete[mine];
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

void Sequencer::grant(Ticket& ticket, Side side) {
  ticket.side = side;
  ticket.admitted_ = true;
  ticket.waiting_ = false;
  ticket.overlap = false;
  const auto at = static_cast<std::size_t>(index(side));
  for (auto& place : ticket.places_) {
    KeyEntry& key = *place.entry;
    if (key.writes_in_flight[0] + key.writes_in_flight[1] > 0) ticket.overlap = true;
    if (ticket.write) {
      ++key.writes_started;
      ++key.writes_in_flight[at];
    }
    place.writes_seen = key.writes_started;
  }
  if (!ticket.write) return;
  writes_in_flight_[at] += ticket.places_.size();
  if (ticket.any_key) ++any_key_writes_in_flight_[at];
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
    if (ticket.write) {
      ++key.behind[lacking];
      ++behind_[lacking];
    }
    if (ticket.unordered) continue;
    // Reads may run beside reads; a write waits for everything before it, and everything after waits for it.
    place.at_front = ticket.write ? key.shadow_queue.empty() : key.queued_writes == 0;
    if (!place.at_front) ++ticket.not_at_front_;
    key.shadow_queue.push_back(&ticket);
    if (ticket.write) ++key.queued_writes;
  }
  return ticket.not_at_front_ == 0;
}

void Sequencer::mark_incomplete(Ticket& ticket, Side side) {
  const auto at = static_cast<std::size_t>(index(side));
  const auto opposite = static_cast<std::size_t>(index(other(side)));
  if (ticket.any_key) all_incomplete_[at] = !all_incomplete_[opposite];
  for (auto& place : ticket.places_) {
    KeyEntry& key = *place.entry;
    // Never both: one side must remain to serve the key; the one that was found complete first stays it.
    if (key.incomplete[at] || key.incomplete[opposite]) continue;
    key.incomplete[at] = true;
    ++incomplete_[at];
  }
}

bool Sequencer::complete(Ticket& ticket, ShadowNeed need) {
  Wakes wakes;
  bool run_now = false;
  {
    const std::lock_guard lock(mutex_);
    leave_serving(ticket);
    ticket.sequences.clear();
    for (auto& place : ticket.places_) ticket.sequences.push_back(++place.entry->sequence);
    if (need == ShadowNeed::send && !ticket.write && ticket.overlap) need = ShadowNeed::none;
    if (need == ShadowNeed::send) run_now = enqueue_shadow(ticket);
    if (need == ShadowNeed::forfeit && ticket.write) mark_incomplete(ticket, other(ticket.side));
    if (need != ShadowNeed::send) unpin(ticket);
    wake_waiters(wakes);
  }
  call(wakes);
  return run_now;
}

// After the queue of a key got shorter: whoever is at its front now may run, if it is at the front everywhere.
void Sequencer::advance(KeyEntry& key, Wakes& wakes) {
  for (std::size_t i = 0; i < key.shadow_queue.size(); ++i) {
    Ticket& ticket = *key.shadow_queue[i];
    if (ticket.write && i > 0) break;
    for (auto& place : ticket.places_) {
      if (place.entry != &key || place.at_front) continue;
      place.at_front = true;
      if (--ticket.not_at_front_ == 0) wakes.emplace_back(ticket.run_shadow, &ticket);
    }
    if (ticket.write) break;
  }
}

void Sequencer::shadow_done(Ticket& ticket, ShadowResult result) {
  Wakes wakes;
  {
    const std::lock_guard lock(mutex_);
    ticket.queued_ = false;
    const Side lacking_side = other(ticket.side);
    const auto lacking = static_cast<std::size_t>(index(lacking_side));
    if (ticket.write && result != ShadowResult::applied) mark_incomplete(ticket, lacking_side);
    for (auto& place : ticket.places_) {
      KeyEntry& key = *place.entry;
      if (ticket.write) {
        --key.behind[lacking];
        --behind_[lacking];
      }
      if (ticket.unordered) continue;
      key.shadow_queue.erase(std::find(key.shadow_queue.begin(), key.shadow_queue.end(), &ticket));
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

Sequencer::Summary Sequencer::summary() const {
  constexpr std::size_t kExamples = 20;
  Summary summary;
  const std::lock_guard lock(mutex_);
  for (std::size_t side = 0; side < 2; ++side) {
    if (!all_incomplete_[side]) continue;
    ++summary.incomplete_keys[side];  // stands for every key
    summary.examples[side].emplace_back(kUnknownKey);
  }
  for (const auto& [name, key] : entries_) {
    for (std::size_t side = 0; side < 2; ++side) {
      if (key.behind[side] > 0) ++summary.behind_keys[side];
      if (key.incomplete[side]) ++summary.incomplete_keys[side];
      if ((key.behind[side] > 0 || key.incomplete[side]) && summary.examples[side].size() < kExamples)
        summary.examples[side].push_back(name);
    }
  }
  return summary;
}

void Sequencer::accept_stale(Side side) {
  Wakes wakes;
  {
    const std::lock_guard lock(mutex_);
    const auto at = static_cast<std::size_t>(index(side));
    for (auto& [name, key] : entries_) key.incomplete[at] = false;
    incomplete_[at] = 0;
    all_incomplete_[at] = false;
    wake_waiters(wakes);
  }
  call(wakes);
}

}  // namespace phoenix::gateway
