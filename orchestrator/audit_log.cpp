#include "orchestrator/audit_log.hpp"

#include <fmt/format.h>

#include "core/runtime/sha256.hpp"

namespace phoenix::orchestrator {

const std::string kGenesisHash(64, '0');

std::string audit_hash(const AuditRow& row) {
  std::string text = "phoenix-audit-1\n";
  const auto add = [&text](const std::string& field) { text += fmt::format("{}:{}\n", field.size(), field); };
  add(std::to_string(row.seq));
  add(std::to_string(row.entry.at_unix_ms));
  for (const auto* field : {&row.entry.who, &row.entry.action, &row.entry.slice, &row.entry.from, &row.entry.to,
                            &row.entry.reason, &row.entry.evidence, &row.config_hash, &row.prev_hash}) {
    add(*field);
  }
  return sha256_hex(text);
}

AuditRow chain_entry(AuditEntry entry, const std::string& config_hash, std::int64_t last_seq,
                     const std::string& last_hash) {
  AuditRow row{last_seq + 1, std::move(entry), config_hash, last_hash, {}};
  row.hash = audit_hash(row);
  return row;
}

AuditCheck verify_chain(const std::vector<AuditRow>& rows, const AuditHead& head) {
  const auto bad = [&rows](std::int64_t seq, std::string detail) {
    return AuditCheck{false, static_cast<std::int64_t>(rows.size()), seq, std::move(detail)};
  };
  std::int64_t seq = 0;
  std::string previous = kGenesisHash;
  for (const AuditRow& row : rows) {
    if (row.seq != seq + 1) return bad(seq + 1, fmt::format("record {} is missing", seq + 1));
    if (row.prev_hash != previous)
      return bad(row.seq, fmt::format("record {} does not follow record {}", row.seq, seq));
    if (row.hash != audit_hash(row)) return bad(row.seq, fmt::format("record {} was altered", row.seq));
    seq = row.seq;
    previous = row.hash;
  }
  if (seq < head.seq) return bad(seq + 1, fmt::format("records {} to {} are missing", seq + 1, head.seq));
  if (seq != head.seq || previous != head.hash)
    return bad(seq, fmt::format("record {} is not what the state names as last", seq));
  return {true, static_cast<std::int64_t>(rows.size()), 0, "intact"};
}

}  // namespace phoenix::orchestrator
