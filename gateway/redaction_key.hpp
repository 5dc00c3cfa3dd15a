// The key of the hashes that stand for secrets, where the configuration names none.
#pragma once

#include <string>

#include "core/runtime/config_gateway.hpp"

namespace phoenix::gateway {

/// The section with `redact.key` as it is to be used: its own, or the one in `state_dir`, which is made at random at
/// the first start and kept (readable by its owner alone). Throws Failure when that file is damaged or cannot be
/// written.
config::GatewayConfig with_redaction_key(config::GatewayConfig section);

}  // namespace phoenix::gateway
