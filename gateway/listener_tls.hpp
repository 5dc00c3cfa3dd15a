// TLS towards clients: TLS 1.2 or newer, HTTP/1.1 by ALPN, client certificates where configured.
#pragma once

#include <cstdint>
#include <memory>

#include "core/runtime/config.hpp"
#include "gateway/stream.hpp"

namespace phoenix::gateway {

struct ListenerTls {
  std::shared_ptr<TlsContext> context;  // null: plain HTTP
  std::int64_t expires_at_s = 0;        // Unix time at which the certificate ends
};

/// Throws Failure(invalid_input) that names key and file when one is not right. Warns when the certificate ends within
/// 14 days.
ListenerTls make_listener_tls(const config::GatewayConfig::Tls& tls);

}  // namespace phoenix::gateway
