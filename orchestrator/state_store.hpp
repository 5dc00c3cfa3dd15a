// State, audit and leadership in Postgres. One session does it all: it holds the advisory lock that makes this process
// the leader, and every write goes through it, so a write that succeeded was a leader's. When the session is gone, so
// is the leadership; it never reconnects by itself (a new session would not hold the lock).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/audit_log.hpp"
#include "orchestrator/control_state.hpp"

namespace phoenix::orchestrator {

struct StoredState {
  ControlState state;
  AuditHead head;
};

/// Not thread-safe. Every call may throw Failure: unavailable (the session is lost; destroy the store), conflict
/// (somebody else wrote: not the leader any more), internal.
class StateStore {
 public:
  /// Connects and creates the schema when missing.
  StateStore(const std::string& connection, std::string migration);
  ~StateStore();
  StateStore(const StateStore&) = delete;
  StateStore& operator=(const StateStore&) = delete;

  /// Takes the leader's lock if nobody holds it. Once true it stays true for the life of this session.
  bool try_lead();
  /// Asks the server whether this session, and with it the lock, is alive; throws when not.
  void check_session();

  /// Empty before the first start.
  std::optional<StoredState> load();

  /// Writes `next` and appends `entries` in one transaction, if what is stored still is `previous` (compare-and-set on
  /// epoch and renewal; `previous` null: nothing is stored yet). Returns the new head of the audit.
  AuditHead save(const ControlState* previous, const ControlState& next, const AuditHead& head,
                 const std::vector<AuditEntry>& entries, const std::string& config_hash);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct AuditHistory {
  std::vector<AuditRow> rows;  ///< by seq
  AuditHead head;
};

/// Reads the audit with a connection of its own. `limit` 0: all rows; otherwise the latest. Throws
/// Failure(unavailable).
AuditHistory read_history(const std::string& connection, const std::string& migration, std::size_t limit);

}  // namespace phoenix::orchestrator
