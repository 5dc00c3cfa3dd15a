// A client that speaks TLS through OpenSSL on a blocking socket.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "tests/support/raw_client.hpp"

namespace phoenix::test {

struct TlsOptions {
  std::string ca;  // file; empty: anybody is believed
  std::string certificate, key;
  int min_version = TLS1_2_VERSION, max_version = 0;
  std::string alpn;  // wire format
};

class TlsClient {
 public:
  /// Connects; `connected()` tells whether the handshake worked.
  TlsClient(std::uint16_t port, const TlsOptions& options)
      : context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free), ssl_(nullptr, &SSL_free) {
    SSL_CTX_set_security_level(context_.get(), 0);  // so that old versions are offered at all
    SSL_CTX_set_min_proto_version(context_.get(), options.min_version);
    SSL_CTX_set_max_proto_version(context_.get(), options.max_version);
    if (!options.ca.empty()) {
      SSL_CTX_load_verify_file(context_.get(), options.ca.c_str());
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    }
    if (!options.certificate.empty()) {
      SSL_CTX_use_certificate_chain_file(context_.get(), options.certificate.c_str());
      SSL_CTX_use_PrivateKey_file(context_.get(), options.key.c_str(), SSL_FILETYPE_PEM);
    }
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) throw std::runtime_error("cannot connect");
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), fd_);
    SSL_set_tlsext_host_name(ssl_.get(), "bank.test");
    if (!options.alpn.empty())
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(options.alpn.data()),
                          static_cast<unsigned>(options.alpn.size()));
    connected_ = SSL_connect(ssl_.get()) == 1;
  }
  ~TlsClient() {
    ssl_.reset();
    ::close(fd_);
    ERR_clear_error();
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] std::string version() const { return SSL_get_version(ssl_.get()); }
  [[nodiscard]] std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  bool send(std::string_view bytes) {
    return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
  }
  /// Reads until `text` has come; empty when the connection ends before.
  std::string read_until(std::string_view text) {
    while (received_.find(text) == std::string::npos) {
      char bytes[16384];
      const int n = SSL_read(ssl_.get(), bytes, sizeof bytes);
      if (n <= 0) return {};
      received_.append(bytes, static_cast<std::size_t>(n));
    }
    return std::exchange(received_, {});
  }
  /// The peer said that this is the end (close_notify), and did not just cut the connection.
  bool ended_properly() {
    char byte;
    const int n = SSL_read(ssl_.get(), &byte, 1);
    return n <= 0 && SSL_get_error(ssl_.get(), n) == SSL_ERROR_ZERO_RETURN;
  }
  /// Serial number of the server's certificate.
  [[nodiscard]] long serial() const {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl_.get()), &X509_free);
    return certificate ? ASN1_INTEGER_get(X509_get_serialNumber(certificate.get())) : 0;
  }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  int fd_ = -1;
  bool connected_ = false;
  std::string received_;
};

}  // namespace phoenix::test
