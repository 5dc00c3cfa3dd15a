#include "arbiter/accepted_sandbox.hpp"

#include <fmt/format.h>

#include <cstring>
#include <lua.hpp>

#include "arbiter/json_value.hpp"

namespace phoenix::arbiter {
namespace {

constexpr int kHookInterval = 1'000;
constexpr std::size_t kAlignment = 16;

struct Run {
  void* context = nullptr;
  std::int64_t instructions_left = Sandbox::kInstructions;
};

Run& run_of(lua_State* state) {
  return **static_cast<Run**>(lua_getextraspace(state));
}

/// `level`: of the function in whose line the bound was reached.
void count(lua_State* state, std::int64_t instructions, int level) {
  auto& left = run_of(state).instructions_left;
  left -= instructions;
  if (left >= 0) return;
  luaL_where(state, level);
  lua_pushfstring(state, "more than %d instructions", Sandbox::kInstructions);
  lua_concat(state, 2);
  lua_error(state);
}

void on_count_hook(lua_State* state, lua_Debug*) {
  count(state, kHookInterval, 0);
}

std::string describe(lua_State* state, int status, std::size_t limit) {
  if (status == LUA_ERRMEM) return fmt::format("needs more than {} KiB of memory", limit / 1024);
  if (lua_type(state, -1) != LUA_TSTRING) {
    return fmt::format("error with a value of type {}", lua_typename(state, lua_type(state, -1)));
  }
  std::size_t size = 0;
  const char* text = lua_tolstring(state, -1, &size);
  return one_line({text, std::min<std::size_t>(size, 500)});
}

}  // namespace

void* Sandbox::Arena::allocate(void* arena, void* block, std::size_t old_size, std::size_t new_size) {
  auto& self = *static_cast<Arena*>(arena);
  if (new_size == 0) return nullptr;
  if (block != nullptr && new_size <= old_size) return block;
  const std::size_t needed = (new_size + kAlignment - 1) / kAlignment * kAlignment;
  if (needed > self.limit - self.used) return nullptr;
  void* fresh = self.bytes.get() + self.used;
  self.used += needed;
  if (block != nullptr) std::memcpy(fresh, block, old_size);
  return fresh;
}

std::optional<std::string> Sandbox::run(int (*body)(lua_State*), void* context, std::size_t extra_bytes) {
  arena_.limit = (kMemoryBytes + extra_bytes) / kAlignment * kAlignment;
  arena_.used = 0;
  if (arena_.size < arena_.limit) {
    arena_.bytes.reset(new std::byte[arena_.limit]);  // not value-initialised: pages that are not used cost nothing
    arena_.size = arena_.limit;
  }
  lua_State* state = lua_newstate(Arena::allocate, &arena_);
  if (state == nullptr) return "no memory for an interpreter";
  Run run{context};
  *static_cast<Run**>(lua_getextraspace(state)) = &run;
  lua_gc(state, LUA_GCSTOP);
  lua_sethook(state, on_count_hook, LUA_MASKCOUNT, kHookInterval);
  lua_pushcfunction(state, body);
  const int status = lua_pcall(state, 0, 0, 0);
  if (status == LUA_OK) return std::nullopt;  // the interpreter is not closed: it is nothing but the arena
  return describe(state, status, arena_.limit);
}

void* Sandbox::context_of(lua_State* state) {
  return run_of(state).context;
}

void Sandbox::charge(lua_State* state, std::size_t instructions) {
  count(state, static_cast<std::int64_t>(instructions), 1);
}

}  // namespace phoenix::arbiter
