// Reads JSON without building a document: values are spans of the text, numbers stay as they were written. For records
// that come by the ten thousand and of which a few members count. Pure; spans point into the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/model/result.hpp"

namespace phoenix::arbiter {

struct JsonSpan {
  enum class Kind : std::uint8_t { absent, null, boolean, number, string, array, object };
  Kind kind = Kind::absent;
  bool escaped = false;   ///< a string in which a backslash stands
  std::string_view text;  ///< as written; of a string what stands between the quotes

  [[nodiscard]] bool present() const { return kind != Kind::absent && kind != Kind::null; }
  /// Of a string, unescaped (a lone surrogate becomes U+FFFD); of a number or boolean as written; empty for others.
  [[nodiscard]] std::string string() const;
  /// Of a whole number without sign, also as a string; nullopt for anything else and beyond 64 bits.
  [[nodiscard]] std::optional<std::uint64_t> count() const;
  /// Whether it is a string with this text.
  [[nodiscard]] bool is(std::string_view expected) const;
};

/// Steps through an object or array. Each step checks the syntax of the value that it passes, so after a whole walk the
/// whole text is known to be JSON (RFC 8259; UTF-8 is not checked).
class JsonWalk {
 public:
  static constexpr int kMaxDepth = 64;

  /// Over a whole document, which has to be an object or array.
  explicit JsonWalk(std::string_view text);
  /// Over a value that has been passed; nothing for scalars.
  explicit JsonWalk(const JsonSpan& container) : JsonWalk(container.text) {}

  /// The next member of an object or item of an array; false at the end and after an error.
  bool next();
  [[nodiscard]] bool object() const { return open_ == '{'; }
  [[nodiscard]] const JsonSpan& name() const { return name_; }
  [[nodiscard]] const JsonSpan& value() const { return value_; }
  /// What is wrong and at which byte; empty: nothing so far. At the end of a document nothing but blanks may follow.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  bool fail(const char* what);
  void skip_blanks();
  bool pass_value(JsonSpan& out, int depth);
  bool pass_container(char close, int depth);
  bool pass_string(JsonSpan& out);
  bool pass_escape();
  bool pass_number();
  bool pass_word(std::string_view word);
  bool finish();

  const char* const begin_;
  const char* at_;
  const char* const end_;
  char open_ = 0;   // of the container that is walked
  char close_ = 0;  // 0: done
  bool first_ = true;
  JsonSpan name_, value_;
  std::string error_;
};

/// A member by its name (as written, unescaped names alone); absent where there is none.
JsonSpan member_of(const JsonSpan& object, std::string_view name);

}  // namespace phoenix::arbiter
