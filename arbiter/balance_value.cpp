#include "arbiter/balance_value.hpp"

#include <fmt/format.h>

#include <charconv>

#include "arbiter/base64_text.hpp"

namespace phoenix::arbiter {
namespace {

__extension__ using Int128 = __int128;
__extension__ using UInt128 = unsigned __int128;

constexpr std::size_t kMostBytes = 16;  // 2^127 has 39 digits; a Decimal holds 36

Error not_base64(std::string_view text) {
  return invalid_input(
      fmt::format("'{}' is no decimal in base64; decimals says how the balance is spelled", text.substr(0, 64)));
}

/// The whole number behind the base64; at most kMostBytes bytes of it.
Result<Int128> whole_of(std::string_view base64) {
  const auto bytes = decode_base64(base64.substr(0, 4 * kMostBytes));
  if (!bytes || bytes->empty()) return not_base64(base64);
  if (bytes->size() > kMostBytes)
    return invalid_input(fmt::format("a balance of {} bytes has too many digits", base64.size() / 4 * 3));
  UInt128 value = (bytes->front() & 0x80) != 0 ? ~UInt128{0} : 0;
  for (const char byte : *bytes) value = (value << 8) | static_cast<std::uint8_t>(byte);
  return static_cast<Int128>(value);
}

/// `whole` * 10^-scale.
Result<Decimal> scaled(Int128 whole, int scale) {
  if (whole >= INT64_MIN && whole <= INT64_MAX && scale >= 0 && scale <= 18)
    return Decimal::from_minor(static_cast<std::int64_t>(whole), scale);
  const bool negative = whole < 0;
  UInt128 rest = negative ? ~static_cast<UInt128>(whole) + 1 : static_cast<UInt128>(whole);
  std::string digits;
  for (; rest != 0; rest /= 10) digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
  return Decimal::parse(fmt::format("{}{}e{}", negative ? "-" : "", digits.empty() ? "0" : digits, -scale));
}

std::optional<int> small_number(const JsonSpan& value) {
  int number = 0;
  const auto [end, error] = std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
  const bool whole = error == std::errc{} && end == value.text.data() + value.text.size();
  return whole && number >= -1000 && number <= 1000 ? std::optional(number) : std::nullopt;
}

/// {"scale": 2, "value": "CTOL"}: numeric without a declared scale.
Result<Decimal> variable_decimal(const JsonSpan& value) {
  const JsonSpan scale = member_of(value, "scale"), digits = member_of(value, "value");
  const auto number = small_number(scale);
  if (!number || digits.kind != JsonSpan::Kind::string)
    return invalid_input("a decimal with variable scale has a whole number 'scale' and a 'value' in base64");
  return decode_precise(digits.string(), *number);
}

/// Digits as they stand in the record.
Result<Decimal> written(std::string_view text, const std::optional<int>& scale) {
  if (!scale || *scale == 0) {
    auto number = Decimal::parse(text);
    if (number && scale && text.find_first_of(".eE") != std::string_view::npos && number->to_minor(0).has_error())
      return invalid_input(fmt::format("'{}' is no whole number, but scale says that it is one", text.substr(0, 64)));
    return number;
  }
  std::int64_t whole = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, whole);
  if (error == std::errc{} && end == last) return Decimal::from_minor(whole, *scale);
  if (text.find_first_of(".eE") != std::string_view::npos)
    return invalid_input(fmt::format("'{}' is no whole number, but scale says that it is one", text.substr(0, 64)));
  return Decimal::parse(fmt::format("{}e-{}", text, *scale));
}

Error binary_floating_point(std::string_view text) {
  return invalid_input(
      fmt::format("the balance {} is binary floating point, in which money cannot be compared exactly; set Debezium's"
                  " decimal.handling.mode to string or precise (where its converter writes exact decimals as numbers:"
                  " decimals: number)",
                  text.substr(0, 64)));
}

Result<Decimal> number(const JsonSpan& value, const config::StateTableConfig& table, const ColumnType& type) {
  using Decimals = config::StateTableConfig::Decimals;
  const bool fraction = value.text.find_first_of(".eE") != std::string_view::npos;
  if (type.kind == ColumnType::Kind::decimal) return Decimal::parse(value.text);  // decimal.format=NUMERIC
  if (fraction && type.kind == ColumnType::Kind::unknown && table.decimals != Decimals::number)
    return binary_floating_point(value.text);
  return written(value.text, table.scale);
}

Result<Decimal> text(const JsonSpan& value, const config::StateTableConfig& table, const ColumnType& type) {
  using Decimals = config::StateTableConfig::Decimals;
  std::string unescaped;
  if (value.escaped) unescaped = value.string();
  const std::string_view plain = value.escaped ? std::string_view(unescaped) : value.text;
  if (type.kind == ColumnType::Kind::decimal) return decode_precise(plain, type.scale);
  if (type.kind == ColumnType::Kind::unknown && table.decimals == Decimals::base64)
    return decode_precise(plain, table.scale.value_or(0));
  return written(plain, table.scale);
}

}  // namespace

Result<Decimal> decode_precise(std::string_view base64, int scale) {
  const auto whole = whole_of(base64);
  if (!whole) return whole.error();
  return scaled(*whole, scale);
}

Result<std::optional<Decimal>> decode_balance(const JsonSpan& value, const config::StateTableConfig& table,
                                              const ColumnType& type) {
  using Kind = JsonSpan::Kind;
  if (!value.present() || value.is(kUnavailableValue)) return std::optional<Decimal>();
  if (type.kind == ColumnType::Kind::floating) return binary_floating_point(value.text);
  const auto decoded = [&]() -> Result<Decimal> {
    if (value.kind == Kind::number) return number(value, table, type);
    if (value.kind == Kind::string) return text(value, table, type);
    if (value.kind == Kind::object) return variable_decimal(value);
    return invalid_input("neither a number nor text");
  }();
  if (decoded.has_error()) return invalid_input(fmt::format("column {}: {}", table.balance, decoded.error().message));
  return std::optional(*decoded);
}

}  // namespace phoenix::arbiter
