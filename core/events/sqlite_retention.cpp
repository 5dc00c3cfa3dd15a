#include "core/events/sqlite_retention.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace phoenix::events {
namespace {

/// Keeps the write lock short: other producers wait meanwhile. And their pages fit SQLite's cache of 2 MB, for they are
/// looked at three times.
constexpr std::int64_t kRecordsPerStep = 1'000;

struct TopicChange {
  std::int64_t bytes = 0;
  std::int64_t low_water = 0;
};

}  // namespace

/// Runs of rows, each from its first to its last: a statement for each row costs as much again as the row.
struct Retention::Removal {
  std::vector<std::pair<std::int64_t, std::int64_t>> runs;
  std::map<std::string, TopicChange, std::less<>> topics;
  std::int64_t records = 0;
  bool more = false;

  /// The row that `statement` stands at: rowid, topic, offset, ts_ms, length of key and of value.
  void add(const SqliteStatement& row, bool continues_run, bool raises_low_water) {
    const std::int64_t rowid = row.integer(0);
    if (continues_run && !runs.empty()) {
      runs.back().second = rowid;
    } else {
      runs.emplace_back(rowid, rowid);
    }
    const std::string_view topic = row.text(1);
    auto change = topics.find(topic);
    if (change == topics.end()) change = topics.emplace(topic, TopicChange()).first;
    change->second.bytes += bytes_of(row);
    if (raises_low_water) change->second.low_water = std::max(change->second.low_water, row.integer(2) + 1);
    ++records;
  }
  static std::int64_t bytes_of(const SqliteStatement& row) {
    return stored_bytes(static_cast<std::size_t>(row.integer(4)), static_cast<std::size_t>(row.integer(5)));
  }
};

Retention::Retention(SqliteDatabase& database, const SqliteLogOptions& options)
    : database_(database),
      options_(options),
      total_bytes_(database.prepare("SELECT coalesce(sum(bytes), 0) FROM topics")),
      oldest_(database.prepare(
          "SELECT rowid, topic, offset, ts_ms, length(key), length(value) FROM records ORDER BY rowid")),
      superseded_(database.prepare(
          "SELECT rowid, topic, offset, ts_ms, length(key), length(value) FROM records AS old "
          "WHERE topic = ?1 AND ts_ms < ?2 AND offset < "
          "(SELECT max(offset) FROM records AS new WHERE new.topic = old.topic AND new.key = old.key) LIMIT ?3")),
      erase_(database.prepare("DELETE FROM records WHERE rowid BETWEEN ?1 AND ?2")),
      account_(
          database.prepare("UPDATE topics SET bytes = bytes - ?2, low_water = max(low_water, ?3) WHERE topic = ?1")) {}

/// Oldest first over all topics: rows are numbered in the order of writing.
Retention::Removal Retention::find_expired(std::int64_t bytes_to_come, std::int64_t most_records, std::int64_t now_ms) {
  Removal removal;
  std::int64_t excess = bytes_to_come - static_cast<std::int64_t>(options_.retain_bytes);
  if (total_bytes_.step()) excess += total_bytes_.integer(0);
  total_bytes_.reset();
  const std::int64_t oldest_kept_ms = now_ms - options_.retain_age.count();
  bool continues_run = false;
  while (oldest_.step()) {
    if (options_.compacted_topics.contains(oldest_.text(1))) {
      continues_run = false;
      continue;
    }
    if (oldest_.integer(3) >= oldest_kept_ms && excess <= 0) break;
    if (removal.records == most_records) {
      removal.more = true;
      break;
    }
    excess -= Removal::bytes_of(oldest_);
    removal.add(oldest_, continues_run, true);
    continues_run = true;
  }
  oldest_.reset();
  return removal;
}

/// Compaction loses nothing, so that no low-water mark rises.
Retention::Removal Retention::find_superseded(std::int64_t now_ms) {
  Removal removal;
  for (const auto& topic : options_.compacted_topics) {
    superseded_.bind_text(1, topic).bind(2, now_ms - options_.compact_after.count()).bind(3, kRecordsPerStep);
    while (superseded_.step()) removal.add(superseded_, false, false);
  }
  return removal;
}

void Retention::remove(const Removal& removal) {
  for (const auto& [first, last] : removal.runs) erase_.bind(1, first).bind(2, last).run();
  for (const auto& [topic, change] : removal.topics) {
    account_.bind_text(1, topic).bind(2, change.bytes).bind(3, change.low_water).run();
  }
}

bool Retention::remove_expired(std::int64_t now_ms) {
  // Looked up before the write lock is taken, because mostly there is nothing to do; repeated under it, because another
  // process may have removed the same records in between.
  if (find_expired(0, kRecordsPerStep, now_ms).records == 0 && find_superseded(now_ms).records == 0) return false;
  SqliteTransaction transaction(database_);
  const auto expired = find_expired(0, kRecordsPerStep, now_ms);
  remove(expired);
  remove(find_superseded(now_ms));
  transaction.commit();
  return expired.more;
}

void Retention::make_room(std::int64_t bytes, std::int64_t most_records, std::int64_t now_ms) {
  remove(find_expired(bytes, most_records, now_ms));
}

}  // namespace phoenix::events
