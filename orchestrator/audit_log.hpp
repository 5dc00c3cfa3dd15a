// The audit record (invariant 10): every change of traffic, append-only and hash-chained. Here is what is pure: an
// entry, its canonical text, its hash and the check of a chain. state_store writes the rows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace phoenix::orchestrator {

/// What happened. `evidence` is JSON text, kept byte for byte as it was hashed; "null" when there is none.
struct AuditEntry {
  std::string who;
  std::string action;  ///< start, raise, trip, freeze, weight, pause, resume, approve, promote, retire, kill, reset, …
  std::string slice;   ///< empty: not about one slice
  std::string from;    ///< "canary 5 %"
  std::string to;
  std::string reason;
  std::string evidence = "null";
  std::int64_t at_unix_ms = 0;
};

struct AuditRow {
  std::int64_t seq = 0;  ///< contiguous from 1 per migration
  AuditEntry entry;
  std::string config_hash;
  std::string prev_hash;  ///< hash of seq - 1; kGenesisHash for the first
  std::string hash;
};

/// What the chain starts from.
extern const std::string kGenesisHash;

/// The hash that a row must carry: over all its fields and prev_hash, each length-prefixed so that no two rows share a
/// text.
std::string audit_hash(const AuditRow& row);

/// The next row after (`last_seq`, `last_hash`).
AuditRow chain_entry(AuditEntry entry, const std::string& config_hash, std::int64_t last_seq,
                     const std::string& last_hash);

/// Where the chain stood at the last write; kept beside the state, so that rows missing at the end are found too.
struct AuditHead {
  std::int64_t seq = 0;
  std::string hash = kGenesisHash;
};

struct AuditCheck {
  bool intact = false;
  std::int64_t rows = 0;
  std::int64_t first_bad_seq = 0;  ///< 0 when intact
  std::string detail;
};

/// Checks `rows` (all rows of a migration, by seq) against each other and the head.
AuditCheck verify_chain(const std::vector<AuditRow>& rows, const AuditHead& head);

}  // namespace phoenix::orchestrator
