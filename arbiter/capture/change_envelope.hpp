// The value of a captured change: Debezium's envelope with values spelled exactly. docs/events.md describes it. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "arbiter/capture/transaction_assembler.hpp"

namespace phoenix::capture {

struct EnvelopeSource {
  std::string side;      ///< legacy | modern
  std::string database;  ///< name in Postgres
};

/// What Debezium writes for a value that it does not have.
inline constexpr const char* kUnavailableValue = "__debezium_unavailable_value";
/// A longer value is left out: event logs bound their records (Kafka's default is 1 MB).
inline constexpr std::size_t kMaxValueBytes = 64u << 10;

struct EncodedChange {
  std::string value;
  std::uint64_t values_left_out = 0;  ///< because they were too long
};

/// `now_ms`: Unix time of capturing. Money is exact: numeric and floating-point values are strings, as Postgres spells
/// them; integers and booleans are JSON's; the rest is text.
EncodedChange encode_change(const Change& change, const EnvelopeSource& source, std::int64_t now_ms);

/// op "gap": what a reader knows of this side no longer follows from the records (slot created or moved, columns
/// changed). `lsn`: where the stream goes on; 0: not known.
std::string encode_gap(const EnvelopeSource& source, const std::string& reason, Lsn lsn, std::int64_t now_ms);

/// op "m": every change that this side committed before the marker stands ahead of it in this partition. `lsn`,
/// `commit_us`: of the marker.
std::string encode_marker(const EnvelopeSource& source, std::int64_t covers, Lsn lsn, std::int64_t commit_us,
                          std::int64_t now_ms);

}  // namespace phoenix::capture
