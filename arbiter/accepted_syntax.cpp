#include "arbiter/accepted_syntax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <vector>

namespace phoenix::arbiter {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word(char c) {
  return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0;
}

struct Token {
  enum class Kind { word, numeral, text, symbol };
  Kind kind = Kind::symbol;
  std::string_view spelled;
  int line = 1;
};

/// Takes a Lua text apart, as far as telling numerals, words and operators from text and comments needs.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::vector<Token> tokens() {
    while (at_ < text_.size()) {
      const std::size_t start = at_;
      const int line = line_;
      if (const auto kind = step()) tokens_.push_back({*kind, text_.substr(start, at_ - start), line});
    }
    return std::move(tokens_);
  }

 private:
  using Kind = Token::Kind;
  [[nodiscard]] bool starts_with(std::string_view word) const { return text_.substr(at_).starts_with(word); }

  /// Nothing for a comment or white space.
  std::optional<Kind> step() {
    const char c = text_[at_];
    if (std::isspace(static_cast<unsigned char>(c)) != 0) return skip_to(at_ + 1), std::nullopt;
    if (starts_with("--")) return skip_comment(), std::nullopt;
    if (c == '\'' || c == '"') return skip_quoted(c), Kind::text;
    if (c == '[' && long_bracket() >= 0) return skip_long(long_bracket()), Kind::text;
    if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) {
      while (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == '.')) ++at_;
      return Kind::numeral;
    }
    if (is_word(c)) {
      while (at_ < text_.size() && is_word(text_[at_])) ++at_;
      return Kind::word;
    }
    at_ += starts_with("...") ? 3 : starts_with("..") || starts_with("//") ? 2 : 1;
    return Kind::symbol;
  }

  /// The number of `=` when a long bracket opens here, else -1.
  [[nodiscard]] int long_bracket() const {
    std::size_t i = at_ + 1;
    while (i < text_.size() && text_[i] == '=') ++i;
    return i < text_.size() && text_[i] == '[' ? static_cast<int>(i - at_ - 1) : -1;
  }

  void skip_to(std::size_t end) {
    end = std::min(end, text_.size());
    const auto skipped = text_.substr(at_, end - at_);
    line_ += static_cast<int>(std::count(skipped.begin(), skipped.end(), '\n'));
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
    skip_to(text_.find_first_of("\r\n", at_));  // Lua ends a line at either
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

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

bool is_float_numeral(std::string_view written) {
  const bool hexadecimal = written.starts_with("0x") || written.starts_with("0X");
  if (written.find_first_of(hexadecimal ? ".pP" : ".eE") != std::string_view::npos) return true;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), value);
  return !hexadecimal && error == std::errc::result_out_of_range;
}

/// What follows a `for`, when it counts. Lua turns text into a float there: `for i = "0.5", 2`. So it may count only
/// from an integer or `#list`, and only by an integer.
class CountingLoop {
 public:
  CountingLoop(const std::vector<Token>& tokens, std::size_t at) : tokens_(tokens), at_(at + 1) {}

  bool is_sound() {
    ++at_;  // the variable
    if (!take("=")) return true;
    if (!(take_integer() || take_length()) || !take(",")) return false;
    for (int depth = 0; at_ < tokens_.size(); ++at_) {
      const auto& token = tokens_[at_].spelled;
      if (token == "(" || token == "[" || token == "{") ++depth;
      if (token == ")" || token == "]" || token == "}") --depth;
      if (depth == 0 && token == "do") return true;
      if (depth == 0 && token == ",") return ++at_, take_integer() && take("do");
    }
    return true;  // not Lua
  }

 private:
  [[nodiscard]] bool is(Token::Kind kind) const { return at_ < tokens_.size() && tokens_[at_].kind == kind; }
  bool take(std::string_view spelled) {
    const bool found = at_ < tokens_.size() && tokens_[at_].spelled == spelled;
    if (found) ++at_;
    return found;
  }
  bool take(Token::Kind kind) {
    const bool found = is(kind);
    if (found) ++at_;
    return found;
  }
  bool take_integer() {
    take("-");
    return take(Token::Kind::numeral);
  }
  bool take_length() {
    if (!take("#") || !take(Token::Kind::word)) return false;
    while (take(".")) {
      if (!take(Token::Kind::word)) return false;
    }
    return true;
  }

  const std::vector<Token>& tokens_;
  std::size_t at_;
};

}  // namespace

std::optional<std::string> find_float_syntax(std::string_view text, std::string_view name) {
  const auto refuse = [&](const Token& token, std::string_view what) {
    return fmt::format(
        "{}:{}: {} a binary floating point number, and money is never held in one; use half_even, half_up, truncate, "
        "// or minor(\"0.25\", 2)",
        name, token.line, what);
  };
  const auto tokens = Scanner(text).tokens();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto& token = tokens[i];
    const bool numeral = token.kind == Token::Kind::numeral && is_float_numeral(token.spelled);
    const bool symbol = token.kind == Token::Kind::symbol && (token.spelled == "/" || token.spelled == "^");
    if (numeral || symbol) return refuse(token, fmt::format("{} makes", token.spelled.substr(0, 40)));
    if (token.spelled == "for" && !CountingLoop(tokens, i).is_sound()) {
      return refuse(token, "counting from or by anything but an integer or #list can make");
    }
  }
  return std::nullopt;
}

}  // namespace phoenix::arbiter
