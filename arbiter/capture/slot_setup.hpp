// Looks at publication and slot before reading, and creates them where the configuration asks for it.
#pragma once

#include <string>
#include <vector>

#include "arbiter/capture/lsn.hpp"
#include "arbiter/capture/pg_connection.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::capture {

struct SlotFacts {
  Lsn confirmed = 0;     ///< where reading begins
  bool created = false;  ///< now: earlier changes are not captured
  std::vector<std::string> warnings;
};

/// Throws Failure with one line that says what to do: wal_level, privilege, publication, tables, slot. With
/// `must_exist` (this slot was read before) it creates no slot: what was committed in between would be lost silently.
/// Creating one waits for running transactions, at most 10 s.
SlotFacts prepare_slot(PgConnection& connection, const config::CaptureSideConfig& side, bool must_exist);

/// One line for a refusal of START_REPLICATION, with what to do.
std::string explain_refusal(const SqlFailure& failure, const std::string& slot);

}  // namespace phoenix::capture
