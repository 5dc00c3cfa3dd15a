#include "core/events/sqlite_event_log.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <thread>

#include "core/events/sqlite_consumer.hpp"
#include "core/events/sqlite_database.hpp"
#include "core/events/sqlite_producer.hpp"

namespace phoenix::events {
namespace {

constexpr std::int64_t kSchemaVersion = 1;
constexpr std::chrono::seconds kOpenTimeout{10};

constexpr const char* kSchema = R"(
  CREATE TABLE IF NOT EXISTS records(
    topic TEXT NOT NULL, offset INTEGER NOT NULL, ts_ms INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
    UNIQUE(topic, offset));
  CREATE TABLE IF NOT EXISTS topics(
    topic TEXT PRIMARY KEY, next_offset INTEGER NOT NULL, low_water INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS leases(
    group_name TEXT NOT NULL, topic TEXT NOT NULL, member TEXT NOT NULL, until_ms INTEGER NOT NULL,
    PRIMARY KEY(group_name, topic)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS progress(
    group_name TEXT NOT NULL, topic TEXT NOT NULL, next_offset INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY(group_name, topic)) WITHOUT ROWID;
  PRAGMA user_version = 1;
)";

void create_schema(const std::string& path) {
  SqliteDatabase database(path);
  // Of a new file. Each page of a transaction is two system calls, and two more at a checkpoint: with the default of
  // 4 KiB, which holds two exchanges, an exchange costs twice the processor time.
  database.execute("PRAGMA page_size=16384");
  database.execute("PRAGMA journal_mode=WAL");
  const auto version = database.query_integer("PRAGMA user_version");
  if (version == kSchemaVersion) return;
  if (version > kSchemaVersion) {
    throw Failure(
        ErrorCode::invalid_input,
        fmt::format("event log {}: written by a newer release (schema {}, known: {})", path, version, kSchemaVersion));
  }
  SqliteTransaction transaction(database);
  database.execute(kSchema);
  transaction.commit();
}

/// Several processes may start at once, so a lock is waited for; anything else is final.
void prepare_file(const std::string& path) {
  const auto deadline = std::chrono::steady_clock::now() + kOpenTimeout;
  for (;;) {
    try {
      return create_schema(path);
    } catch (const SqliteError& error) {
      const bool retry = error.busy() && std::chrono::steady_clock::now() < deadline;
      if (!retry) throw Failure(ErrorCode::unavailable, fmt::format("event log {}: {}", path, error.what()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

class SqliteEventLog final : public EventLog {
 public:
  explicit SqliteEventLog(SqliteLogOptions options) : options_(std::move(options)) {}
  std::unique_ptr<Producer> make_producer() override { return make_sqlite_producer(options_); }
  std::unique_ptr<Consumer> make_consumer(ConsumerOptions consumer) override {
    return make_sqlite_consumer(options_, std::move(consumer));
  }

 private:
  const SqliteLogOptions options_;
};

}  // namespace

std::unique_ptr<EventLog> open_sqlite_event_log(SqliteLogOptions options) {
  const auto directory = std::filesystem::path(options.path).parent_path();
  std::error_code error;
  if (!directory.empty()) std::filesystem::create_directories(directory, error);
  if (error) {
    throw Failure(ErrorCode::unavailable,
                  fmt::format("event log {}: cannot create {}: {}", options.path, directory.string(), error.message()));
  }
  prepare_file(options.path);
  return std::make_unique<SqliteEventLog>(std::move(options));
}

}  // namespace phoenix::events
