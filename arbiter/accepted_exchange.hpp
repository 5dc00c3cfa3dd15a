// The exchange as rules see it (`x`), and the tables that they return. Internal to accepted changes.
#pragma once

#include "arbiter/accepted_program.hpp"

struct lua_State;

namespace phoenix::arbiter {

/// Pushes `x`. Modern's answer and postings are not in it, so that no rule can repeat them as its prediction; for
/// consequences legacy's are not either. May raise Lua errors.
void push_exchange(lua_State* state, const AcceptedInput& input, const AnswerDocuments& documents,
                   RuleProgram::Question question);

/// Reads the table on top of the stack; raises a Lua error for what is no prediction.
void read_prediction(lua_State* state, bool consequence, Prediction& out);

}  // namespace phoenix::arbiter
