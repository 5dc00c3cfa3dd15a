// Records of `db-state-updates` as plain data: captured changes, markers and gaps of phoenix-capture, markers of the
// arbiter, and its own readings (docs/events.md). Debezium's topics: debezium_decoder. Pure.
#pragma once

#include "arbiter/state_record.hpp"
#include "core/events/event_log.hpp"
#include "core/model/result.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

/// A longer record is refused: no row of a ledger comes near it.
inline constexpr std::size_t kMaxStateRecordBytes = 1u << 20;

class StateDecoder {
 public:
  explicit StateDecoder(const config::Config& config) : arbiter_(config.arbiter) {}

  /// invalid_input says what is wrong with a record that cannot be read: malformed, oversized, of an unknown version,
  /// a column missing, no exact number. Rows of tables that are not compared are StateIgnored.
  [[nodiscard]] Result<StateRecord> decode(const LogRecord& record) const;

 private:
  [[nodiscard]] const config::StateTableConfig& table(Side side) const {
    return side == Side::legacy ? arbiter_.legacy_state : arbiter_.modern_state;
  }
  const config::ArbiterConfig arbiter_;
};

}  // namespace phoenix::arbiter
