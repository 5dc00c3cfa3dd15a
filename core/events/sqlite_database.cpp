#include "core/events/sqlite_database.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>
#include <vector>

namespace phoenix::events {
namespace {

[[noreturn]] void fail(sqlite3* database, int code) {
  throw SqliteError(code, database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code));
}

}  // namespace

SqliteDatabase::SqliteDatabase(const std::string& path, std::chrono::milliseconds busy_timeout) {
  // Else twenty pages at once for each connection, 330 kB in a log of this release, kept until it is closed.
  [[maybe_unused]] static const int before_first_use = sqlite3_config(SQLITE_CONFIG_PAGECACHE, nullptr, 0, 0);
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  database_.reset(raw);
  if (code != SQLITE_OK) fail(raw, code);
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, static_cast<int>(busy_timeout.count()));
  // FULL: an acknowledged record survives power loss, so that no offset is ever given twice.
  execute("PRAGMA synchronous=FULL");
  // Debian's SQLite writes zeros over what is deleted, which doubles what retention costs. FAST: only within pages that
  // are written anyway; a page that is free keeps its bytes until it is used again, soon in a log.
  execute("PRAGMA secure_delete=FAST");
  execute("PRAGMA wal_autocheckpoint=256");  // pages, of 16 KiB in a log of this release: the write-ahead log has 4 MiB
}

void SqliteDatabase::execute(const char* sql) {
  const int code = sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(handle(), code);
}

void SqliteDatabase::release_memory() {
  sqlite3_db_release_memory(handle());
}

void SqliteDatabase::extend_write_ahead_log(std::int64_t bytes) {
  constexpr std::int64_t kPiece = 64 << 10;  // SQLite writes less than 128 KiB at once
  constexpr std::int64_t kSpare = 16;        // a disk that is nearly full has better uses
  std::error_code error;
  const auto disk = std::filesystem::space(sqlite3_db_filename(handle(), "main"), error);
  if (error || disk.available / kSpare < static_cast<std::uintmax_t>(bytes)) return;
  sqlite3_file* file = nullptr;
  sqlite3_int64 at = 0;
  if (sqlite3_file_control(handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK) return;
  if (file == nullptr || file->pMethods == nullptr || file->pMethods->xFileSize(file, &at) != SQLITE_OK) return;
  const std::vector<char> zeros(kPiece);
  while (at < bytes) {
    const std::int64_t size = kPiece - at % kPiece;
    if (file->pMethods->xWrite(file, zeros.data(), static_cast<int>(size), at) != SQLITE_OK) return;
    at += size;
  }
}

std::int64_t SqliteDatabase::query_integer(const char* sql) {
  auto statement = prepare(sql);
  const std::int64_t value = statement.step() ? statement.integer(0) : 0;
  statement.reset();
  return value;
}

SqliteStatement SqliteDatabase::prepare(const char* sql) {
  return {handle(), sql};
}

SqliteStatement::SqliteStatement(sqlite3* database, const char* sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  statement_.reset(raw);
  if (code != SQLITE_OK) fail(database, code);
}

SqliteStatement& SqliteStatement::bind(int index, std::int64_t value) {
  if (const int code = sqlite3_bind_int64(statement_.get(), index, value))
    fail(sqlite3_db_handle(statement_.get()), code);
  return *this;
}

SqliteStatement& SqliteStatement::bind_text(int index, std::string_view value) {
  if (const int code =
          sqlite3_bind_text64(statement_.get(), index, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8)) {
    fail(sqlite3_db_handle(statement_.get()), code);
  }
  return *this;
}

SqliteStatement& SqliteStatement::bind_blob(int index, std::string_view value) {
  // A null pointer would bind NULL instead of an empty blob.
  const char* data = value.empty() ? "" : value.data();
  if (const int code = sqlite3_bind_blob64(statement_.get(), index, data, value.size(), SQLITE_STATIC)) {
    fail(sqlite3_db_handle(statement_.get()), code);
  }
  return *this;
}

bool SqliteStatement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  sqlite3* database = sqlite3_db_handle(statement_.get());
  const std::string message = code == SQLITE_DONE ? std::string() : sqlite3_errmsg(database);
  sqlite3_reset(statement_.get());
  if (code != SQLITE_DONE) throw SqliteError(code, message);
  return false;
}

void SqliteStatement::run() {
  while (step()) {
  }
}

void SqliteStatement::reset() {
  sqlite3_reset(statement_.get());
}

std::string_view SqliteStatement::text(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return data == nullptr ? std::string_view() : std::string_view(data, size);
}

std::string SqliteStatement::bytes(int column) const {
  return std::string(text(column));
}

SqliteTransaction::SqliteTransaction(SqliteDatabase& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

SqliteTransaction::~SqliteTransaction() {
  // Some errors (full disk, I/O) have rolled back already; then ROLLBACK fails and there is nothing left to undo.
  if (open_) sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void SqliteTransaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace phoenix::events
