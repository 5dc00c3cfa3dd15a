#include "gateway/listener_tls.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <ctime>
#include <string_view>

#include "core/runtime/log.hpp"
#include "gateway/tls_files.hpp"

namespace phoenix::gateway {
namespace {

constexpr int kWarnDays = 14;
constexpr const char* kWhere = "gateway.tls";

// HTTP/1.1 is what is spoken here. A client that offers only other protocols goes on without ALPN and may find out.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned int size, void*) {
  constexpr std::string_view kHttp11 = "http/1.1";
  for (unsigned int at = 0; at + offered[at] < size; at += offered[at] + 1u) {
    const std::string_view name(reinterpret_cast<const char*>(offered) + at + 1, offered[at]);
    if (name != kHttp11) continue;
    *out = offered + at + 1;
    *out_size = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

std::int64_t expiry_of(SSL_CTX* context) {
  const X509* certificate = SSL_CTX_get0_certificate(context);
  int days = 0;
  int seconds = 0;
  ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate));
  return static_cast<std::int64_t>(std::time(nullptr)) + days * 86'400LL + seconds;
}

void warn_when_it_ends_soon(const std::string& file, std::int64_t expires_at_s) {
  const std::int64_t left_s = expires_at_s - static_cast<std::int64_t>(std::time(nullptr));
  if (left_s <= 0) log::error("{}.certificate: {} has expired; clients will refuse it", kWhere, file);
  if (left_s > 0 && left_s < kWarnDays * 86'400LL)
    log::warn("{}.certificate: {} ends in {} hours; replace it and reload", kWhere, file, left_s / 3600);
}

void require_client_certificate(SSL_CTX* context, const std::string& file) {
  if (SSL_CTX_load_verify_file(context, file.c_str()) != 1)
    throw Failure(tls_file_error(kWhere, "client_ca", file, "cannot be read as PEM certificates"));
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(file.c_str()));
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

}  // namespace

ListenerTls make_listener_tls(const config::GatewayConfig::Tls& tls) {
  if (!tls.enabled()) return {};
  ListenerTls out{std::make_shared<TlsContext>(TlsContext::tls_server), 0};
  SSL_CTX* native = out.context->native_handle();
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(native, tls.min_version == "1.3" ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // TLS 1.2 with forward secrecy and authenticated encryption only (RFC 9325, 4.2); those of 1.3 are all so.
  SSL_CTX_set_cipher_list(native, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_alpn_select_cb(native, &choose_protocol, nullptr);
  // Sessions must not outlive a change of client_ca, so each context has an id of its own.
  static unsigned generation = 0;
  ++generation;
  SSL_CTX_set_session_id_context(native, reinterpret_cast<const unsigned char*>(&generation), sizeof generation);
  if (const auto error = use_certificate(native, tls.certificate, tls.private_key, kWhere)) throw Failure(*error);
  if (!tls.client_ca.empty()) require_client_certificate(native, tls.client_ca);
  out.expires_at_s = expiry_of(native);
  warn_when_it_ends_soon(tls.certificate, out.expires_at_s);
  return out;
}

}  // namespace phoenix::gateway
