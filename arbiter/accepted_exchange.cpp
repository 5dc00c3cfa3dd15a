#include "arbiter/accepted_exchange.hpp"

#include <algorithm>
#include <charconv>
#include <lua.hpp>

#include "arbiter/accepted_library.hpp"
#include "arbiter/accepted_table.hpp"

namespace phoenix::arbiter {
namespace {

using Question = RuleProgram::Question;

void push_text(lua_State* state, std::string_view text) {
  lua_pushlstring(state, text.data(), text.size());
}

void set_text(lua_State* state, const char* name, std::string_view text) {
  push_text(state, text);
  lua_setfield(state, -2, name);
}

void set_integer(lua_State* state, const char* name, const std::optional<std::int64_t>& value) {
  if (!value) return;
  lua_pushinteger(state, *value);
  lua_setfield(state, -2, name);
}

/// Whole numbers of 64 bits become integers, others keep their text.
void push_number(lua_State* state, const std::string& text) {
  std::int64_t whole = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (error == std::errc{} && end == text.data() + text.size()) return lua_pushinteger(state, whole);
  push_text(state, text);
}

/// Recursion is bounded by kMaxJsonDepth.
void push_document(lua_State* state, const JsonValue& value) {
  luaL_checkstack(state, 4, "document");
  switch (value.kind) {
    case JsonValue::Kind::null:
      return lua_pushlightuserdata(state, const_cast<char*>(&kNullValue));
    case JsonValue::Kind::boolean:
      return lua_pushboolean(state, value.text == "true");
    case JsonValue::Kind::number:
      return push_number(state, value.text);
    case JsonValue::Kind::string:
      return push_text(state, value.text);
    case JsonValue::Kind::array:
      lua_createtable(state, static_cast<int>(value.items.size()), 0);
      for (std::size_t i = 0; i < value.items.size(); ++i) {
        push_document(state, value.items[i]);
        lua_rawseti(state, -2, static_cast<lua_Integer>(i + 1));
      }
      return;
    case JsonValue::Kind::object:
      lua_createtable(state, 0, static_cast<int>(value.members.size()));
      for (const auto& [name, member] : value.members) {
        push_text(state, name);
        push_document(state, member);
        lua_rawset(state, -3);
      }
      return;
  }
}

/// Names in lower case; of several lines the last.
void set_headers(lua_State* state, const HeaderList& headers) {
  lua_createtable(state, 0, static_cast<int>(headers.size()));
  for (const auto& [name, value] : headers) {
    luaL_Buffer buffer;
    char* out = luaL_buffinitsize(state, &buffer, name.size());
    std::transform(name.begin(), name.end(), out,
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
    luaL_pushresultsize(&buffer, name.size());
    push_text(state, value);
    lua_rawset(state, -3);
  }
  lua_setfield(state, -2, "headers");
}

void set_body(lua_State* state, const std::optional<JsonValue>& document) {
  if (!document) return;
  push_document(state, *document);
  lua_setfield(state, -2, "body");
}

void push_account(lua_State* state, const AcceptedAccount& account, Question question) {
  lua_createtable(state, 0, 8);
  set_text(state, "name", account.name);
  set_text(state, "currency", account.currency);
  set_integer(state, "digits", account.digits);
  set_integer(state, "carry", account.carry);
  if (question != Question::change) return;  // `before` has the one that counts
  set_integer(state, "legacy_before", account.legacy_before);
  set_integer(state, "modern_before", account.modern_before);
  set_integer(state, "legacy_delta", account.legacy_delta);
}

/// Reads the value on top of the stack; `path` is for messages.
void read_value(lua_State* state, const char* path, PredictedValue& out) {
  using Kind = PredictedValue::Kind;
  std::size_t size = 0;
  if (lua_isinteger(state, -1)) {
    out.kind = Kind::number;
    out.text = std::to_string(lua_tointeger(state, -1));
  } else if (lua_type(state, -1) == LUA_TSTRING) {
    out.kind = Kind::text;
    const char* text = lua_tolstring(state, -1, &size);
    out.text.assign(text, size);
  } else if (lua_isboolean(state, -1)) {
    out.kind = Kind::boolean;
    out.text = lua_toboolean(state, -1) ? "true" : "false";
  } else if (lua_islightuserdata(state, -1)) {
    out.kind = lua_touserdata(state, -1) == &kNullValue ? Kind::null : Kind::absent;
  } else if (lua_istable(state, -1) && lua_rawgetp(state, -1, &kNumberText) != LUA_TNIL) {
    read_value(state, path, out);
    out.kind = Kind::number;
    lua_pop(state, 1);
  } else {
    luaL_error(state, "'%s' predicts no text, integer, boolean, number(…), null or absent", path);
  }
}

using Values = std::vector<std::pair<std::string, PredictedValue>>;
void read_values(lua_State* state, const char* table, Values& out) {
  if (!lua_istable(state, -1)) luaL_error(state, "'%s' must be a table", table);
  for_each_by_name(state, table, [&](const char* name) {
    out.emplace_back(name, PredictedValue{});
    read_value(state, name, out.back().second);
  });
}

void read_response(lua_State* state, Values& out) {
  read_values(state, "response", out);
  for (const auto& [path, value] : out) {
    if (!path.starts_with('/')) luaL_error(state, "response: '%s' is no path like /fee", path.c_str());
  }
}

void read_headers(lua_State* state, Values& out) {
  read_values(state, "headers", out);
  for (const auto& [name, value] : out) {
    const bool usable = value.kind == PredictedValue::Kind::text || value.kind == PredictedValue::Kind::absent;
    if (!usable) luaL_error(state, "headers: '%s' must be text or absent", name.c_str());
  }
}

void read_amounts(lua_State* state, const char* table, std::vector<std::pair<std::string, std::int64_t>>& out) {
  if (!lua_istable(state, -1)) luaL_error(state, "'%s' must be a table", table);
  for_each_by_name(state, table, [&](const char* account) {
    if (!lua_isinteger(state, -1)) luaL_error(state, "%s of '%s' must be an integer in minor units", table, account);
    out.emplace_back(account, lua_tointeger(state, -1));
  });
}

}  // namespace

void push_exchange(lua_State* state, const AcceptedInput& input, const AnswerDocuments& documents, Question question) {
  const auto& exchange = input.exchange;
  luaL_checkstack(state, 8, "exchange");
  lua_createtable(state, 0, 12);
  set_text(state, "id", exchange.exchange_id);
  set_text(state, "route", exchange.route);
  set_text(state, "slice", exchange.slice);
  set_text(state, "method", exchange.method);
  set_text(state, "target", exchange.target);
  set_integer(state, "received_at_us", exchange.received_at_us);
  lua_pushboolean(state, input.postings);
  lua_setfield(state, -2, "postings");

  lua_createtable(state, 0, 2);
  set_headers(state, exchange.request_headers);
  set_body(state, documents.request);
  lua_setfield(state, -2, "request");
  if (question == Question::change) {
    const auto& legacy = exchange.leg(Side::legacy);
    lua_createtable(state, 0, 3);
    set_integer(state, "status", legacy.status);
    set_headers(state, legacy.headers);
    set_body(state, documents.legacy);
    lua_setfield(state, -2, "legacy");
  }
  lua_createtable(state, static_cast<int>(input.accounts.size()), 0);
  for (std::size_t i = 0; i < input.accounts.size(); ++i) {
    push_account(state, input.accounts[i], question);
    lua_rawseti(state, -2, static_cast<lua_Integer>(i + 1));
  }
  lua_setfield(state, -2, "accounts");
}

void read_prediction(lua_State* state, bool consequence, Prediction& out) {
  if (!lua_istable(state, -1)) luaL_error(state, "must return a table or nil, not %s", luaL_typename(state, -1));
  for_each_by_name(state, "prediction", [&](const char* key) {
    const std::string_view name = key;
    if (name == "status") {
      if (!lua_isinteger(state, -1)) luaL_error(state, "status must be an integer");
      out.status = lua_tointeger(state, -1);
    } else if (name == "response") {
      read_response(state, out.response);
    } else if (name == "headers") {
      read_headers(state, out.headers);
    } else if (name == "delta") {
      read_amounts(state, "delta", out.delta);
    } else if (name == "shift" && !consequence) {
      read_amounts(state, "shift", out.shift);
    } else {
      luaL_error(state, "'%s' is not part of a prediction: status, response, headers, delta%s", key,
                 consequence ? "" : ", shift");
    }
  });
}

}  // namespace phoenix::arbiter
