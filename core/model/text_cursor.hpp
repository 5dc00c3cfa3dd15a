// Writes text into memory whose end the caller has seen to: no check and no call for each piece. Pure.
#pragma once

#include <charconv>
#include <concepts>
#include <cstring>
#include <string_view>

namespace phoenix {

struct TextCursor {
  char* at = nullptr;

  void text(std::string_view piece) {
    if (!piece.empty()) std::memcpy(at, piece.data(), piece.size());
    at += piece.size();
  }
  void character(char c) { *at++ = c; }
  /// In decimal; at most kNumberBytes.
  template <std::integral Number>
  void number(Number value) {
    at = std::to_chars(at, at + kNumberBytes, value).ptr;
  }

  static constexpr std::size_t kNumberBytes = 20;  // of 64 bits, with their sign
};

}  // namespace phoenix
