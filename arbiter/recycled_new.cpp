// operator new and delete of phoenix-arbiter. An exchange takes about a hundred small pieces of memory and gives most
// of them back a few hundred exchanges later, when its batch or its wait is over: more than malloc keeps for a thread
// (seven of each size), so that a quarter of the processor's time went into its shared lists. Here each thread keeps
// what comes back in lists by size, bounded. Every piece is malloc's own, so memory may come from one place and go to
// another.
#include <array>
#include <cstddef>
#include <cstdlib>
#include <new>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

constexpr std::size_t kStep = 16;       // sizes are rounded up to it
constexpr std::size_t kLargest = 512;   // above it malloc alone
constexpr std::size_t kKept = 1 << 20;  // bytes of one size

struct Piece {
  Piece* next;
};
struct List {
  Piece* first = nullptr;
  std::size_t bytes = 0;
};

/// Without a destructor, so that it can be used until the thread's very end; Owner empties it.
thread_local std::array<List, kLargest / kStep + 1> lists;
thread_local bool over = false;

struct Owner {
  Owner() = default;
  ~Owner() {
    over = true;
    for (auto& list : lists) {
      while (Piece* const piece = list.first) {
        list.first = piece->next;
        std::free(piece);
      }
    }
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  bool known = false;
};
thread_local Owner owner;

std::size_t list_of(std::size_t bytes) {
  return bytes == 0 ? 1 : (bytes + kStep - 1) / kStep;
}

void* take_new(std::size_t bytes) {
  while (true) {
    if (void* const memory = std::malloc(bytes)) return memory;
    const auto handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

}  // namespace

void* operator new(std::size_t bytes) {
  if (bytes > kLargest) return take_new(bytes);
  const std::size_t at = list_of(bytes);
  List& list = lists[at];
  Piece* const piece = list.first;
  if (piece == nullptr) return take_new(at * kStep);
  list.first = piece->next;
  list.bytes -= at * kStep;
  return piece;
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::size_t bytes) noexcept {
  const std::size_t at = list_of(bytes);
  if (memory == nullptr || bytes > kLargest || over || lists[at].bytes + at * kStep > kKept) return std::free(memory);
  owner.known = true;  // made by its first use
  List& list = lists[at];
  list.first = new (memory) Piece{list.first};
  list.bytes += at * kStep;
}

#endif
