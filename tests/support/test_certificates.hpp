// Certificates made for one test: an authority and what it signs, as PEM files. P-256 keys: made in no time.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

namespace phoenix::test {

class CertificateAuthority {
 public:
  /// Writes DIRECTORY/NAME.pem.
  CertificateAuthority(std::string directory, const std::string& name)
      : directory_(std::move(directory)), key_(EVP_EC_gen("P-256"), &EVP_PKEY_free), certificate_(make(name, key_)) {
    add(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get()));
    sign_and_write(certificate_.get(), name);
    file_ = path(name);
  }
  /// The authority's own certificate.
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] std::string certificate(const std::string& name) const { return path(name); }
  [[nodiscard]] std::string key(const std::string& name) const { return path(name + "-key"); }

  /// Writes certificate(NAME) and key(NAME). `subject_alternative`: like DNS:core.bank.test,IP:127.0.0.1.
  void issue(const std::string& name, const std::string& subject_alternative) {
    const Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    const Certificate certificate = make(name, key);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
    add(certificate.get(), NID_subject_alt_name, subject_alternative.c_str());
    sign_and_write(certificate.get(), name);
    const File out = open(path(name + "-key"));
    if (PEM_write_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) fail();
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
  using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;
  [[noreturn]] static void fail() { throw std::runtime_error("cannot make a certificate"); }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name + ".pem"; }
  static File open(const std::string& path) {
    File file(std::fopen(path.c_str(), "w"), &std::fclose);
    if (!file) fail();
    return file;
  }
  static Certificate make(const std::string& name, const Key& key) {
    static long serial = 1;
    Certificate out(X509_new(), &X509_free);
    X509_set_version(out.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(out.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(out.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(out.get()), 24L * 3600);
    X509_set_pubkey(out.get(), key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(out.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    return out;
  }
  static void add(X509* certificate, int what, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value);
    if (extension == nullptr || X509_add_ext(certificate, extension, -1) != 1) fail();
    X509_EXTENSION_free(extension);
  }
  void sign_and_write(X509* certificate, const std::string& name) const {
    if (X509_sign(certificate, key_.get(), EVP_sha256()) == 0) fail();
    const File out = open(path(name));
    if (PEM_write_X509(out.get(), certificate) != 1) fail();
  }

  const std::string directory_;
  const Key key_;
  const Certificate certificate_;
  std::string file_;
};

}  // namespace phoenix::test
