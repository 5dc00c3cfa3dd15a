// One side's ledger as a sweep reads it: read-only, bounded statements on a connection of its own, with their cost. One
// thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arbiter/sweep_compare.hpp"
#include "arbiter/sweep_sql.hpp"
#include "core/model/traffic_policy.hpp"

namespace phoenix::arbiter {

/// What the table is like, asked once a connection.
struct TableShape {
  SweepKeyType type = SweepKeyType::text;
  bool sorted_by_bytes = false;  ///< text keys
};

/// Every call may throw Failure: unavailable (the server is away or busy: later), invalid_input (the configuration does
/// not fit the table).
class SweepTable {
 public:
  struct Settings {
    std::string url;
    config::SweepTableConfig table;
    std::chrono::milliseconds statement_timeout{5'000};
  };
  SweepTable(Side side, Settings settings);
  ~SweepTable();
  SweepTable(SweepTable&&) noexcept;
  SweepTable& operator=(SweepTable&&) = delete;

  TableShape probe();
  /// How the next calls ask; after probe() of both sides.
  void use(SweepSql::Options options);

  std::optional<std::string> nth_key(const KeyRange& range, int rows);
  RangeDigest digest(const KeyRange& range);
  LedgerRows rows(const KeyRange& range);
  /// Keys that are none of this table's type are absent.
  LedgerRows rows_of_keys(const std::vector<std::string>& keys);
  std::int64_t estimated_rows();  ///< 0: not known

  /// True after a statement that took too long; reading it clears it.
  bool take_timed_out();
  /// Time of all statements so far, microseconds.
  [[nodiscard]] std::int64_t database_us() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::arbiter
