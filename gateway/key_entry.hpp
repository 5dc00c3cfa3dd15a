// What the sequencer knows of one key. For sequencer.cpp and lagging_keys.cpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "gateway/sequencer.hpp"

namespace phoenix::gateway {

struct KeyEntry {
  std::array<std::uint32_t, 2> behind{};            // writes this side has yet to apply
  std::array<std::uint32_t, 2> writes_in_flight{};  // served by this side right now
  std::array<bool, 2> incomplete{};                 // this side lost a write, or the sides disagreed on one
  std::uint64_t writes_started = 0;
  std::uint64_t sequence = 0;
  std::uint32_t pins = 0;
  std::uint32_t queued_writes = 0;
  std::array<std::uint32_t, 2> queued_reads{};  // by the side that served them
  Ticket::Place* first = nullptr;               // of the shadow queue
  Ticket::Place* last = nullptr;
  const BusinessKey* name = nullptr;
  struct Link {
    KeyEntry* before = nullptr;
    KeyEntry* behind = nullptr;
    bool linked = false;
  };
  std::array<Link, 2> lagging{};  // in the sequencer's list of keys that are not current, by side

  [[nodiscard]] bool idle() const {
    return pins == 0 && behind[0] == 0 && behind[1] == 0 && !incomplete[0] && !incomplete[1];
  }
  void push(Ticket::Place& place) {
    place.queued = true;
    if (!place.ticket->write) ++queued_reads[static_cast<std::size_t>(index(place.ticket->side))];
    place.before = last;
    place.behind = nullptr;
    (last != nullptr ? last->behind : first) = &place;
    last = &place;
  }
  void remove(Ticket::Place& place) {
    place.queued = false;
    if (!place.ticket->write) --queued_reads[static_cast<std::size_t>(index(place.ticket->side))];
    (place.before != nullptr ? place.before->behind : first) = place.behind;
    (place.behind != nullptr ? place.behind->before : last) = place.before;
  }
};

}  // namespace phoenix::gateway
