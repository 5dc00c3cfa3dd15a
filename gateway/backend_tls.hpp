// TLS to a backend: TLS 1.2 or newer, the server's certificate and name verified, ours shown where asked for.
#pragma once

#include <memory>
#include <string>

#include "core/model/result.hpp"
#include "core/runtime/config.hpp"
#include "gateway/stream.hpp"

namespace phoenix::gateway {

/// `where` stands before the key in errors, like gateway.legacy.tls. Reads files: at start and at reload only.
Result<std::shared_ptr<TlsContext>> make_client_tls_context(const config::BackendConfig::Tls& tls,
                                                            const std::string& where);

/// Null where no endpoint wants TLS; throws Failure(invalid_input) when a file is not right.
std::shared_ptr<TlsContext> backend_tls_context(const config::BackendConfig& backend, const std::string& where);

/// Before the handshake: SNI, and the name that the certificate must be good for; an IP address is verified as such and
/// not sent as SNI. False when OpenSSL is out of memory.
bool expect_server(SSL* ssl, const std::string& name);

}  // namespace phoenix::gateway
