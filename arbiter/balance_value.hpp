// The balance of one row of a change stream, exactly as the stream spells it: never through binary floating point.
// Pure.
#pragma once

#include <optional>
#include <string_view>

#include "arbiter/json_span.hpp"
#include "core/model/decimal.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

/// What capture and Debezium write for a value that they do not have.
inline constexpr std::string_view kUnavailableValue = "__debezium_unavailable_value";

/// How a column is spelled, as the schema beside the record says.
struct ColumnType {
  enum class Kind { unknown, decimal, variable_decimal, whole, text, floating, other };
  Kind kind = Kind::unknown;  ///< unknown: no schema came with the record
  int scale = 0;              ///< of decimal
};

/// Debezium's decimal.handling.mode=precise: base64 of a big-endian two's-complement whole number of 10^-scale.
Result<Decimal> decode_precise(std::string_view base64, int scale);

/// nullopt: the value is null, absent or was not sent. An error for what is no exact number, and for binary floating
/// point, with advice.
Result<std::optional<Decimal>> decode_balance(const JsonSpan& value, const config::StateTableConfig& table,
                                              const ColumnType& type);

}  // namespace phoenix::arbiter
