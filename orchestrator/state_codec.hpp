// The stored form of the control state: one JSON document beside the epoch in Postgres. Pure.
#pragma once

#include <string>

#include "orchestrator/control_state.hpp"

namespace phoenix::orchestrator {

std::string encode_state(const ControlState& state);
/// `invalid_input` names what is wrong; a state that cannot be read is never guessed.
Result<ControlState> decode_state(const std::string& text);

}  // namespace phoenix::orchestrator
