// Writes batches of records into the SQLite log, one transaction each. Internal to core/events.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/events/event_log.hpp"
#include "core/events/sqlite_database.hpp"
#include "core/events/sqlite_event_log.hpp"
#include "core/events/sqlite_retention.hpp"

namespace phoenix::events {

/// With its own bytes, or with those of a HeldRecord.
struct QueuedRecord {
  QueuedRecord(const char* to, std::string key, std::string value, std::int64_t at_ms)
      : topic(to), ts_ms(at_ms), own_key(std::move(key)), own_value(std::move(value)) {}
  QueuedRecord(const char* to, HeldRecord record, std::int64_t at_ms)
      : topic(to), ts_ms(at_ms), elsewhere(std::move(record)) {}

  [[nodiscard]] std::string_view key() const { return elsewhere.held ? elsewhere.key : std::string_view(own_key); }
  [[nodiscard]] std::string_view value() const {
    return elsewhere.held ? elsewhere.value : std::string_view(own_value);
  }
  [[nodiscard]] std::size_t weight() const { return key().size() + value().size(); }

  std::string topic;
  std::int64_t ts_ms;
  std::string own_key, own_value;
  HeldRecord elsewhere;
};

using RecordBatch = std::vector<const QueuedRecord*>;

/// A connection of its own with its statements. One thread; everything throws SqliteError.
class BatchWriter {
 public:
  /// `options` must outlive it.
  explicit BatchWriter(const SqliteLogOptions& options);

  /// `makes_room`: also removes what is beyond the limits, in the same transaction.
  void write(const RecordBatch& batch, bool makes_room);
  /// One step; true when more is left to remove. Where batches are written they make room for themselves.
  bool remove_expired();
  /// For a log at rest.
  void release_memory() { database_.release_memory(); }

 private:
  using Rows = std::span<const QueuedRecord* const>;
  struct TopicChange {
    std::int64_t next_offset = 0;
    std::int64_t bytes = 0;
  };
  [[nodiscard]] static Rows rows_of_one_topic(const RecordBatch& batch, std::size_t at);
  static void insert(Rows rows, TopicChange& change, SqliteStatement& statement);
  /// `bytes_to_come`: of this transaction; these rows are added.
  void make_room(Rows rows, std::int64_t& bytes_to_come);
  std::int64_t open_topic(const std::string& topic);

  SqliteDatabase database_;
  Retention retention_;
  SqliteStatement next_offset_, insert_one_, insert_many_, advance_;
  bool wal_extended_ = false;
};

}  // namespace phoenix::events
