// Certificates and keys from PEM files, for both directions. Reads files: at start and at reload only.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "core/model/result.hpp"

namespace phoenix::gateway {

/// `where`.`key`: what is wrong with `file`, with OpenSSL's reason. Empties OpenSSL's queue of errors.
Error tls_file_error(const std::string& where, const char* key, const std::string& file, const char* what);

/// A certificate with its chain, the own one first, and its key.
std::optional<Error> use_certificate(SSL_CTX* context, const std::string& certificate, const std::string& private_key,
                                     const std::string& where);

}  // namespace phoenix::gateway
