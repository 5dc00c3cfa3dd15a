// Writes JSON text, members in the order in which they are given, without building a document first: for what is
// written for every exchange. Pure.
#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace phoenix::arbiter {

/// A number in decimal.
template <std::integral Number>
void append_number(std::string& out, Number value) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

/// A string with its quotes; what is not UTF-8 becomes U+FFFD.
void append_json(std::string& out, std::string_view text);
inline void append_json(std::string& out, bool value) {
  out += value ? "true" : "false";
}
template <std::integral Number>
requires(!std::same_as<Number, bool>) void append_json(std::string& out, Number value) {
  append_number(out, value);
}

/// [first,second,…]
template <class... Values>
void append_json_array(std::string& out, const Values&... values) {
  out += '[';
  ((append_json(out, values), out += ','), ...);
  out.back() = ']';
}

/// The members of one object. `names` are our own: nothing in them needs an escape.
class JsonMembers {
 public:
  explicit JsonMembers(std::size_t expected_bytes) { text_.reserve(expected_bytes); }

  /// The text behind which the member's value is to be written.
  std::string& name(std::string_view name) {
    text_ += text_.empty() ? "{\"" : ",\"";
    text_ += name;
    text_ += "\":";
    return text_;
  }
  template <class Value>
  void add(std::string_view of, const Value& value) {
    append_json(name(of), value);
  }
  /// An array with what `write(out, item)` makes of each; nothing at all where there are no items.
  template <class Items, class Write>
  void add_all(std::string_view of, const Items& items, const Write& write) {
    if (items.empty()) return;
    std::string& out = name(of) += '[';
    for (const auto& item : items) {
      write(out, item);
      out += ',';
    }
    out.back() = ']';
  }
  std::string take() {
    text_ += text_.empty() ? "{}" : "}";
    return std::move(text_);
  }

 private:
  std::string text_;
};

}  // namespace phoenix::arbiter
