// Finds the first byte of a kind, sixteen at a time, by the vectors that GCC and Clang have for every processor. For
// the scans of the gateway's path: libc offers single bytes alone, and a call for each. Pure.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace phoenix::byte_scan {
namespace detail {

template <std::size_t N>
using Block __attribute__((vector_size(N))) = unsigned char;

// How many bytes stand before the first one of the kind; N: there is none. `take` is given all of them.
template <std::size_t N, class IsMarked, class Take>
inline std::size_t marked_in(const char* at, IsMarked is_marked, Take take) {
  static_assert(std::endian::native == std::endian::little, "the first byte of a word must be its lowest");
  Block<N> block;
  std::memcpy(&block, at, N);
  take(at, block);
  const auto marks = is_marked(block);  // all bits of the bytes that are
  std::uint64_t words[N / 8];
  std::memcpy(words, &marks, N);
  for (std::size_t i = 0; i < N / 8; ++i) {
    if (words[i] != 0) return 8 * i + static_cast<std::size_t>(std::countr_zero(words[i])) / 8;
  }
  return N;
}

template <class IsMarked, class Take>
inline const char* find_if(const char* at, const char* end, IsMarked is_marked, Take take) {
  const auto size = static_cast<std::size_t>(end - at);
  if (size >= 16) {
    // The last block overlaps the one before it: no loop over single bytes.
    for (const char* const last = end - 16;;) {
      const std::size_t clean = marked_in<16>(at, is_marked, take);
      if (clean < 16) return at + clean;
      if (at == last) return end;
      at = at + 16 < last ? at + 16 : last;
    }
  }
  if (size >= 8) {
    const std::size_t clean = marked_in<8>(at, is_marked, take);
    if (clean < 8) return at + clean;
    return end - 8 + marked_in<8>(end - 8, is_marked, take);
  }
  for (; at != end; ++at) {
    const auto byte = static_cast<unsigned char>(*at);
    if (is_marked(byte)) break;
    take(at, byte);
  }
  return at;
}

}  // namespace detail

/// Where the first byte of [at, end) stands that `is_marked` names; `end` where none does. It is given a vector of
/// unsigned bytes, or one: it compares with constants of that type and joins by `|`, as in `(byte < k) | (byte == l)`.
template <class IsMarked>
inline const char* find_if(const char* at, const char* end, IsMarked is_marked) {
  return detail::find_if(at, end, is_marked, [](const char*, const auto&) {});
}

/// The same, and copies the bytes before it to `to`. Up to 15 bytes behind them are overwritten there.
template <class IsMarked>
inline const char* copy_until(const char* at, const char* end, char* to, IsMarked is_marked) {
  const char* const begin = at;
  return detail::find_if(at, end, is_marked, [begin, to](const char* from, const auto& bytes) {
    std::memcpy(to + (from - begin), &bytes, sizeof bytes);
  });
}

}  // namespace phoenix::byte_scan
