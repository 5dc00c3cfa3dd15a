// What a reload replaces as a whole: the section `gateway` of the configuration and what is derived from it. Immutable.
// Every event loop holds the current one; an exchange keeps the one it began with until it ends.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "core/runtime/config.hpp"
#include "gateway/address_blocks.hpp"
#include "gateway/backend_tls.hpp"
#include "gateway/listener_tls.hpp"
#include "gateway/redactor.hpp"
#include "gateway/route_table.hpp"

namespace phoenix::gateway {

struct Settings {
  /// `earlier`: the routes known so far keep their place in the counters. Throws Failure(invalid_input) when a file
  /// that the section names is not right.
  Settings(config::GatewayConfig section, const std::vector<config::SliceConfig>& slices,
           const std::vector<RouteLabel>& earlier = {})
      : gateway(std::move(section)),
        routes(gateway, slices, earlier),
        trusted_proxies(gateway.trusted_proxies),
        listener_tls(make_listener_tls(gateway.tls)),
        redactor(gateway.redact),
        backend_tls{backend_tls_context(gateway.legacy, "gateway.legacy.tls"),
                    backend_tls_context(gateway.modern, "gateway.modern.tls")} {}

  const config::GatewayConfig gateway;
  const RouteTable routes;
  const AddressBlocks trusted_proxies;
  const ListenerTls listener_tls;
  const Redactor redactor;
  const std::array<std::shared_ptr<TlsContext>, 2> backend_tls;  // by side; null where no endpoint wants it

  [[nodiscard]] bool has_modern() const { return !gateway.modern.empty(); }
};

using SettingsPtr = std::shared_ptr<const Settings>;

}  // namespace phoenix::gateway
