#include "arbiter/accepted_library.hpp"

#include <algorithm>
#include <cstring>
#include <lua.hpp>
#include <string_view>

#include "arbiter/accepted_numbers.hpp"
#include "arbiter/accepted_sandbox.hpp"
#include "arbiter/accepted_table.hpp"
#include "core/model/decimal.hpp"

namespace phoenix::arbiter {

const char kNullValue = 0, kAbsentValue = 0, kNumberText = 0;

const char* type_name(lua_State* state, int index) {
  const auto is_value = [&](const char& value) {
    return lua_type(state, index) == LUA_TLIGHTUSERDATA && lua_touserdata(state, index) == &value;
  };
  if (is_value(kNullValue)) return "null";
  if (is_value(kAbsentValue)) return "absent";
  if (lua_isinteger(state, index)) return "integer";
  return luaL_typename(state, index);
}

namespace {

constexpr int kMaxDigits = 9;
constexpr std::size_t kBytesPerInstruction = 64;  // what text costs beside the instruction itself

lua_Integer integer_at(lua_State* state, int index, const char* function) {
  if (!lua_isinteger(state, index)) {
    luaL_error(state, "%s: argument %d must be an integer, not %s", function, index, type_name(state, index));
  }
  return lua_tointeger(state, index);
}

std::string_view text_at(lua_State* state, int index, const char* function) {
  if (lua_type(state, index) != LUA_TSTRING) {
    luaL_error(state, "%s: argument %d must be a string, not %s", function, index, type_name(state, index));
  }
  std::size_t size = 0;
  const char* text = lua_tolstring(state, index, &size);
  Sandbox::charge(state, size / kBytesPerInstruction);
  return {text, size};
}

int digits_at(lua_State* state, int index, const char* function) {
  const lua_Integer digits = integer_at(state, index, function);
  if (digits < 0 || digits > kMaxDigits) luaL_error(state, "%s: digits must be 0 to %d", function, kMaxDigits);
  return static_cast<int>(digits);
}

/// name(num, den) is num/den, name(a, b, den) is a*b/den.
int divide(lua_State* state, const char* name, MoneyRounding rounding) {
  const bool product = lua_gettop(state) >= 3;
  const lua_Integer a = integer_at(state, 1, name), b = product ? integer_at(state, 2, name) : 1;
  const lua_Integer divisor = integer_at(state, product ? 3 : 2, name);
  const auto result = multiply_divide(a, b, divisor, rounding);
  if (!result) return luaL_error(state, divisor == 0 ? "%s: division by zero" : "%s: beyond 64 bits", name);
  lua_pushinteger(state, *result);
  return 1;
}
int half_even(lua_State* state) {
  return divide(state, "half_even", MoneyRounding::half_even);
}
int half_up(lua_State* state) {
  return divide(state, "half_up", MoneyRounding::half_up);
}
int truncate(lua_State* state) {
  return divide(state, "truncate", MoneyRounding::truncate);
}

int add(lua_State* state) {
  lua_Integer result = 0;
  if (__builtin_add_overflow(integer_at(state, 1, "add"), integer_at(state, 2, "add"), &result)) {
    return luaL_error(state, "add: beyond 64 bits");
  }
  lua_pushinteger(state, result);
  return 1;
}

int mul(lua_State* state) {
  lua_Integer result = 0;
  if (__builtin_mul_overflow(integer_at(state, 1, "mul"), integer_at(state, 2, "mul"), &result)) {
    return luaL_error(state, "mul: beyond 64 bits");
  }
  lua_pushinteger(state, result);
  return 1;
}

int abs(lua_State* state) {
  const lua_Integer value = integer_at(state, 1, "abs");
  if (value == LUA_MININTEGER) return luaL_error(state, "abs: beyond 64 bits");
  lua_pushinteger(state, value < 0 ? -value : value);
  return 1;
}

template <class Better>
int best_of(lua_State* state, const char* name, Better better) {
  lua_Integer best = integer_at(state, 1, name);
  for (int i = 2; i <= lua_gettop(state); ++i) {
    const lua_Integer value = integer_at(state, i, name);
    if (better(value, best)) best = value;
  }
  lua_pushinteger(state, best);
  return 1;
}
int min(lua_State* state) {
  return best_of(state, "min", [](auto a, auto b) { return a < b; });
}
int max(lua_State* state) {
  return best_of(state, "max", [](auto a, auto b) { return a > b; });
}

// Apart from the functions that raise errors, because they hold objects with destructors.
bool parse_minor(std::string_view text, int digits, lua_Integer& minor) {
  const auto parsed = Decimal::parse(text);
  if (!parsed) return false;
  const auto value = parsed->to_minor(digits);
  if (value) minor = *value;
  return value.has_value();
}
struct MoneyText {
  char text[40];
};
MoneyText write_minor(lua_Integer minor, int digits) {
  MoneyText result{};
  const std::string text = format_minor(minor, digits);
  std::memcpy(result.text, text.data(), std::min(text.size(), sizeof result.text - 1));
  return result;
}

/// minor("12.50", 2) and minor(12, 2): whole numbers of JSON arrive as integers.
int minor(lua_State* state) {
  const int digits = digits_at(state, 2, "minor");
  lua_Integer value = 0;
  if (lua_isinteger(state, 1)) {
    value = lua_tointeger(state, 1);
    for (int i = 0; i < digits; ++i) {
      if (__builtin_mul_overflow(value, lua_Integer{10}, &value)) return luaL_error(state, "minor: beyond 64 bits");
    }
  } else if (!parse_minor(text_at(state, 1, "minor"), digits, value)) {
    return luaL_error(state, "minor: '%s' is no exact number with at most %d digits after the point",
                      lua_tostring(state, 1), digits);
  }
  lua_pushinteger(state, value);
  return 1;
}

int text(lua_State* state) {
  lua_pushstring(state, write_minor(integer_at(state, 1, "text"), digits_at(state, 2, "text")).text);
  return 1;
}

int number(lua_State* state) {
  if (!lua_isinteger(state, 1)) {
    const bool exact = Decimal::parse(text_at(state, 1, "number")).has_value();
    if (!exact) return luaL_error(state, "number: '%s' is no exact number", lua_tostring(state, 1));
  }
  lua_createtable(state, 0, 1);
  lua_pushvalue(state, 1);
  lua_rawsetp(state, -2, &kNumberText);
  return 1;
}

int type(lua_State* state) {
  luaL_checkany(state, 1);
  lua_pushstring(state, type_name(state, 1));
  return 1;
}

/// Of scalars alone: what Lua writes for the others is an address.
int to_string(lua_State* state) {
  switch (lua_type(state, 1)) {
    case LUA_TSTRING:
      lua_settop(state, 1);
      break;
    case LUA_TBOOLEAN:
      lua_pushstring(state, lua_toboolean(state, 1) ? "true" : "false");
      break;
    default:
      if (lua_isinteger(state, 1)) {
        lua_pushfstring(state, "%I", lua_tointeger(state, 1));
      } else if (lua_istable(state, 1) || lua_isfunction(state, 1)) {
        return luaL_error(state, "tostring: a %s has no text", luaL_typename(state, 1));
      } else {
        lua_pushstring(state, type_name(state, 1));  // nil, null, absent
      }
  }
  return 1;
}

int raise(lua_State* state) {
  luaL_where(state, 1);
  if (lua_type(state, 1) == LUA_TSTRING) {
    lua_pushvalue(state, 1);
  } else {
    lua_pushliteral(state, "error");
  }
  lua_concat(state, 2);
  return lua_error(state);
}

int check(lua_State* state) {
  if (lua_toboolean(state, 1)) return lua_gettop(state);
  const char* message = lua_type(state, 2) == LUA_TSTRING ? lua_tostring(state, 2) : "assertion failed";
  return luaL_error(state, "%s", message);
}

int sub(lua_State* state) {
  const std::string_view whole = text_at(state, 1, "sub");
  const auto size = static_cast<lua_Integer>(whole.size());
  const auto place = [&](lua_Integer at) { return at < 0 ? std::max<lua_Integer>(at, -size - 1) + size + 1 : at; };
  const lua_Integer first = std::max<lua_Integer>(1, place(integer_at(state, 2, "sub")));
  const lua_Integer last = std::min(size, lua_isnoneornil(state, 3) ? size : place(integer_at(state, 3, "sub")));
  const bool any = first <= last;
  lua_pushlstring(state, any ? whole.data() + first - 1 : "", any ? static_cast<std::size_t>(last - first + 1) : 0);
  return 1;
}

/// ASCII letters alone, whatever the locale.
template <char kFirst, char kLast>
int change_case(lua_State* state, const char* name) {
  const std::string_view whole = text_at(state, 1, name);
  luaL_Buffer buffer;
  char* out = luaL_buffinitsize(state, &buffer, whole.size());
  std::transform(whole.begin(), whole.end(), out,
                 [](char c) { return c >= kFirst && c <= kLast ? static_cast<char>(c ^ 0x20) : c; });
  luaL_pushresultsize(&buffer, whole.size());
  return 1;
}
int upper(lua_State* state) {
  return change_case<'a', 'z'>(state, "upper");
}
int lower(lua_State* state) {
  return change_case<'A', 'Z'>(state, "lower");
}
int starts_with(lua_State* state) {
  lua_pushboolean(state, text_at(state, 1, "starts_with").starts_with(text_at(state, 2, "starts_with")));
  return 1;
}
int ends_with(lua_State* state) {
  lua_pushboolean(state, text_at(state, 1, "ends_with").ends_with(text_at(state, 2, "ends_with")));
  return 1;
}

const luaL_Reg kFunctions[] = {{"half_even", half_even},
                               {"half_up", half_up},
                               {"truncate", truncate},
                               {"add", add},
                               {"mul", mul},
                               {"abs", abs},
                               {"min", min},
                               {"max", max},
                               {"minor", minor},
                               {"text", text},
                               {"number", number},
                               {"type", type},
                               {"tostring", to_string},
                               {"error", raise},
                               {"assert", check},
                               {"ipairs", table_items},
                               {"sorted_pairs", table_sorted_pairs}};
const luaL_Reg kTextMethods[] = {
    {"sub", sub}, {"upper", upper}, {"lower", lower}, {"starts_with", starts_with}, {"ends_with", ends_with}};

/// Pushes the function of that name; false when there is none. Looked up when it is used: an interpreter lives for one
/// question, and most questions use few names.
template <std::size_t kCount>
bool push_function(lua_State* state, const luaL_Reg (&functions)[kCount], std::string_view name) {
  const auto found = std::find_if(functions, functions + kCount, [&](const auto& f) { return name == f.name; });
  if (found == functions + kCount) return false;
  lua_pushcfunction(state, found->func);
  return true;
}

/// The key of an access that a metamethod was called for.
const char* key_name(lua_State* state) {
  return lua_type(state, 2) == LUA_TSTRING ? lua_tostring(state, 2) : "?";
}

int find_name(lua_State* state) {
  const std::string_view name = key_name(state);
  if (push_function(state, kFunctions, name)) return 1;
  if (name == "null" || name == "absent") {
    lua_pushlightuserdata(state, const_cast<char*>(name == "null" ? &kNullValue : &kAbsentValue));
    return 1;
  }
  if (name == "rule") return lua_pushvalue(state, lua_upvalueindex(1)), 1;
  return luaL_error(state, "there is no name '%s' in rules (docs/accepted-changes.md lists them)", name.data());
}

int no_globals(lua_State* state) {
  return luaL_error(state, "assignment to the global '%s': declare it local", key_name(state));
}

int find_method(lua_State* state) {
  if (push_function(state, kTextMethods, key_name(state))) return 1;
  return luaL_error(state, "text has no method '%s' in rules (docs/accepted-changes.md lists them)", key_name(state));
}

}  // namespace

void push_environment(lua_State* state, int (*rule)(lua_State*)) {
  lua_pushliteral(state, "");
  lua_createtable(state, 0, 1);
  lua_pushcfunction(state, find_method);
  lua_setfield(state, -2, "__index");
  lua_setmetatable(state, -2);  // of all strings
  lua_pop(state, 1);

  lua_newtable(state);
  lua_createtable(state, 0, 2);
  lua_pushcfunction(state, rule);
  lua_pushcclosure(state, find_name, 1);
  lua_setfield(state, -2, "__index");
  lua_pushcfunction(state, no_globals);
  lua_setfield(state, -2, "__newindex");
  lua_setmetatable(state, -2);
}

}  // namespace phoenix::arbiter
