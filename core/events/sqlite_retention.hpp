// What leaves the SQLite log: the oldest records beyond an age or a total size, and superseded records of compacted
// topics. Removal raises the topic's low-water mark, so that a reader who was passed is told. Internal to core/events.
#pragma once

#include <cstdint>

#include "core/events/sqlite_database.hpp"
#include "core/events/sqlite_event_log.hpp"

namespace phoenix::events {

/// What a record counts in topics.bytes and against retain_bytes.
inline std::int64_t stored_bytes(std::size_t key_bytes, std::size_t value_bytes) {
  return static_cast<std::int64_t>(key_bytes + value_bytes + 64);
}

/// One bounded step in one transaction; true when more is left to remove. Throws SqliteError.
bool remove_expired(SqliteDatabase& database, const SqliteLogOptions& options, std::int64_t now_ms);

}  // namespace phoenix::events
