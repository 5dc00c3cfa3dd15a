// Memory that one thread takes and gives back all the time: coroutine frames and read buffers. Each thread keeps what
// came back in lists by size, so that most requests cost a few instructions and the memory is still in the cache.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

namespace phoenix::gateway {

class RecycledMemory {
 public:
  /// What a socket is read into at once: an answer of 16 KiB with its head.
  static constexpr std::size_t kBlockBytes = 17 * 1024;

  /// Uninitialised, aligned as operator new does. Any thread.
  static void* take(std::size_t bytes) {
    const std::size_t at = list_of(bytes);
    Lists& lists = lists_;
    if (at == kLists || lists.at[at].first == nullptr) return take_new(bytes, at);
    List& list = lists.at[at];
    Piece* piece = list.first;
    list.first = piece->next;
    list.least = std::min(list.least, --list.count);
    return piece;
  }
  /// Whence it came does not matter: another thread may have taken it. `bytes` as it was taken.
  static void give_back(void* memory, std::size_t bytes) noexcept {
    const std::size_t at = list_of(bytes);
    Lists& lists = lists_;
    if (at == kLists || lists.at[at].count >= kMostKept) return ::operator delete(memory);
    lists.at[at].first = new (memory) Piece{lists.at[at].first};
    ++lists.at[at].count;
  }
  /// Frees what this thread has not needed since the call before: most of it after a burst.
  static void free_unused() noexcept;

 private:
  struct Piece {
    Piece* next;
  };
  struct List {
    Piece* first = nullptr;
    std::uint32_t count = 0;
    std::uint32_t least = 0;  // of `count` since free_unused()
    void free(std::uint32_t pieces) noexcept;
  };
  // The heap's pieces are a multiple of 16 bytes, eight of which are its own.
  static constexpr std::size_t kStep = 16;
  static constexpr std::size_t kHeapsOwn = 8;
  static constexpr std::size_t kSmall = 4096;
  static constexpr std::size_t kLists = (kSmall + kHeapsOwn) / kStep + 2;  // the last one: blocks
  static constexpr std::uint32_t kMostKept = 256;                          // in each list
  struct Lists {
    std::array<List, kLists> at{};
  };

#if defined(__SANITIZE_ADDRESS__)
  static std::size_t list_of(std::size_t) {
    return kLists;
  }  // what is used after its end is to be seen
#else
  static std::size_t list_of(std::size_t bytes) {
    if (bytes <= kSmall) return (bytes + kHeapsOwn - 1) / kStep;
    return bytes == kBlockBytes ? kLists - 1 : kLists;
  }
#endif
  static std::size_t size_of(std::size_t bytes, std::size_t list) {
    return list < kLists - 1 ? (list + 1) * kStep - kHeapsOwn : bytes;
  }
  static void* take_new(std::size_t bytes, std::size_t list);

  static thread_local constinit Lists lists_;
};

inline thread_local constinit RecycledMemory::Lists RecycledMemory::lists_{};

}  // namespace phoenix::gateway
