// Reads what the arbiter found, from schema `arbiter` of its database: verdicts, exchanges, drift. Read only. Where the
// arbiter has not created its tables yet there is nothing, which is not an error.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "core/model/result.hpp"

namespace phoenix::orchestrator {

struct VerdictFilter {
  std::string slice, route, kind, account;
  std::string since;  ///< empty, a duration before now ("15m"), or a time stamp
  std::size_t limit = 100;
};

/// Each call uses a connection of its own: people ask rarely, and a lost server then needs no care. Any thread.
/// Errors: unavailable, invalid_input (a filter that the database cannot read).
class ArbiterReader {
 public:
  explicit ArbiterReader(std::string connection) : connection_(std::move(connection)) {}

  /// JSON arrays of rows, newest first.
  [[nodiscard]] Result<std::string> verdicts(const VerdictFilter& filter) const;
  [[nodiscard]] Result<std::string> drift() const;
  /// Groups of mismatches, the largest first; `slice` empty: of all.
  [[nodiscard]] Result<std::string> groups(const std::string& slice, std::size_t limit) const;
  /// Fields that differ when legacy is asked twice, by route, with the rules that would excuse them.
  [[nodiscard]] Result<std::string> noise(const std::string& slice) const;
  /// The latest sweeps, newest first.
  [[nodiscard]] Result<std::string> sweeps(std::size_t limit) const;
  /// {"sweep": {...}, "accounts": [...]}; not_found.
  [[nodiscard]] Result<std::string> sweep(const std::string& id, std::size_t limit) const;
  /// {"exchange": {...}, "verdicts": [...], "split_keys": [...], "groups": [...]} (split keys: those of its keys, on its
  /// rung; groups: of its route and cause) with bodies as text where they are text; not_found.
  [[nodiscard]] Result<std::string> exchange(const std::string& id) const;

 private:
  std::string connection_;
};

}  // namespace phoenix::orchestrator
