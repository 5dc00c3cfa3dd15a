// JSON read without losing a digit: every number keeps the text it was written with, so that money never passes through
// binary floating point (invariant 7).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/model/result.hpp"

namespace phoenix {

/// A document flattened to its scalars by JSON pointer ("/postings/0/amount"). Keys holding '/' or '~' are escaped as
/// in RFC 6901. Immutable after parse().
class ExactJson {
 public:
  enum class Type : std::uint8_t { null, boolean, number, string };
  struct Scalar {
    Type type = Type::null;
    std::string text;  ///< numbers as written, strings unescaped, "true" or "false"
  };

  /// `invalid_input` for malformed text, a member that occurs twice, a top level that is no object, or more than 64
  /// levels.
  static Result<ExactJson> parse(std::string_view text);

  [[nodiscard]] const Scalar* find(const std::string& pointer) const;
  [[nodiscard]] const std::unordered_map<std::string, Scalar>& scalars() const { return scalars_; }

  /// The string at `pointer`; an error when it is absent or of another type.
  [[nodiscard]] Result<std::string> string(const std::string& pointer) const;
  /// The number at `pointer` in hundredths; an error when absent, not a number, or finer than two decimals.
  [[nodiscard]] Result<std::int64_t> hundredths(const std::string& pointer) const;
  /// A whole number that fits 64 bits.
  [[nodiscard]] Result<std::int64_t> whole(const std::string& pointer) const;

 private:
  std::unordered_map<std::string, Scalar> scalars_;
};

/// SQL or JSON number text to hundredths.
Result<std::int64_t> hundredths_from_text(std::string_view text);
/// 1250 to "12.50": a JSON number with exactly two decimals.
std::string hundredths_to_text(std::int64_t hundredths);
/// A JSON string literal with its quotes; bytes that are not UTF-8 are replaced.
std::string quote_json(std::string_view text);

}  // namespace phoenix
