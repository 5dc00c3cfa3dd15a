#include "arbiter/accepted_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <lua.hpp>

#include "arbiter/accepted_exchange.hpp"
#include "arbiter/accepted_library.hpp"
#include "arbiter/accepted_syntax.hpp"
#include "arbiter/accepted_table.hpp"

namespace phoenix::arbiter {
namespace {

using Question = RuleProgram::Question;

constexpr std::size_t kMaxIdBytes = 64, kMaxNoteBytes = 500, kMaxRoutes = 64;
constexpr int kFunctionsKey = 1;  // in the registry: the table of the rule that is asked
constexpr std::array kFields{"approver", "consequence", "expect", "expires", "id", "reason", "routes", "when"};

/// What one run is about. Lives outside the interpreter, so that its containers survive Lua's long jumps.
struct Job {
  std::string_view code;  ///< text or compiled
  const std::string* chunk_name = nullptr;
  bool compiled = false;
  std::string* compiled_out = nullptr;  ///< not null: declares
  std::vector<AcceptedRule>* rules = nullptr;

  std::size_t wanted = 0, declared = 0;
  Question question = Question::change;
  const AcceptedInput* input = nullptr;
  const AnswerDocuments* documents = nullptr;
  std::optional<Prediction>* prediction = nullptr;
};

Job& job_of(lua_State* state) {
  return *static_cast<Job*>(Sandbox::context_of(state));
}

/// A text field of the table at 1; `out` belongs to the job.
void read_note(lua_State* state, const char* field, std::size_t most, std::string& out) {
  if (lua_getfield(state, 1, field) != LUA_TSTRING) luaL_error(state, "rule: '%s' (text) is missing", field);
  std::size_t size = 0;
  const char* text = lua_tolstring(state, -1, &size);
  if (size == 0 || size > most) luaL_error(state, "rule: '%s' must have 1 to %d characters", field, (int)most);
  out.assign(text, size);
  if (one_line(out) != out) luaL_error(state, "rule: '%s' must be one line", field);
  lua_pop(state, 1);
}

void read_routes(lua_State* state, std::vector<std::string>& out) {
  if (lua_getfield(state, 1, "routes") != LUA_TTABLE || lua_rawlen(state, -1) == 0 ||
      lua_rawlen(state, -1) > kMaxRoutes) {
    luaL_error(state, "rule: 'routes' must list 1 to %d routes", (int)kMaxRoutes);
  }
  for (lua_Integer i = 1; lua_rawgeti(state, -1, i) != LUA_TNIL; ++i) {
    if (lua_type(state, -1) != LUA_TSTRING) luaL_error(state, "rule: 'routes' must list names of routes");
    out.emplace_back(lua_tostring(state, -1));
    lua_pop(state, 1);
  }
  lua_pop(state, 2);
}

bool read_function(lua_State* state, const char* field) {
  const int type = lua_getfield(state, 1, field);
  if (type != LUA_TNIL && type != LUA_TFUNCTION) luaL_error(state, "rule: '%s' must be a function", field);
  lua_pop(state, 1);
  return type == LUA_TFUNCTION;
}

void refuse_unknown_fields(lua_State* state) {
  for_each_by_name(state, "rule", [&](const char* name) {
    const bool known = std::any_of(kFields.begin(), kFields.end(), [&](auto f) { return std::string_view(f) == name; });
    if (!known) {
      luaL_error(state, "rule: unknown field '%s' (id, reason, approver, expires, routes, when, expect, consequence)",
                 name);
    }
  });
}

bool is_id(const std::string& id) {
  return std::all_of(id.begin(), id.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
}

/// False when there is no such day.
bool set_expiry(AcceptedRule& rule) {
  const auto end = end_of_day_us(rule.expires);
  if (end) rule.expires_at_us = *end;
  return end.has_value();
}

void declare(lua_State* state, Job& job) {
  auto& rules = *job.rules;
  if (rules.size() == AcceptedChanges::kMaxRules) luaL_error(state, "more than %d rules", (int)rules.size());
  AcceptedRule& rule = rules.emplace_back();
  lua_Debug where{};
  if (lua_getstack(state, 1, &where) != 0 && lua_getinfo(state, "l", &where) != 0) rule.line = where.currentline;
  refuse_unknown_fields(state);
  read_note(state, "id", kMaxIdBytes, rule.id);
  if (!is_id(rule.id)) luaL_error(state, "rule: id '%s' may have a-z, 0-9, '-' and '_'", rule.id.c_str());
  read_note(state, "reason", kMaxNoteBytes, rule.reason);
  read_note(state, "approver", kMaxNoteBytes, rule.approver);
  read_note(state, "expires", kMaxNoteBytes, rule.expires);
  if (!set_expiry(rule)) luaL_error(state, "rule: expires '%s' is no date like 2027-03-31", rule.expires.c_str());
  read_routes(state, rule.routes);
  read_function(state, "when");
  rule.has_expect = read_function(state, "expect");
  rule.has_consequence = read_function(state, "consequence");
  if (!rule.has_expect && !rule.has_consequence) {
    luaL_error(state, "rule: '%s' has neither 'expect' nor 'consequence'", rule.id.c_str());
  }
  const auto same = [&](const AcceptedRule& other) { return other.id == rule.id; };
  if (std::count_if(rules.begin(), rules.end(), same) > 1) {
    luaL_error(state, "rule: id '%s' is declared twice", rule.id.c_str());
  }
}

/// `rule{…}` in a rules file.
int rule_function(lua_State* state) {
  Job& job = job_of(state);
  if (lua_gettop(state) != 1 || !lua_istable(state, 1)) return luaL_error(state, "rule: needs one table, rule{…}");
  if (job.compiled_out != nullptr) {
    declare(state, job);
  } else if (job.declared == job.wanted) {
    lua_rawseti(state, LUA_REGISTRYINDEX, kFunctionsKey + LUA_RIDX_LAST);
  }
  ++job.declared;
  return 0;
}

/// Pushes a function of the rule; false (nothing pushed) when it has none.
bool push_function(lua_State* state, const char* name) {
  if (lua_rawgeti(state, LUA_REGISTRYINDEX, kFunctionsKey + LUA_RIDX_LAST) != LUA_TTABLE) {
    luaL_error(state, "the file declares other rules than when it was read");
  }
  const bool found = lua_getfield(state, -1, name) == LUA_TFUNCTION;
  lua_remove(state, -2);
  if (!found) lua_pop(state, 1);
  return found;
}

/// Leaves the value of the rule's function on the stack; false when the rule does not apply.
bool ask_change(lua_State* state, const Job& job) {
  push_exchange(state, *job.input, *job.documents, job.question);
  if (push_function(state, "when")) {
    lua_pushvalue(state, -2);
    lua_call(state, 1, 1);
    const bool applies = lua_toboolean(state, -1) != 0;
    lua_pop(state, 1);
    if (!applies) return false;
  }
  if (!push_function(state, "expect")) return false;
  lua_insert(state, -2);
  lua_call(state, 1, 1);
  return !lua_isnil(state, -1);
}

bool ask_consequence(lua_State* state, const Job& job) {
  const bool legacy = job.question == Question::legacy_consequence;
  if (!push_function(state, "consequence")) return false;
  push_exchange(state, *job.input, *job.documents, job.question);
  lua_createtable(state, 0, static_cast<int>(job.input->accounts.size()));
  for (const auto& account : job.input->accounts) {
    const auto& before = legacy ? account.legacy_before : account.modern_before;
    if (!before) continue;
    lua_pushlstring(state, account.name.data(), account.name.size());
    lua_pushinteger(state, *before);
    lua_rawset(state, -3);
  }
  lua_pushstring(state, legacy ? "legacy" : "modern");
  lua_call(state, 3, 1);
  return !lua_isnil(state, -1);
}

int collect_code(lua_State*, const void* bytes, std::size_t size, void* out) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(bytes), size);
  return 0;
}

/// The whole run: load, run the file, ask.
int run_job(lua_State* state) {
  Job& job = job_of(state);
  if (luaL_loadbufferx(state, job.code.data(), job.code.size(), job.chunk_name->c_str(), job.compiled ? "b" : "t") !=
      LUA_OK) {
    return lua_error(state);
  }
  if (job.compiled_out != nullptr) lua_dump(state, collect_code, job.compiled_out, 0);
  push_environment(state, rule_function);
  lua_setupvalue(state, -2, 1);
  lua_call(state, 0, 0);
  if (job.compiled_out != nullptr) return 0;
  const bool consequence = job.question != Question::change;
  const bool applies = consequence ? ask_consequence(state, job) : ask_change(state, job);
  if (!applies) return 0;
  job.prediction->emplace();
  read_prediction(state, consequence, **job.prediction);
  return 0;
}

}  // namespace

