// HMAC-SHA256 (RFC 2104) under one key: what stands in an event in the place of a secret, so that equal secrets can be
// told without being known. Pure.
#pragma once

#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace phoenix::gateway {

/// Immutable, usable by all threads at once. The key's two states are computed once: a hash costs no allocation.
class KeyedHash {
 public:
  using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

  explicit KeyedHash(std::string_view key);

  [[nodiscard]] Digest digest(std::string_view text) const;
  /// `(redacted:HEX)` with the first 16 bytes of the digest.
  [[nodiscard]] std::string redacted(std::string_view text) const;
  /// In the place of a hash that anybody could compute from a guess. 0, which stands for "none", stays 0.
  [[nodiscard]] std::uint64_t rehashed(std::uint64_t hash) const;

 private:
  SHA256_CTX inner_{};
  SHA256_CTX outer_{};
};

}  // namespace phoenix::gateway
