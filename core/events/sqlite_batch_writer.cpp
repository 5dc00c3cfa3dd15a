#include "core/events/sqlite_batch_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "core/runtime/clock.hpp"

namespace phoenix::events {
namespace {

constexpr std::size_t kRowsAtOnce = 16;  // one statement for several rows takes a third fewer instructions

// What is removed and written together stays in SQLite's cache of 2 MB.
constexpr std::size_t kRoomAtOnce = 64;
constexpr std::int64_t kHalfPageBytes = 8 << 10;
// What a checkpoint waits for, 4 MiB, and a batch.
constexpr std::int64_t kWriteAheadLogBytes = 8 << 20;

/// Of `rows` records of one topic: ?1 is the topic, four parameters follow for each.
std::string insert_sql(std::size_t rows) {
  std::string sql = "INSERT OR FAIL INTO records(topic, offset, ts_ms, key, value) VALUES";
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t first = 2 + 4 * i;
    fmt::format_to(std::back_inserter(sql), "{}(?1, ?{}, ?{}, ?{}, ?{})", i == 0 ? "" : ", ", first, first + 1,
                   first + 2, first + 3);
  }
  return sql;
}

}  // namespace

BatchWriter::BatchWriter(const SqliteLogOptions& options)
    : database_(options.path),
      retention_(database_, options),
      next_offset_(database_.prepare("SELECT next_offset FROM topics WHERE topic = ?1")),
      insert_one_(database_.prepare(insert_sql(1).c_str())),
      insert_many_(database_.prepare(insert_sql(kRowsAtOnce).c_str())),
      advance_(database_.prepare("INSERT INTO topics(topic, next_offset, low_water, bytes) VALUES(?1, ?2, 0, ?3) "
                                 "ON CONFLICT(topic) DO UPDATE SET next_offset = ?2, bytes = bytes + ?3")) {}

void BatchWriter::write(const RecordBatch& batch, bool makes_room) {
  SqliteTransaction transaction(database_);
  if (!wal_extended_ && batch.size() >= kRowsAtOnce) {  // who writes little needs no large file
    wal_extended_ = true;
    database_.extend_write_ahead_log(kWriteAheadLogBytes);
  }
  std::map<std::string_view, TopicChange> changes;
  std::int64_t bytes_to_come = 0;
  std::size_t has_room = makes_room ? 0 : batch.size();
  for (std::size_t at = 0; at < batch.size();) {
    if (has_room < std::min(at + kRowsAtOnce, batch.size())) {
      const Rows next = Rows(batch).subspan(has_room, std::min(kRoomAtOnce, batch.size() - has_room));
      make_room(next, bytes_to_come);
      has_room += next.size();
    }
    const std::string& topic = batch[at]->topic;
    auto [entry, is_new] = changes.try_emplace(topic);
    if (is_new) entry->second.next_offset = open_topic(topic);
    const Rows rows = rows_of_one_topic(batch, at);
    insert(rows, entry->second, rows.size() == kRowsAtOnce ? insert_many_ : insert_one_);
    at += rows.size();
  }
  for (const auto& [topic, change] : changes) {
    advance_.bind_text(1, topic).bind(2, change.next_offset).bind(3, change.bytes).run();
  }
  transaction.commit();
}

void BatchWriter::make_room(Rows rows, std::int64_t& bytes_to_come) {
  std::int64_t bytes = 0;
  for (const QueuedRecord* row : rows) bytes += stored_bytes(row->key().size(), row->value().size());
  bytes_to_come += bytes;
  // Pages that such a record has for itself are freed unread, but read when the same transaction takes them again: the
  // removal between batches is cheaper.
  if (bytes > static_cast<std::int64_t>(rows.size()) * kHalfPageBytes) return;
  // Twice as many as come: what is behind gets nearer to its limit without a long transaction.
  retention_.make_room(bytes_to_come, 2 * static_cast<std::int64_t>(rows.size()), SystemClock().unix_ms());
}

bool BatchWriter::remove_expired() {
  return retention_.remove_expired(SystemClock().unix_ms());
}

/// As many as one statement takes, else one.
BatchWriter::Rows BatchWriter::rows_of_one_topic(const RecordBatch& batch, std::size_t at) {
  const Rows rows = Rows(batch).subspan(at, std::min(kRowsAtOnce, batch.size() - at));
  const bool same = std::all_of(rows.begin(), rows.end(),
                                [&](const QueuedRecord* record) { return record->topic == rows.front()->topic; });
  return same && rows.size() == kRowsAtOnce ? rows : rows.first(1);
}

void BatchWriter::insert(Rows rows, TopicChange& change, SqliteStatement& statement) {
  statement.bind_text(1, rows.front()->topic);
  int parameter = 2;
  for (const QueuedRecord* record : rows) {
    statement.bind(parameter, change.next_offset).bind(parameter + 1, record->ts_ms);
    statement.bind_blob(parameter + 2, record->key()).bind_blob(parameter + 3, record->value());
    parameter += 4;
    ++change.next_offset;
    change.bytes += stored_bytes(record->key().size(), record->value().size());
  }
  statement.run();
}

/// Its next offset. A new topic gets its row now: make_room() counts there what it removes.
std::int64_t BatchWriter::open_topic(const std::string& topic) {
  next_offset_.bind_text(1, topic);
  const bool known = next_offset_.step();
  const std::int64_t offset = known ? next_offset_.integer(0) : 0;
  next_offset_.reset();
  if (!known) advance_.bind_text(1, topic).bind(2, std::int64_t{0}).bind(3, std::int64_t{0}).run();
  return offset;
}

}  // namespace phoenix::events
