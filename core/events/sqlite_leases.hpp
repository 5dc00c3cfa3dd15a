// Who reads a topic for a group: a row that its holder renews and that others may take once it has expired. Time is the
// monotonic clock, which all processes of a machine share, so that a step of the wall clock moves no lease.
// Internal to core/events. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "core/events/sqlite_database.hpp"

namespace phoenix::events {

class SqliteLeases {
 public:
  /// `member` must be unique among all readers.
  SqliteLeases(SqliteDatabase& database, std::string group, std::string member, std::chrono::milliseconds duration);

  /// Takes or renews; false when another member holds the lease. Throws SqliteError.
  bool acquire(const std::string& topic, std::int64_t now_ms);
  /// Gives up everything this member holds. Throws SqliteError.
  void release_all();

 private:
  bool held_by_another(const std::string& topic, std::int64_t now_ms);

  SqliteDatabase& database_;
  const std::string group_;
  const std::string member_;
  const std::int64_t duration_ms_;
  SqliteStatement find_;
  SqliteStatement put_;
};

/// Milliseconds of the machine's monotonic clock.
std::int64_t monotonic_ms();

}  // namespace phoenix::events
