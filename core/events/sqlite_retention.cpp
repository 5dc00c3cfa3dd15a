#include "core/events/sqlite_retention.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace phoenix::events {
namespace {

/// Keeps the write lock short: other producers wait meanwhile. And their pages fit SQLite's cache of 2 MB, for they are
/// looked at three times.
constexpr std::int64_t kRecordsPerStep = 1'000;

struct StoredRecord {
  std::int64_t rowid = 0;
  std::string topic;
  std::int64_t offset = 0;
  std::int64_t ts_ms = 0;
  std::int64_t bytes = 0;
};

struct Removal {
  std::vector<StoredRecord> records;
  bool raises_low_water = true;  ///< compaction loses nothing, retention does
  bool more = false;
};

StoredRecord read_record(const SqliteStatement& row) {
  return {row.integer(0), row.bytes(1), row.integer(2), row.integer(3),
          stored_bytes(static_cast<std::size_t>(row.integer(4)), static_cast<std::size_t>(row.integer(5)))};
}

/// Oldest first over all topics: rows are numbered in the order of writing.
Removal find_expired(SqliteDatabase& database, const SqliteLogOptions& options, std::int64_t now_ms) {
  Removal removal;
  auto excess = database.query_integer("SELECT coalesce(sum(bytes), 0) FROM topics") -
                static_cast<std::int64_t>(options.retain_bytes);
  const std::int64_t oldest_kept_ms = now_ms - options.retain_age.count();
  auto oldest =
      database.prepare("SELECT rowid, topic, offset, ts_ms, length(key), length(value) FROM records ORDER BY rowid");
  while (oldest.step()) {
    auto record = read_record(oldest);
    if (options.compacted_topics.contains(record.topic)) continue;
    if (record.ts_ms >= oldest_kept_ms && excess <= 0) break;
    if (static_cast<std::int64_t>(removal.records.size()) == kRecordsPerStep) {
      removal.more = true;
      break;
    }
    excess -= record.bytes;
    removal.records.push_back(std::move(record));
  }
  oldest.reset();
  return removal;
}

Removal find_superseded(SqliteDatabase& database, const SqliteLogOptions& options, std::int64_t now_ms) {
  Removal removal;
  removal.raises_low_water = false;
  auto superseded = database.prepare(
      "SELECT rowid, topic, offset, ts_ms, length(key), length(value) FROM records AS old WHERE topic = ?1 AND ts_ms < "
      "?2 "
      "AND offset < (SELECT max(offset) FROM records AS new WHERE new.topic = old.topic AND new.key = old.key) LIMIT "
      "?3");
  for (const auto& topic : options.compacted_topics) {
    superseded.bind_text(1, topic).bind(2, now_ms - options.compact_after.count()).bind(3, kRecordsPerStep);
    while (superseded.step()) removal.records.push_back(read_record(superseded));
  }
  return removal;
}

void remove(SqliteDatabase& database, const Removal& removal) {
  struct Change {
    std::int64_t bytes = 0;
    std::int64_t low_water = 0;
  };
  std::map<std::string, Change> changes;
  auto erase = database.prepare("DELETE FROM records WHERE rowid = ?1");
  for (const auto& record : removal.records) {
    erase.bind(1, record.rowid).run();
    Change& change = changes[record.topic];
    change.bytes += record.bytes;
    if (removal.raises_low_water) change.low_water = std::max(change.low_water, record.offset + 1);
  }
  auto update =
      database.prepare("UPDATE topics SET bytes = bytes - ?2, low_water = max(low_water, ?3) WHERE topic = ?1");
  for (const auto& [topic, change] : changes) {
    update.bind_text(1, topic).bind(2, change.bytes).bind(3, change.low_water).run();
  }
}

}  // namespace

bool remove_expired(SqliteDatabase& database, const SqliteLogOptions& options, std::int64_t now_ms) {
  // Looked up before the write lock is taken, because mostly there is nothing to do; repeated under it, because another
  // process may have removed the same records in between.
  if (find_expired(database, options, now_ms).records.empty() &&
      find_superseded(database, options, now_ms).records.empty()) {
    return false;
  }
  SqliteTransaction transaction(database);
  const auto expired = find_expired(database, options, now_ms);
  remove(database, expired);
  remove(database, find_superseded(database, options, now_ms));
  transaction.commit();
  return expired.more;
}

}  // namespace phoenix::events
