// The names that rules can use: exact arithmetic, text, and little else. No name gives access to files, time,
// randomness, addresses of memory, or the order of a hash table. Internal to accepted changes.
#pragma once

struct lua_State;

namespace phoenix::arbiter {

/// Pushes the table that stands for the globals of a rules file. It cannot be written to; reading a name that does not
/// exist is an error. `rule` becomes the name `rule` there.
void push_environment(lua_State* state, int (*rule)(lua_State*));

/// What a value is called in messages and by `type`.
const char* type_name(lua_State* state, int index);

// Values that Lua's own types cannot tell apart from others; compared by address.
extern const char kNullValue;    ///< JSON's null, in an exchange and in a prediction
extern const char kAbsentValue;  ///< predicts that a field is not there
extern const char kNumberText;   ///< key of the text in what number() returns

}  // namespace phoenix::arbiter