Result<RuleProgram> RuleProgram::compile(std::string_view text, std::string_view name) {
  if (text.size() > AcceptedChanges::kMaxTextBytes) {
    return invalid_input(fmt::format("{}: longer than {} KiB", name, AcceptedChanges::kMaxTextBytes / 1024));
  }
  if (auto why = find_float_syntax(text, name)) return invalid_input(*why);
  RuleProgram program;
  const std::string chunk_name = fmt::format("@{}", name);
  Job job;
  job.code = text;
  job.chunk_name = &chunk_name;
  job.compiled_out = &program.code_;
  job.rules = &program.rules;
  if (auto why = program.sandbox_.run(run_job, &job, 32 * text.size())) {
    const bool placed = why->starts_with(fmt::format("{}:", name));
    return invalid_input(placed ? *why : fmt::format("{}: {}", name, *why));
  }
  return program;
}

RuleProgram::Answer RuleProgram::ask(std::size_t rule, Question question, const AcceptedInput& input,
                                     const AnswerDocuments& documents) {
  static const std::string kChunkName = "=rules";  // compiled code carries the real one
  Answer answer;
  Job job;
  job.code = code_;
  job.chunk_name = &kChunkName;
  job.compiled = true;
  job.wanted = rule;
  job.question = question;
  job.input = &input;
  job.documents = &documents;
  job.prediction = &answer.prediction;
  const std::size_t bodies = input.exchange.request_body.size() + input.exchange.leg(Side::legacy).body.size();
  if (auto why = sandbox_.run(run_job, &job, 8 * code_.size() + 32 * bodies)) {
    answer.prediction.reset();
    answer.error = std::move(*why);
  }
  return answer;
}

}  // namespace phoenix::arbiter
