// The gateway's own decisions, asked with a simulated exchange: nothing is decided here.
#pragma once

#include "gateway/canary_selector.hpp"
#include "tests/simulation/rules/backend.hpp"
#include "tests/simulation/rules/schedule.hpp"

namespace phoenix::simulation {

/// choose_side() over cohort_bucket(). Without Rules::all_keys the first key alone is hashed.
gateway::SideChoice choose_side_for(const gateway::EffectiveSlice& slice, const Operation& operation,
                                    gateway::KeyState keys, const Rules& rules);
/// Whether a key of it lies outside of the cohort.
bool reaches_beyond_cohort(const gateway::EffectiveSlice& slice, const Operation& operation);

/// is_uncertain() and accepted() of gateway/exchange.hpp.
bool is_uncertain(const Answer& answer);
bool accepted(const Answer& answer);

/// may_fall_back(), of a leg that modern served and that failed, with time left.
bool may_fall_back(const gateway::EffectiveSlice& began_with, Stage stage_now, const Operation& operation,
                   const Answer& failed);

}  // namespace phoenix::simulation
