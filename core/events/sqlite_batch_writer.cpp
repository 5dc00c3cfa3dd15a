#include "core/events/sqlite_batch_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "core/events/sqlite_retention.hpp"
#include "core/runtime/clock.hpp"

namespace phoenix::events {
namespace {

constexpr std::size_t kRowsAtOnce = 16;  // one statement for several rows takes a third fewer instructions

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
    : options_(options),
      database_(options.path),
      next_offset_(database_.prepare("SELECT next_offset FROM topics WHERE topic = ?1")),
      insert_one_(database_.prepare(insert_sql(1).c_str())),
      insert_many_(database_.prepare(insert_sql(kRowsAtOnce).c_str())),
      advance_(database_.prepare("INSERT INTO topics(topic, next_offset, low_water, bytes) VALUES(?1, ?2, 0, ?3) "
                                 "ON CONFLICT(topic) DO UPDATE SET next_offset = ?2, bytes = bytes + ?3")) {}

void BatchWriter::write(const RecordBatch& batch) {
  SqliteTransaction transaction(database_);
  std::map<std::string_view, TopicChange> changes;
  for (std::size_t at = 0; at < batch.size();) {
    const std::string& topic = batch[at]->topic;
    auto [entry, is_new] = changes.try_emplace(topic);
    if (is_new) entry->second.next_offset = next_offset(topic);
    const Rows rows = rows_of_one_topic(batch, at);
    insert(rows, entry->second, rows.size() == kRowsAtOnce ? insert_many_ : insert_one_);
    at += rows.size();
  }
  for (const auto& [topic, change] : changes) {
    advance_.bind_text(1, topic).bind(2, change.next_offset).bind(3, change.bytes).run();
  }
  transaction.commit();
}

bool BatchWriter::remove_expired() {
  return events::remove_expired(database_, options_, SystemClock().unix_ms());
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

std::int64_t BatchWriter::next_offset(const std::string& topic) {
  next_offset_.bind_text(1, topic);
  const std::int64_t offset = next_offset_.step() ? next_offset_.integer(0) : 0;
  next_offset_.reset();
  return offset;
}

}  // namespace phoenix::events
