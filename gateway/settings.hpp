// What a reload replaces as a whole: the section `gateway` of the configuration and what is derived from it. Immutable.
// Every event loop holds the current one; an exchange keeps the one it began with until it ends.
#pragma once

#include <memory>
#include <vector>

#include "core/runtime/config.hpp"
#include "gateway/route_table.hpp"

namespace phoenix::gateway {

struct Settings {
  /// `earlier`: the routes known so far keep their place in the counters.
  Settings(config::GatewayConfig section, const std::vector<config::SliceConfig>& slices,
           const std::vector<RouteLabel>& earlier = {})
      : gateway(std::move(section)), routes(gateway, slices, earlier) {}

  const config::GatewayConfig gateway;
  const RouteTable routes;

  [[nodiscard]] bool has_modern() const { return !gateway.modern.empty(); }
};

using SettingsPtr = std::shared_ptr<const Settings>;

}  // namespace phoenix::gateway
