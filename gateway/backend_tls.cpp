#include "gateway/backend_tls.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cstring>

#include "core/runtime/log.hpp"

namespace phoenix::gateway {
namespace {

Error bad_file(const std::string& where, const char* key, const std::string& file, const char* what) {
  const unsigned long first = ERR_peek_error();  // a system error is told first, then where it occurred
  const char* reason =
      ERR_SYSTEM_ERROR(first) ? std::strerror(ERR_GET_REASON(first)) : ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return invalid_input(
      fmt::format("{}.{}: {}: {}: {}", where, key, file, what, reason != nullptr ? reason : "unreadable or not PEM"));
}

}  // namespace

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
    return bad_file(where, "ca_file", tls.ca_file, "cannot be read as PEM certificates");
  }
  if (tls.certificate.empty()) return context;
  if (SSL_CTX_use_certificate_chain_file(native, tls.certificate.c_str()) != 1)
    return bad_file(where, "certificate", tls.certificate, "cannot be read as PEM certificates");
  if (SSL_CTX_use_PrivateKey_file(native, tls.private_key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(native) != 1)
    return bad_file(where, "private_key", tls.private_key, "is not the PEM key of that certificate");
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
