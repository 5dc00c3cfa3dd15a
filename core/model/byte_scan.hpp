// Looking at eight bytes at a time, for the scans of the gateway's path. Each function marks bytes by their top bit; of
// the marks only the lowest, that is the first byte, is exact: a borrow may mark bytes behind it. Pure.
// Source of the formulas: Henry S. Warren, Hacker's Delight, 2nd ed., section 6-1.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace phoenix::byte_scan {

static_assert(std::endian::native == std::endian::little, "the first byte of a word must be its lowest");

inline constexpr std::uint64_t kOnes = 0x0101010101010101;
inline constexpr std::uint64_t kTops = 0x8080808080808080;

inline std::uint64_t load(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// Bytes below `limit`, which is at most 128.
constexpr std::uint64_t below(std::uint64_t word, unsigned char limit) {
  return (word - kOnes * limit) & ~word & kTops;
}
/// Bytes equal to `byte`.
constexpr std::uint64_t equal(std::uint64_t word, char byte) {
  const std::uint64_t differing = word ^ (kOnes * static_cast<unsigned char>(byte));
  return (differing - kOnes) & ~differing & kTops;
}
/// Bytes from 128 on.
constexpr std::uint64_t high(std::uint64_t word) {
  return word & kTops;
}
/// How many bytes stand before the first marked one. `marks` is not 0.
constexpr std::size_t first(std::uint64_t marks) {
  return static_cast<std::size_t>(std::countr_zero(marks)) / 8;
}

}  // namespace phoenix::byte_scan
