// Reads JSON text forwards, value by value, without building a document: for what is read by the ten thousand a second.
// Strict (RFC 8259): what is not JSON is an error that says where.
//
// Every call throws Failure(invalid_input). One thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "core/model/result.hpp"

namespace phoenix {

class JsonCursor {
 public:
  enum class Strings {
    utf8,
    bytes,  ///< as frames of `shadow-requests` spell them: a code point up to 255 is the byte of that number
  };
  explicit JsonCursor(std::string_view text, Strings strings = Strings::utf8)
      : text_(text), latin_(strings == Strings::bytes) {}

  /// The first byte of the value that comes next: it tells the kind.
  [[nodiscard]] char peek();

  /// Enters an object or an array; true while there is another member or element.
  ///   cursor.enter('{'); while (cursor.next_member(name)) …   cursor.enter('['); while (cursor.next_element()) …
  void enter(char bracket);
  bool next_member(std::string& name);
  bool next_element();

  void read(std::string& out);
  void read(bool& out);
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) void read(Number& out) {
    const Integer number = integer();
    // Two's complement: a magnitude of 2^63 is the least value.
    const std::uint64_t most = static_cast<std::uint64_t>(std::numeric_limits<Number>::max());
    if (number.negative ? !std::signed_integral<Number> || number.magnitude > most + 1 : number.magnitude > most)
      fail("a number is out of range");
    out = static_cast<Number>(number.negative ? 0 - number.magnitude : number.magnitude);
  }
  /// A number, as it is written.
  std::string_view number();
  /// true, false or null, as it is written.
  std::string_view word();
  /// Passes one value of any kind.
  void skip();
  /// Nothing but white space may follow.
  void finish();

  [[noreturn]] void fail(std::string_view what) const;

 private:
  struct Integer {
    std::uint64_t magnitude = 0;
    bool negative = false;
  };
  static constexpr int kDeepest = 64;

  void expect(char byte);
  bool next(char closing);
  Integer integer();
  void skip_at(int depth);
  void escaped(std::string& out);
  std::uint32_t hex4();
  void raw_utf8(std::string& out);

  void append(std::string& out, std::uint32_t code) const;

  std::string_view text_;
  const bool latin_;
  std::size_t at_ = 0;
  bool fresh_ = false;  // just entered: no comma before what follows
};

}  // namespace phoenix
