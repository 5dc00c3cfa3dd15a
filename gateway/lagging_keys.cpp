// The sequencer's book of keys that one side has not all of: behind (its shadow writes are on their way) or incomplete.
#include "gateway/key_entry.hpp"
#include "gateway/sequencer.hpp"

namespace phoenix::gateway {

void Sequencer::add_behind(KeyEntry& key, std::size_t side) {
  ++behind_[side];
  if (key.behind[side]++ == 0) ++behind_keys_[side];
  update_lagging(key, side);
}

void Sequencer::take_behind(KeyEntry& key, std::size_t side) {
  --behind_[side];
  if (--key.behind[side] == 0) --behind_keys_[side];
  update_lagging(key, side);
}

void Sequencer::update_lagging(KeyEntry& key, std::size_t side) {
  KeyEntry::Link& link = key.lagging[side];
  const bool lags = key.behind[side] > 0 || key.incomplete[side];
  if (lags == link.linked) return;
  link.linked = lags;
  if (lags) {
    link.before = nullptr;
    link.behind = lagging_[side];
    if (link.behind != nullptr) link.behind->lagging[side].before = &key;
    lagging_[side] = &key;
  } else {
    (link.before != nullptr ? link.before->lagging[side].behind : lagging_[side]) = link.behind;
    if (link.behind != nullptr) link.behind->lagging[side].before = link.before;
  }
}

// Never both: one side must remain to serve the key; the one that was found complete first stays it.
void Sequencer::mark_incomplete_locked(KeyEntry& key, std::size_t side) {
  if (key.incomplete[0] || key.incomplete[1]) return;
  key.incomplete[side] = true;
  ++incomplete_[side];
  update_lagging(key, side);
}

void Sequencer::mark_any_incomplete_locked(std::size_t side) {
  all_incomplete_[side] = !all_incomplete_[1 - side];
}

void Sequencer::mark_incomplete_locked(Ticket& ticket, Side side) {
  const auto at = static_cast<std::size_t>(index(side));
  if (ticket.any_key) mark_any_incomplete_locked(at);
  for (auto& place : ticket.places_) mark_incomplete_locked(*place.entry, at);
}

void Sequencer::mark_incomplete(const std::vector<BusinessKey>& keys, Side side) {
  const auto at = static_cast<std::size_t>(index(side));
  const std::lock_guard lock(mutex_);
  for (const auto& key : keys)
    key == kUnknownKey ? mark_any_incomplete_locked(at) : mark_incomplete_locked(entry(key), at);
}

void Sequencer::mark_complete(const std::vector<BusinessKey>& keys, Side side) {
  Wakes wakes;
  {
    const std::lock_guard lock(mutex_);
    const auto at = static_cast<std::size_t>(index(side));
    const auto clear = [&](KeyEntry& key) {
      if (!key.incomplete[at]) return;
      key.incomplete[at] = false;
      --incomplete_[at];
      update_lagging(key, at);
    };
    for (const auto& key : keys) {
      if (key == kUnknownKey) {
        all_incomplete_[at] = false;
        for (auto& [name, entry] : entries_) clear(entry);
      } else if (const auto found = entries_.find(key); found != entries_.end()) {
        clear(found->second);
      }
    }
    wake_waiters(wakes);
  }
  call(wakes);
}

Sequencer::Summary Sequencer::summary() const {
  constexpr std::size_t kExamples = 20;
  Summary summary;
  const std::lock_guard lock(mutex_);
  for (std::size_t side = 0; side < 2; ++side) {
    summary.behind_keys[side] = behind_keys_[side];
    summary.incomplete_keys[side] = incomplete_[side];
    if (all_incomplete_[side]) {
      ++summary.incomplete_keys[side];  // stands for every key
      summary.examples[side].emplace_back(kUnknownKey);
    }
    for (const KeyEntry* key = lagging_[side]; key != nullptr && summary.examples[side].size() < kExamples;
         key = key->lagging[side].behind)
      summary.examples[side].push_back(*key->name);
  }
  return summary;
}

Sequencer::LaggingKeys Sequencer::lagging_keys(std::size_t most) const {
  LaggingKeys keys;
  const std::lock_guard lock(mutex_);
  for (std::size_t side = 0; side < 2; ++side) {
    if (all_incomplete_[side]) keys.incomplete[side].emplace_back(kUnknownKey);
    std::size_t seen = 0;
    for (const KeyEntry* key = lagging_[side]; key != nullptr && seen < most; key = key->lagging[side].behind, ++seen)
      (key->incomplete[side] ? keys.incomplete : keys.behind)[side].push_back(*key->name);
  }
  return keys;
}

Sequencer::StateOfKey Sequencer::state_of_key(const BusinessKey& key) const {
  StateOfKey state;
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  for (std::size_t side = 0; side < 2; ++side) {
    state.in_flight[side] = any_key_writes_in_flight_[side];
    state.incomplete[side] = all_incomplete_[side];
    if (found == entries_.end()) continue;
    const KeyEntry& entry = found->second;
    state.behind[side] = entry.behind[side];
    state.in_flight[side] += entry.writes_in_flight[side];
    // Of a key that the other side is known to lack something of, this one has all.
    state.incomplete[side] = entry.incomplete[side] || (state.incomplete[side] && !entry.incomplete[1 - side]);
  }
  return state;
}

}  // namespace phoenix::gateway
