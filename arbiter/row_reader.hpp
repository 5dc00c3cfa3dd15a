// The columns of one row that count: account, balance, currency. Shared by the decoders of change streams. Pure.
#pragma once

#include <string>

#include "arbiter/balance_value.hpp"
#include "arbiter/json_span.hpp"
#include "arbiter/state_record.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

struct Row {
  JsonSpan account, balance, currency;
};

/// An error where a column stands twice.
Result<Row> read_row(const JsonSpan& object, const config::StateTableConfig& table);

/// `before` and `after` as they stand in the envelope, either may be null.
struct RowImages {
  JsonSpan before, after;
  ColumnType type;
};

/// Fills account, balances and currency of a change whose `op` is known. `after` must tell the balance, `before` may
/// leave it out.
Result<void> fill_rows(StateChange& change, const RowImages& images, const config::StateTableConfig& table);

}  // namespace phoenix::arbiter
