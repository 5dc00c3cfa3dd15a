// A person with the token forces a request to one side, to try it by hand. It takes its place in the order of its keys
// like any other and gives way to currency and kills. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "core/model/traffic_policy.hpp"
#include "core/runtime/config_gateway.hpp"
#include "gateway/exchange.hpp"
#include "gateway/message_head.hpp"

namespace phoenix::gateway {

struct SideOverride {
  std::optional<Side> side;
  std::string_view
      refusal;             ///< for people; not empty: the request is refused (403), never served as if it had not asked
  std::string_view token;  ///< as it stands in the head's text; empty: none
};

/// What the request's head asks for. Both headers are removed from it; without an override in the configuration they
/// are headers like any other.
SideOverride take_override(RequestHead& head, const config::GatewayConfig::Override& config);

/// Whether the exchange's override counts where its slice is `slice`: in `canary` and `promoted`, and in `shadow` where
/// no kill is latched and the slice may leave it. Not for connections that switch protocols.
[[nodiscard]] bool override_counts(const Exchange& exchange, const EffectiveSlice& slice);

}  // namespace phoenix::gateway
