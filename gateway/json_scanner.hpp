// A strict reader of one JSON text (RFC 8259) that builds nothing: it walks over values, and says where the text is not
// well-formed, UTF-8 included. Pure; no allocation.
#pragma once

#include <cstddef>
#include <string_view>

namespace phoenix::gateway {

class JsonScanner {
 public:
  /// A byte order mark before the text is left out, as by most readers.
  explicit JsonScanner(std::string_view text);

  /// White space, then the next character, which is not consumed; 0 at the end.
  char peek() {
    for (; at_ != end_; ++at_) {
      const char c = *at_;
      if (static_cast<unsigned char>(c) > ' ' || (c != ' ' && c != '\n' && c != '\r' && c != '\t')) return c;
    }
    return '\0';
  }
  /// The character that peek() showed.
  void skip() { ++at_; }
  /// White space, then `c`; false, and nothing but the space is consumed, where something else stands.
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] bool at_end() { return peek() == '\0' && at_ == end_; }

  struct String {
    std::string_view text;  ///< between the quotes, with its escapes
    bool escaped = false;
  };
  struct Number {
    std::string_view text;
    bool integer = false;  ///< without fraction and exponent
  };
  /// Each begins with the character that peek() showed and returns false where the text is malformed. A number that no
  /// double can hold is malformed as well: readers would differ in what it is.
  bool string(String& out);
  bool number(Number& out);
  /// true, false or null.
  bool literal();

 private:
  bool escape();
  bool escaped_unit(unsigned& unit);
  bool multibyte();
  bool digits();

  const char* at_;
  const char* const end_;
};

}  // namespace phoenix::gateway
