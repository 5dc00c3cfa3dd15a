// SQLite as the event log needs it: one connection used by one thread at a time, prepared statements, and errors that
// tell "busy, try again" from the rest. Internal to core/events.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace phoenix::events {

/// Any failure of SQLite; `busy()` when another connection held a lock for longer than the busy timeout.
class SqliteError : public std::runtime_error {
 public:
  SqliteError(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] bool busy() const { return (code_ & 0xff) == SQLITE_BUSY || (code_ & 0xff) == SQLITE_LOCKED; }

 private:
  int code_;
};

class SqliteStatement;

class SqliteDatabase {
 public:
  /// Opens or creates the file. Lock waits are short so that the owner notices a stop; the owner retries.
  explicit SqliteDatabase(const std::string& path,
                          std::chrono::milliseconds busy_timeout = std::chrono::milliseconds(50));
  void execute(const char* sql);
  /// Gives the cached pages back, up to 2 MB; they are read again when they are needed.
  void release_memory();
  /// Fills the write-ahead log up to `bytes` with zeros, once and in large pieces: Linux keeps it in pieces of the size
  /// in which it was first written, and each costs when it is written again and synced; SQLite's own would be 4 KiB. No
  /// frame has a checksum of zeros, so that they end the log for every reader. Only within a write transaction of this
  /// connection: then nobody else writes there. What fails is left to the writes that need the room.
  void extend_write_ahead_log(std::int64_t bytes);
  [[nodiscard]] std::int64_t query_integer(const char* sql);
  [[nodiscard]] SqliteStatement prepare(const char* sql);
  [[nodiscard]] sqlite3* handle() const { return database_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  std::unique_ptr<sqlite3, Close> database_;
};

/// A prepared statement. Parameters count from 1, columns from 0. Text and blobs are not copied: they must outlive
/// step().
class SqliteStatement {
 public:
  SqliteStatement(sqlite3* database, const char* sql);
  SqliteStatement& bind(int index, std::int64_t value);
  SqliteStatement& bind_text(int index, std::string_view value);
  SqliteStatement& bind_blob(int index, std::string_view value);
  /// True while there is a row. Resets itself at the end and on an error, so that no read stays open.
  bool step();
  /// For statements without rows.
  void run();
  /// Ends a read whose rows are not all wanted: an open read would keep the write-ahead log from shrinking.
  void reset();
  [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  /// Valid until the next step or reset.
  [[nodiscard]] std::string_view text(int column) const;
  /// Copied out; valid after the next step.
  [[nodiscard]] std::string bytes(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// BEGIN IMMEDIATE … COMMIT; rolls back when destroyed before commit().
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SqliteDatabase& database);
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;
  void commit();

 private:
  SqliteDatabase& database_;
  bool open_ = true;
};

}  // namespace phoenix::events
