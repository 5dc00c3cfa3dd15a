#include "gateway/tls_files.hpp"

#include <fmt/format.h>
#include <openssl/err.h>

#include <cstring>

namespace phoenix::gateway {

Error tls_file_error(const std::string& where, const char* key, const std::string& file, const char* what) {
  const unsigned long first = ERR_peek_error();  // a system error is told first, then where it occurred
  const char* reason =
      ERR_SYSTEM_ERROR(first) ? std::strerror(ERR_GET_REASON(first)) : ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return invalid_input(
      fmt::format("{}.{}: {}: {}: {}", where, key, file, what, reason != nullptr ? reason : "unreadable or not PEM"));
}

std::optional<Error> use_certificate(SSL_CTX* context, const std::string& certificate, const std::string& private_key,
                                     const std::string& where) {
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1)
    return tls_file_error(where, "certificate", certificate, "cannot be read as PEM certificates");
  if (SSL_CTX_use_PrivateKey_file(context, private_key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1)
    return tls_file_error(where, "private_key", private_key, "is not the PEM key of that certificate");
  return std::nullopt;
}

}  // namespace phoenix::gateway
