// The SQL of a sweep: key ranges, a range's digest, its rows. Pure: configuration in, text out. Needs PostgreSQL 13.
//
// Both sides cast alike: keys to text, balances to numeric without trailing zeros. A digest is count, sum and the sum
// of a 64-bit hash of each row; a sum, because XOR does not see a row that stands twice.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/model/result.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

enum class SweepKeyType { integer, text, uuid };

/// By the name that Postgres gives the type; nothing for types whose order two servers may see differently.
std::optional<SweepKeyType> sweep_key_type(const std::string& postgres_type);

/// Whether a key can be one of this type; a query for others would fail as a whole.
bool fits_key_type(const std::string& key, SweepKeyType type);

/// Keys as a Postgres array literal: {"a","b"}.
std::string array_literal(const std::vector<std::string>& keys);

/// The keys after `low` up to and with `high`; nothing stands for no bound on that side.
struct KeyRange {
  std::optional<std::string> low;
  std::optional<std::string> high;
  friend bool operator==(const KeyRange&, const KeyRange&) = default;
};

class SweepSql {
 public:
  struct Options {
    SweepKeyType type = SweepKeyType::text;
    bool force_c_collation = false;  ///< text keys of databases that may sort differently
    bool currency = false;           ///< compared only where both sides have one
  };
  SweepSql(config::SweepTableConfig table, Options options) : table_(std::move(table)), options_(options) {}

  /// Types of key and balance, and whether text is sorted by bytes; for a table without rows too.
  static std::string probe(const config::SweepTableConfig& table);
  /// The `rows`-th key of the range, or no row. Bounds are $1 (low) and the next one (high), where there are such.
  [[nodiscard]] std::string nth_key(const KeyRange& range, int rows) const;
  /// count, sum, hash sum.
  [[nodiscard]] std::string digest(const KeyRange& range) const;
  /// key, balance, currency.
  [[nodiscard]] std::string rows(const KeyRange& range) const;
  /// The same of the keys in the array $1.
  [[nodiscard]] std::string rows_of_keys() const;
  /// Rows of the table as Postgres estimates them; NULL where it is a SELECT.
  [[nodiscard]] std::string estimate() const;

 private:
  [[nodiscard]] std::string key() const;
  [[nodiscard]] std::string parameter(int number) const;
  [[nodiscard]] std::string where(const KeyRange& range) const;
  [[nodiscard]] std::string select(const std::string& condition) const;

  config::SweepTableConfig table_;
  Options options_;
};

}  // namespace phoenix::arbiter
