#include "gateway/backend_tls.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "core/runtime/log.hpp"
#include "gateway/tls_files.hpp"

namespace phoenix::gateway {
Result<std::shared_ptr<TlsContext>> make_client_tls_context(const config::BackendConfig::Tls& tls,
                                                            const std::string& where) {
  auto context = std::make_shared<TlsContext>(TlsContext::tls_client);
  SSL_CTX* native = context->native_handle();
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_verify(native, tls.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!tls.verify) log::warn("{}.verify is false: whoever answers is believed to be the backend", where);
  if (tls.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(native);
  } else if (SSL_CTX_load_verify_file(native, tls.ca_file.c_str()) != 1) {
    return tls_file_error(where, "ca_file", tls.ca_file, "cannot be read as PEM certificates");
  }
  if (tls.certificate.empty()) return context;
  if (const auto error = use_certificate(native, tls.certificate, tls.private_key, where)) return *error;
  return context;
}

std::shared_ptr<TlsContext> backend_tls_context(const config::BackendConfig& backend, const std::string& where) {
  const auto& all = backend.endpoints;
  if (std::none_of(all.begin(), all.end(), [](const auto& endpoint) { return endpoint.tls; })) return nullptr;
  auto context = make_client_tls_context(backend.tls, where);
  if (!context) throw Failure(context.error());
  return *context;
}

bool expect_server(SSL* ssl, const std::string& name) {
  boost::system::error_code not_an_address;
  asio::ip::make_address(name, not_an_address);
  if (!not_an_address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) == 1;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set_tlsext_host_name(ssl, name.c_str()) == 1 && SSL_set1_host(ssl, name.c_str()) == 1;
}

}  // namespace phoenix::gateway
