// What a reload of the configuration may change. Pure.
#pragma once

#include <optional>

#include "core/model/result.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::gateway {

/// Nullopt when `next` differs from `running` only in what a running gateway can take over. The error names the first
/// key that needs a restart. Sections of other programs do not count. `has_modern`: of the configuration in force,
/// which may be younger than `running`.
std::optional<Error> needs_restart(const config::Config& running, bool has_modern, const config::Config& next);

}  // namespace phoenix::gateway
