// Records of Debezium's Postgres connector (2.x, 1.5 and newer) as plain data, unchanged: JSON converter with schemas
// and without, the envelope and the flattened form (ExtractNewRecordState). Format: Debezium's documentation of the
// connector, "Data change events" and "Transaction metadata". Keeps nothing between records but the last schema of each
// topic. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include "arbiter/balance_value.hpp"
#include "arbiter/state_record.hpp"
#include "core/events/event_log.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

/// Where the connector emitted a record: the position of the last commit before its transaction, then its own. Rises
/// over all topics of one connector, and tells transactions apart.
using EmittedAt = std::pair<std::uint64_t, std::uint64_t>;

/// A row; its exchange is not known yet.
struct DebeziumRow {
  StateChange change;
  EmittedAt emitted{0, 0};
  bool ordered = false;  ///< whether the stream tells its transaction and the transaction's place
};

/// A message of pg_logical_emit_message with the prefix `phoenix`.
struct DebeziumMessage {
  Side side = Side::legacy;
  std::string transaction;
  EmittedAt emitted{0, 0};
  std::string exchange_id;  ///< empty: a marker, or a message that holds no exchange id
  std::string marker;       ///< id of the arbiter's marker
  bool malformed = false;   ///< neither a marker nor an exchange id
};

using DebeziumRecord = std::variant<DebeziumRow, DebeziumMessage, StateGap, StateIgnored>;

class DebeziumDecoder {
 public:
  explicit DebeziumDecoder(const config::ArbiterConfig& config);

  /// invalid_input names what is wrong: malformed, a column missing, binary floating point (with advice), a place in
  /// the stream that is not told. The topic must be one of a side's `topics`.
  Result<DebeziumRecord> decode(const LogRecord& record);
  /// Whether the configuration names the topic.
  [[nodiscard]] bool reads(const std::string& topic) const { return sides_.contains(topic); }
  /// Of such a topic.
  [[nodiscard]] Side side_of(const std::string& topic) const { return sides_.at(topic); }

 private:
  struct KnownSchema {
    std::string text;
    ColumnType enveloped, flattened;
  };

  const ColumnType& type_of(const LogRecord& record, const JsonSpan& schema, bool flattened,
                            const config::StateTableConfig& table);

  const config::StateTableConfig legacy_, modern_;
  std::map<std::string, Side> sides_;           // by topic
  std::map<std::string, KnownSchema> schemas_;  // by topic
};

}  // namespace phoenix::arbiter
