#include "arbiter/accepted_syntax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>

namespace phoenix::arbiter {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word(char c) {
  return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0;
}

/// Steps through a Lua text by tokens, as far as telling numerals and operators from text and comments needs.
class Scanner {
 public:
  Scanner(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  std::optional<std::string> first_float() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') {
        ++line_;
        ++at_;
      } else if (starts_with("--")) {
        skip_comment();
      } else if (c == '\'' || c == '"') {
        skip_quoted(c);
      } else if (c == '[' && long_bracket() >= 0) {
        skip_long(long_bracket());
      } else if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) {
        if (auto why = numeral()) return why;
      } else if (is_word(c)) {
        while (at_ < text_.size() && is_word(text_[at_])) ++at_;
      } else if (starts_with("..")) {
        at_ += starts_with("...") ? 3 : 2;
      } else if (starts_with("//")) {
        at_ += 2;
      } else if (c == '/' || c == '^') {
        return refuse(std::string(1, c));
      } else {
        ++at_;
      }
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] bool starts_with(std::string_view word) const { return text_.substr(at_).starts_with(word); }

  std::string refuse(std::string_view what) const {
    return fmt::format(
        "{}:{}: {} makes a binary floating point number, and money is never held in one; use half_even, half_up, "
        "truncate, // or minor(\"0.25\", 2)",
        name_, line_, what);
  }

  /// The number of `=` when a long bracket opens here, else -1.
  [[nodiscard]] int long_bracket() const {
    std::size_t i = at_ + 1;
    while (i < text_.size() && text_[i] == '=') ++i;
    return i < text_.size() && text_[i] == '[' ? static_cast<int>(i - at_ - 1) : -1;
  }

  void skip_to(std::size_t end) {
    end = std::min(end, text_.size());
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         text_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    at_ = end;
  }

  void skip_long(int level) {
    const std::string closing = "]" + std::string(static_cast<std::size_t>(level), '=') + "]";
    const auto end = text_.find(closing, at_);
    skip_to(end == std::string_view::npos ? text_.size() : end + closing.size());
  }

  void skip_comment() {
    at_ += 2;
    const int level = at_ < text_.size() && text_[at_] == '[' ? long_bracket() : -1;
    if (level >= 0) return skip_long(level);
    skip_to(text_.find('\n', at_));
  }

  void skip_quoted(char quote) {
    std::size_t end = at_ + 1;
    // A line's end closes it as well: Lua refuses such a text, and what follows it must not be hidden here.
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') {
      if (text_.substr(end).starts_with("\\z")) {  // skips the white space that follows, line ends too
        end += 2;
        while (end < text_.size() && std::isspace(static_cast<unsigned char>(text_[end])) != 0) ++end;
      } else {
        end += text_[end] == '\\' ? 2 : 1;
      }
    }
    skip_to(end < text_.size() && text_[end] == '\n' ? end : end + 1);
  }

  std::optional<std::string> numeral() {
    const std::size_t start = at_;
    const bool hexadecimal = starts_with("0x") || starts_with("0X");
    while (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == '.')) ++at_;
    const auto written = text_.substr(start, at_ - start);
    const bool has_float_mark = written.find_first_of(hexadecimal ? ".pP" : ".eE") != std::string_view::npos;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), value);
    const bool too_large = !hexadecimal && error == std::errc::result_out_of_range;
    if (has_float_mark || too_large) return refuse(written.substr(0, 40));
    return std::nullopt;
  }

  std::string_view text_, name_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

std::optional<std::string> find_float_syntax(std::string_view text, std::string_view name) {
  return Scanner(text, name).first_float();
}

}  // namespace phoenix::arbiter
