// The text form of state that is written with every batch: numbers and length:text, each followed by a space. Cheaper
// to write than JSON.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "arbiter/json_text.hpp"
#include "core/model/result.hpp"
#include "core/model/traffic_policy.hpp"

namespace phoenix::arbiter {

class CompactWriter {
 public:
  CompactWriter() { text_.reserve(kUsualBytes); }
  template <class... Numbers>
  void numbers(Numbers... values) {
    (number(values), ...);
  }
  void text(std::string_view value) {
    append_number(text_, value.size());
    text_ += ':';
    text_ += value;
    text_ += ' ';
  }
  std::string take() { return std::move(text_); }

 private:
  static constexpr std::size_t kUsualBytes = 480;
  template <class Number>
  void number(Number value) {
    append_number(text_, value);
    text_ += ' ';
  }
  std::string text_;
};

/// Throws Failure(invalid_input) at text that no CompactWriter wrote.
class CompactReader {
 public:
  explicit CompactReader(std::string_view text) : rest_(text) {}
  template <class... Numbers>
  void numbers(Numbers&... values) {
    (number(values, ' '), ...);
  }
  std::string text() {
    std::size_t length = 0;
    number(length, ':');
    if (length >= rest_.size()) throw Failure(ErrorCode::invalid_input, "stored state: cut short");
    std::string value(rest_.substr(0, length));
    rest_.remove_prefix(length + 1);
    return value;
  }
  std::size_t count() {
    std::size_t n = 0;
    number(n, ' ');
    if (n > rest_.size()) throw Failure(ErrorCode::invalid_input, "stored state: cut short");
    return n;
  }
  bool flag() {
    int value = 0;
    number(value, ' ');
    return value != 0;
  }
  Side side() { return flag() ? Side::modern : Side::legacy; }

 private:
  template <class Number>
  void number(Number& value, char end) {
    const auto [at, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc{} || at == rest_.data() + rest_.size() || *at != end) {
      throw Failure(ErrorCode::invalid_input, "stored state: not a number");
    }
    rest_.remove_prefix(static_cast<std::size_t>(at - rest_.data()) + 1);
  }
  std::string_view rest_;
};

}  // namespace phoenix::arbiter
