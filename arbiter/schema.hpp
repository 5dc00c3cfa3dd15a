// The arbiter's tables. The first group is a read interface for the orchestrator and the CLI; the second is the
// arbiter's own.
#pragma once

namespace phoenix::arbiter {

/// Idempotent; to be run under an advisory lock.
extern const char* const kSchemaSql;

}  // namespace phoenix::arbiter
