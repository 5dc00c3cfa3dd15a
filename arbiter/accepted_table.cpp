#include "arbiter/accepted_table.hpp"

#include "arbiter/accepted_library.hpp"
#include "arbiter/accepted_sandbox.hpp"

namespace phoenix::arbiter {
namespace {

void require_table(lua_State* state, const char* function) {
  if (!lua_istable(state, 1)) luaL_error(state, "%s: a table is needed, not %s", function, type_name(state, 1));
}

int next_item(lua_State* state) {
  require_table(state, "ipairs");  // rules can call it with anything
  const lua_Integer index = lua_tointeger(state, 2) + 1;
  lua_pushinteger(state, index);
  return lua_rawgeti(state, 1, index) == LUA_TNIL ? 1 : 2;
}
}  // namespace

int table_items(lua_State* state) {
  require_table(state, "ipairs");
  lua_pushcfunction(state, next_item);
  lua_pushvalue(state, 1);
  lua_pushinteger(state, 0);
  return 3;
}

namespace {

/// A key of a table, apart from the table; `text` belongs to the key, which the table keeps alive.
struct Key {
  lua_Integer integer = 0;
  const char* text = nullptr;  ///< nullptr: an integer
  std::size_t size = 0;
  friend bool operator<(const Key& a, const Key& b) {
    if ((a.text == nullptr) != (b.text == nullptr)) return a.text == nullptr;
    if (a.text == nullptr) return a.integer < b.integer;
    return std::string_view(a.text, a.size) < std::string_view(b.text, b.size);
  }
};

std::size_t count_keys(lua_State* state) {
  std::size_t count = 0;
  for (lua_pushnil(state); lua_next(state, 1) != 0; lua_pop(state, 1)) {
    const bool text = lua_type(state, -2) == LUA_TSTRING;
    if (!text && !lua_isinteger(state, -2)) luaL_error(state, "sorted_pairs: a key is neither text nor integer");
    ++count;
  }
  return count;
}

/// Upvalues: table, array of its keys in order, position.
int next_sorted(lua_State* state) {
  for (;;) {
    const lua_Integer at = lua_tointeger(state, lua_upvalueindex(3)) + 1;
    lua_pushinteger(state, at);
    lua_replace(state, lua_upvalueindex(3));
    if (lua_rawgeti(state, lua_upvalueindex(2), at) == LUA_TNIL) return 1;
    lua_pushvalue(state, -1);
    if (lua_rawget(state, lua_upvalueindex(1)) != LUA_TNIL) return 2;
    lua_pop(state, 2);  // removed since
  }
}

}  // namespace

int table_sorted_pairs(lua_State* state) {
  require_table(state, "sorted_pairs");
  lua_settop(state, 1);
  const std::size_t count = count_keys(state);
  Sandbox::charge(state, count * 4);
  auto* keys = static_cast<Key*>(lua_newuserdatauv(state, std::max<std::size_t>(1, count) * sizeof(Key), 0));
  std::size_t filled = 0;
  for (lua_pushnil(state); lua_next(state, 1) != 0; lua_pop(state, 1)) {
    Key key;
    if (lua_type(state, -2) == LUA_TSTRING) {
      key.text = lua_tolstring(state, -2, &key.size);
    } else {
      key.integer = lua_tointeger(state, -2);
    }
    keys[filled++] = key;
  }
  std::sort(keys, keys + filled);
  lua_pushvalue(state, 1);
  lua_createtable(state, static_cast<int>(filled), 0);
  for (std::size_t i = 0; i < filled; ++i) {
    if (keys[i].text != nullptr) {
      lua_pushlstring(state, keys[i].text, keys[i].size);
    } else {
      lua_pushinteger(state, keys[i].integer);
    }
    lua_rawseti(state, -2, static_cast<lua_Integer>(i + 1));
  }
  lua_pushinteger(state, 0);
  lua_pushcclosure(state, next_sorted, 3);
  return 1;
}

}  // namespace phoenix::arbiter
