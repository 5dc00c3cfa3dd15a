// Tables of rules, gone through in an order of their own: Lua's differs from run to run, and so would the error that is
// found first. Pure.
#pragma once

#include <algorithm>
#include <lua.hpp>
#include <string_view>

namespace phoenix::arbiter {

/// What rules call as `ipairs` and `sorted_pairs`.
int table_items(lua_State* state);
int table_sorted_pairs(lua_State* state);

/// Calls `each(name)` for every entry of the table on top of the stack, by the names' bytes, with the value on top.
/// A key that is no text is a Lua error which names the table `what`. `each` may raise Lua errors; it leaves the stack
/// as it was. What it captures must need no destructor beyond the caller's, since such an error is a longjmp.
template <class Each>
void for_each_by_name(lua_State* state, const char* what, Each each) {
  luaL_checkstack(state, 6, what);
  const int table = lua_gettop(state);
  std::size_t count = 0;
  for (lua_pushnil(state); lua_next(state, table) != 0; lua_pop(state, 1)) {
    if (lua_type(state, -2) != LUA_TSTRING) luaL_error(state, "'%s' has a key that is no text", what);
    ++count;
  }
  using Name = std::string_view;  // of a key, which the table keeps alive
  auto* names = static_cast<Name*>(lua_newuserdatauv(state, std::max<std::size_t>(1, count) * sizeof(Name), 0));
  Name* end = names;
  for (lua_pushnil(state); lua_next(state, table) != 0; lua_pop(state, 1)) {
    std::size_t size = 0;
    const char* text = lua_tolstring(state, -2, &size);
    *end++ = {text, size};
  }
  std::sort(names, end);
  for (const Name* name = names; name != end; ++name) {
    lua_pushlstring(state, name->data(), name->size());
    lua_rawget(state, table);
    each(name->data());
    lua_pop(state, 1);
  }
  lua_settop(state, table);
}

}  // namespace phoenix::arbiter
