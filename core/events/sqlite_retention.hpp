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

/// Both arguments must outlive it. One thread; everything throws SqliteError.
class Retention {
 public:
  Retention(SqliteDatabase& database, const SqliteLogOptions& options);

  /// One bounded step in one transaction; true when more is left to remove.
  bool remove_expired(std::int64_t now_ms);
  /// Within a write transaction that will add `bytes` (stored_bytes): removes what is too old or too much then, at most
  /// `most_records`. SQLite writes each page of a removed row, be it free or not; what is added in the same transaction
  /// takes these pages, so that they are written once.
  void make_room(std::int64_t bytes, std::int64_t most_records, std::int64_t now_ms);

 private:
  struct Removal;
  [[nodiscard]] Removal find_expired(std::int64_t bytes_to_come, std::int64_t most_records, std::int64_t now_ms);
  [[nodiscard]] Removal find_superseded(std::int64_t now_ms);
  void remove(const Removal& removal);

  SqliteDatabase& database_;
  const SqliteLogOptions& options_;
  SqliteStatement total_bytes_, oldest_, superseded_, erase_, account_;
};

}  // namespace phoenix::events
