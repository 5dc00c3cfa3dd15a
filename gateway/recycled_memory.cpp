#include "gateway/recycled_memory.hpp"

#include <utility>

namespace phoenix::gateway {

// A thread that ends gives all of it to the others. Not a destructor of the lists themselves: each use would have to
// ask whether it is registered.
void* RecycledMemory::take_new(std::size_t bytes, std::size_t list) {
  struct AtThreadEnd {
    AtThreadEnd() = default;
    AtThreadEnd(const AtThreadEnd&) = delete;
    AtThreadEnd& operator=(const AtThreadEnd&) = delete;
    ~AtThreadEnd() {
      for (List& kept : lists_.at) {
        kept.free(kept.count);
        kept.count = kMostKept;  // what comes back from here on is not kept
      }
    }
  };
  static thread_local AtThreadEnd cleaner;
  static_cast<void>(cleaner);
  return ::operator new(size_of(bytes, list));
}

void RecycledMemory::free_unused() noexcept {
  for (List& kept : lists_.at) {
    kept.free(kept.least);
    kept.least = kept.count;
  }
}

void RecycledMemory::List::free(std::uint32_t pieces) noexcept {
  count -= pieces;
  for (; pieces > 0; --pieces) ::operator delete(std::exchange(first, first->next));
}

}  // namespace phoenix::gateway
