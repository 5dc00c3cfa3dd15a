#include "core/events/sqlite_leases.hpp"

#include <utility>

namespace phoenix::events {

std::int64_t monotonic_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

SqliteLeases::SqliteLeases(SqliteDatabase& database, std::string group, std::string member,
                           std::chrono::milliseconds duration)
    : database_(database),
      group_(std::move(group)),
      member_(std::move(member)),
      duration_ms_(duration.count()),
      find_(database.prepare("SELECT member, until_ms FROM leases WHERE group_name = ?1 AND topic = ?2")),
      put_(database.prepare("INSERT INTO leases(group_name, topic, member, until_ms) VALUES(?1, ?2, ?3, ?4) "
                            "ON CONFLICT(group_name, topic) DO UPDATE SET member = ?3, until_ms = ?4")) {}

bool SqliteLeases::held_by_another(const std::string& topic, std::int64_t now_ms) {
  find_.bind_text(1, group_).bind_text(2, topic);
  bool held = false;
  if (find_.step()) {
    const std::int64_t until_ms = find_.integer(1);
    // A lease that ends later than any lease can was written before the machine was restarted.
    held = find_.bytes(0) != member_ && now_ms < until_ms && until_ms <= now_ms + duration_ms_;
  }
  find_.reset();
  return held;
}

bool SqliteLeases::acquire(const std::string& topic, std::int64_t now_ms) {
  if (held_by_another(topic, now_ms)) return false;  // without the write lock: this is what a standby asks all the time
  SqliteTransaction transaction(database_);
  if (held_by_another(topic, now_ms)) return false;
  put_.bind_text(1, group_).bind_text(2, topic).bind_text(3, member_).bind(4, now_ms + duration_ms_).run();
  transaction.commit();
  return true;
}

void SqliteLeases::release_all() {
  auto release = database_.prepare("DELETE FROM leases WHERE group_name = ?1 AND member = ?2");
  release.bind_text(1, group_).bind_text(2, member_).run();
}

}  // namespace phoenix::events
