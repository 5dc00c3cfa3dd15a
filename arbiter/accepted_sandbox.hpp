// Runs Lua code that must not be able to do anything but compute: a fresh interpreter for every run, without Lua's own
// libraries, bounded in instructions and memory. A run's result depends on its input alone. Internal to accepted
// changes; one thread for each Sandbox.
//
// Memory is one arena that is thrown away after the run, without garbage collection: the bound is on what a run
// allocates in all, so it bounds the time spent in copying too. Lua is the C library, whose errors are long jumps: a
// function called by Lua must not raise one while it holds an object with a destructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

struct lua_State;

namespace phoenix::arbiter {

class Sandbox {
 public:
  static constexpr int kInstructions = 100'000;  ///< of one run
  static constexpr std::size_t kMemoryBytes = 1 << 20;

  /// Calls `body` in protected mode; it finds `context` by context_of. `extra_bytes`: memory allowed beyond
  /// kMemoryBytes, for the run's input. What went wrong, in one line, or nothing.
  std::optional<std::string> run(int (*body)(lua_State*), void* context, std::size_t extra_bytes);

  /// The `context` of the run that this interpreter belongs to.
  static void* context_of(lua_State* state);
  /// For functions called by Lua whose work grows with their input: counts so many instructions more; raises a Lua
  /// error beyond the bound.
  static void charge(lua_State* state, std::size_t instructions);

 private:
  struct Arena {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size = 0;  ///< of `bytes`
    std::size_t limit = 0, used = 0;
    static void* allocate(void* arena, void* block, std::size_t old_size, std::size_t new_size);
  };
  Arena arena_;
};

}  // namespace phoenix::arbiter
