// The EVP interface of OpenSSL 3 allocates for every hash; its older one works on a state that can be copied.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "gateway/keyed_hash.hpp"

#include <openssl/crypto.h>

#include <algorithm>

namespace phoenix::gateway {
namespace {

using Block = std::array<unsigned char, SHA256_CBLOCK>;

void absorb(SHA256_CTX& state, Block block, unsigned char pad) {
  for (unsigned char& byte : block) byte = static_cast<unsigned char>(byte ^ pad);
  SHA256_Init(&state);
  SHA256_Update(&state, block.data(), block.size());
  OPENSSL_cleanse(block.data(), block.size());
}

}  // namespace

KeyedHash::KeyedHash(std::string_view key) {
  Block block{};
  if (key.size() > block.size()) {
    SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), block.data());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  absorb(inner_, block, 0x36);
  absorb(outer_, block, 0x5c);
  OPENSSL_cleanse(block.data(), block.size());
}

KeyedHash::Digest KeyedHash::digest(std::string_view text) const {
  Digest digest;
  SHA256_CTX state = inner_;
  SHA256_Update(&state, text.data(), text.size());
  SHA256_Final(digest.data(), &state);
  state = outer_;
  SHA256_Update(&state, digest.data(), digest.size());
  SHA256_Final(digest.data(), &state);
  return digest;
}

std::string KeyedHash::redacted(std::string_view text) const {
  constexpr std::size_t kShownBytes = 16;
  constexpr std::string_view kHex = "0123456789abcdef";
  const Digest hash = digest(text);
  std::string out;
  out.reserve(11 + 2 * kShownBytes);
  out.append("(redacted:");
  for (std::size_t i = 0; i < kShownBytes; ++i) {
    out += kHex[hash[i] >> 4];
    out += kHex[hash[i] & 15];
  }
  return out += ')';
}

std::uint64_t KeyedHash::rehashed(std::uint64_t hash) const {
  if (hash == 0) return 0;
  std::string text("body hash ");
  for (int shift = 0; shift < 64; shift += 8) text += static_cast<char>(hash >> shift);
  const Digest keyed = digest(text);
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8; ++i) out = (out << 8) | keyed[i];
  return out;
}

}  // namespace phoenix::gateway
