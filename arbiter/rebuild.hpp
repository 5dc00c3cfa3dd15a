// `phoenix-arbiter rebuild`: recomputes everything from the log and proves that it is what stands in the database.
//
// Verdicts are a function of the log: so all of it is judged once more, from its beginning to where a running (or
// stopped) arbiter had committed when the rebuild began, with a state of its own in a schema of its own. Then both are
// compared row by row. `swap` puts the rebuilt state in the place of the other, which is kept under another name; an
// arbiter that runs meanwhile notices with its next commit and goes on from there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

struct RebuildReport {
  struct Table {
    std::string name;
    std::int64_t rows = 0;             ///< of the rebuilt state
    std::int64_t only_before = 0;      ///< rows that only the state before has
    std::int64_t only_rebuilt = 0;     ///< rows that only the rebuilt state has
    std::vector<std::string> samples;  ///< a few of both, as text
  };
  std::vector<Table> tables;
  std::int64_t records = 0;
  /// Why not everything can be read again; empty: it can. Otherwise a difference proves nothing.
  std::string incomplete;
  std::string schema;  ///< where the rebuilt state stands
  std::string kept;    ///< after a swap: where the state before it stands

  [[nodiscard]] bool identical() const;
};

/// Throws Failure(unavailable) when log or database cannot be used. Stops early, with Failure, when a stop is
/// requested.
RebuildReport rebuild(const config::Config& config, bool swap);

/// The report as lines for people.
std::string describe(const RebuildReport& report);

}  // namespace phoenix::arbiter
