// When modern serves and fails before the client has seen a byte, legacy answers in its place. Neither backend gets the
// request twice: what modern may have seen is its leg, and counts against it. Decisions; the session carries them out.
#pragma once

#include "gateway/accounting.hpp"
#include "gateway/exchange.hpp"

namespace phoenix::gateway {

/// After a serving leg that failed: where nothing was sent, or the method is safe. A write that modern may have applied
/// is given to legacy as well only where its route says `parachute: writes`; its keys are then incomplete on modern.
/// `stage_now`: the slice's, which may have changed meanwhile; `now`: timeouts.total bounds both attempts together.
[[nodiscard]] bool may_fall_back(const Exchange& exchange, Stage stage_now, SteadyTime now);

/// The failed leg becomes the shadow's (unless nothing was sent: then modern gets its shadow leg as always), and the
/// exchange may be admitted for legacy. It must have left the sequencer.
void fall_back(Exchange& exchange, LoopCounters& counters, SteadyTime started);

/// Legacy may not serve the key either: the failed leg is the serving one again.
void undo_fall_back(Exchange& exchange, LoopCounters& counters);

}  // namespace phoenix::gateway
